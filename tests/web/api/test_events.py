"""Server-sent events, heard as a browser hears them."""

import threading
from contextlib import closing
from pathlib import Path

from tests.conftest import MakeDaemon
from tests.support.asking import ask
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo
from tests.support.waiting import PATIENCE, eventually
from tests.web.api.event_listener import Listener


def test_a_result_is_heard_as_it_is_listed(daemon: DaemonProcess, inbox: Path) -> None:
    with closing(Listener(daemon)) as listener:
        assert listener.response.headers["Content-Type"].startswith("text/event-stream")
        (inbox / "a.jpg").write_bytes(photo(1))
        ((_, result),) = listener.hear(1)
    assert result == daemon.answered("a.jpg")


def test_a_failed_photo_is_heard_too(daemon: DaemonProcess, inbox: Path) -> None:
    with closing(Listener(daemon)) as listener:
        (inbox / "text.jpg").write_text("no photo")
        ((_, result),) = listener.hear(1)
    assert (result["status"], result["error"]["code"]) == ("failed", "unsupported")


def test_a_listener_who_was_away_hears_what_was_missed_once_and_in_order(daemon: DaemonProcess, inbox: Path) -> None:
    with closing(Listener(daemon)) as listener:
        for number in range(3):
            (inbox / f"{number}.jpg").write_bytes(photo(number))
        first = listener.hear(3)
    for number in range(3, 8):
        (inbox / f"{number}.jpg").write_bytes(photo(number))
    daemon.settled(8)

    with closing(Listener(daemon, last_event_id=first[-1][0])) as listener:
        missed = listener.hear(5)
        (inbox / "late.jpg").write_bytes(photo(99))
        late = listener.hear(1)

    ids = [number for number, _ in first + missed + late]
    assert ids == sorted(set(ids))
    assert {result["file"] for _, result in first + missed} == {f"{number}.jpg" for number in range(8)}
    assert late[0][1]["file"] == "late.jpg"


def test_it_goes_on_where_it_was_after_a_restart(make_daemon: MakeDaemon, inbox: Path) -> None:
    daemon = make_daemon().start()
    with closing(Listener(daemon)) as listener:
        (inbox / "a.jpg").write_bytes(photo(1))
        ((heard, _),) = listener.hear(1)
    daemon.stop()
    (inbox / "b.jpg").write_bytes(photo(2))
    daemon.start()
    daemon.answered("b.jpg")
    with closing(Listener(daemon, last_event_id=heard)) as listener:
        (inbox / "c.jpg").write_bytes(photo(3))
        assert [result["file"] for _, result in listener.hear(2)] == ["b.jpg", "c.jpg"]


def test_many_listeners_hear_the_same_and_the_rest_still_answers(daemon: DaemonProcess, inbox: Path) -> None:
    listeners = [Listener(daemon) for _ in range(30)]
    try:
        for number in range(5):
            (inbox / f"{number}.jpg").write_bytes(photo(number))
        heard = [listener.hear(5) for listener in listeners]
        assert all(each == heard[0] for each in heard)
        assert ask(daemon.url, "/status").status == 200
    finally:
        for listener in listeners:
            listener.close()


def test_a_listener_who_has_gone_leaves_no_thread_behind(daemon: DaemonProcess) -> None:
    def threads() -> int:
        return len(list(Path(f"/proc/{daemon.pid}/task").iterdir()))

    ask(daemon.url, "/status")
    before = threads()
    listeners = [Listener(daemon) for _ in range(10)]
    assert threads() >= before + 10
    for listener in listeners:
        listener.close()
    eventually(lambda: threads() <= before, "the listeners' threads end")


def test_a_daemon_with_listeners_stops_at_once(daemon: DaemonProcess) -> None:
    listener = Listener(daemon)
    ended = threading.Event()

    def hear() -> None:
        list(listener.events())
        ended.set()

    threading.Thread(target=hear, daemon=True).start()
    assert daemon.stop() == 0
    assert ended.wait(PATIENCE)
    told = daemon.log.read_text().partition("stopping")[2]
    assert told.strip() == "", "a stop is nothing that a person must act on"


def test_a_last_event_id_that_is_none_is_refused(daemon: DaemonProcess) -> None:
    reply = ask(daemon.url, "/events", headers={"Last-Event-ID": "yesterday"})
    assert (reply.status, reply.code) == (400, "bad_request")
