"""Server-sent events, heard as a browser hears them."""

import threading
from contextlib import closing
from pathlib import Path

from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch
from tests.support.photos import photo
from tests.support.waiting import TIMEOUT, eventually
from tests.web.api.event_listener import Listener


def test_event_equals_listed_result(shared_daemon: DaemonProcess) -> None:
    with closing(Listener(shared_daemon)) as listener:
        assert listener.response.headers["Content-Type"].startswith("text/event-stream")
        (shared_daemon.inbox / "a.jpg").write_bytes(photo(1))
        ((_, result),) = listener.receive(1)
    assert result == shared_daemon.wait_for_answer("a.jpg")


def test_failed_photo_is_an_event(shared_daemon: DaemonProcess) -> None:
    with closing(Listener(shared_daemon)) as listener:
        (shared_daemon.inbox / "text.jpg").write_text("no photo")
        ((_, result),) = listener.receive(1)
    assert (result["status"], result["error"]["code"]) == ("failed", "unsupported")


def test_reconnecting_listener_gets_missed_events_in_order(daemon: DaemonProcess, inbox: Path) -> None:
    with closing(Listener(daemon)) as listener:
        for number in range(3):
            (inbox / f"{number}.jpg").write_bytes(photo(number))
        first = listener.receive(3)
    for number in range(3, 8):
        (inbox / f"{number}.jpg").write_bytes(photo(number))
    daemon.wait_for_all_answers(8)

    with closing(Listener(daemon, last_event_id=first[-1][0])) as listener:
        missed = listener.receive(5)
        (inbox / "late.jpg").write_bytes(photo(99))
        late = listener.receive(1)

    ids = [number for number, _ in first + missed + late]
    assert ids == sorted(set(ids))
    assert {result["file"] for _, result in first + missed} == {f"{number}.jpg" for number in range(8)}
    assert late[0][1]["file"] == "late.jpg"


def test_events_resume_after_restart(make_daemon: MakeDaemon, inbox: Path) -> None:
    daemon = make_daemon().start()
    with closing(Listener(daemon)) as listener:
        (inbox / "a.jpg").write_bytes(photo(1))
        ((heard, _),) = listener.receive(1)
    daemon.stop()
    (inbox / "b.jpg").write_bytes(photo(2))
    daemon.start()
    daemon.wait_for_answer("b.jpg")
    with closing(Listener(daemon, last_event_id=heard)) as listener:
        (inbox / "c.jpg").write_bytes(photo(3))
        assert [result["file"] for _, result in listener.receive(2)] == ["b.jpg", "c.jpg"]


def test_many_listeners_get_same_events(shared_daemon: DaemonProcess) -> None:
    listeners = [Listener(shared_daemon) for _ in range(30)]
    try:
        for number in range(5):
            (shared_daemon.inbox / f"many-{number}.jpg").write_bytes(photo(number))
        heard = [listener.receive(5) for listener in listeners]
        assert all(each == heard[0] for each in heard)
        assert fetch(shared_daemon.url, "/status").status == 200
    finally:
        for listener in listeners:
            listener.close()


def test_disconnected_listener_leaves_no_thread(daemon: DaemonProcess) -> None:
    def threads() -> int:
        return len(list(Path(f"/proc/{daemon.pid}/task").iterdir()))

    fetch(daemon.url, "/status")
    before = threads()
    listeners = [Listener(daemon) for _ in range(10)]
    assert threads() >= before + 10
    for listener in listeners:
        listener.close()
    eventually(lambda: threads() <= before + 2, "the listeners' threads end")  # others may have started meanwhile


def test_daemon_with_listeners_stops(daemon: DaemonProcess) -> None:
    listener = Listener(daemon)
    ended = threading.Event()

    def hear() -> None:
        list(listener.events())
        ended.set()

    threading.Thread(target=hear, daemon=True).start()
    assert daemon.stop() == 0
    assert ended.wait(TIMEOUT)
    logged = daemon.log.read_text().partition("stopping")[2]
    assert logged.strip() == "", "a stop logs nothing after its own line"


def test_invalid_last_event_id_is_refused(shared_daemon: DaemonProcess) -> None:
    reply = fetch(shared_daemon.url, "/events", headers={"Last-Event-ID": "yesterday"})
    assert (reply.status, reply.code) == (400, "bad_request")
