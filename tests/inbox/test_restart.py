"""Ending and starting again: nothing is lost, nothing is done twice, a damaged ledger is rebuilt."""

import sqlite3
from pathlib import Path

import pytest

from dogid.ledger.database import open_for_writing
from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.support.privileges import without_override
from tests.support.waiting import eventually


def test_restart_repeats_nothing(daemon: DaemonProcess, inbox: Path) -> None:
    for number in range(5):
        put(inbox / f"{number}.jpg", photo(number))
    put(inbox / "bad.jpg", b"bad")
    before = daemon.wait_for_all_answers(6)
    for _ in range(2):
        daemon.stop()
        daemon.start()
        daemon.wait_for_next_scan()
        assert daemon.results() == before
    daemon.wait_for_clean_audit(6)


def test_photos_from_downtime_are_classified(make_daemon: MakeDaemon, inbox: Path) -> None:
    inbox.rmdir()
    daemon = make_daemon().start()  # which makes it
    daemon.stop()
    for number in range(5):
        put(inbox / f"sub{number}" / "a.jpg", photo(number))
    daemon.start()

    for number in range(5):
        daemon.wait_for_classified(f"sub{number}/a.jpg", photo(number))


def test_photo_half_copied_at_a_restart_gets_the_right_result(make_daemon: MakeDaemon, inbox: Path) -> None:
    data = photo(7)
    path = put(inbox / "half.jpg", data[: len(data) // 2])
    daemon = make_daemon("--settle", "600").start()
    waiting = daemon.wait_for_pending("half.jpg", "truncated")
    daemon.kill()
    daemon.start()
    daemon.wait_for_pending("half.jpg", "truncated")
    path.write_bytes(data)

    assert daemon.wait_for_classified("half.jpg", data)["id"] == waiting["id"]


def test_killed_daemon_completes_the_backlog_and_repeats_nothing(daemon: DaemonProcess, inbox: Path) -> None:
    for number in range(200):
        put(inbox / f"{number}.jpg", photo(number % 5, size=(64, 64)))
    eventually(lambda: daemon.status()["counts"]["classified"] > 3, "some are done")
    before = {result["id"]: result for result in daemon.results() if result["status"] == "classified"}
    daemon.kill()
    daemon.start()
    after = {result["id"]: result for result in daemon.wait_for_all_answers(200)}

    assert {number: after[number] for number in before} == before
    assert len({result["file"] for result in after.values()}) == 200
    daemon.wait_for_clean_audit(200)


@pytest.mark.parametrize("damage", ["header", "middle", "everything", "cut"])
def test_damaged_ledger_is_moved_aside_and_rebuilt(daemon: DaemonProcess, inbox: Path, damage: str) -> None:
    for number in range(40):
        put(inbox / f"{number}.jpg", photo(number % 3, size=(64, 64)))
    before = {result["file"]: result["scores"] for result in daemon.wait_for_all_answers(40)}
    daemon.stop()
    ledger = daemon.state / "ledger.db"
    data = bytearray(ledger.read_bytes())
    if damage == "header":
        data[:100] = b"\xaa" * 100
    elif damage == "middle":
        for at in range(4096, len(data), 8192):
            data[at : at + 4096] = b"\x55" * 4096
    elif damage == "everything":
        data[:] = b"x" * len(data)
    else:
        del data[len(data) // 2 :]
    ledger.write_bytes(data)
    daemon.start()

    assert {result["file"]: result["scores"] for result in daemon.wait_for_all_answers(40)} == before
    aside = Path(daemon.status()["ledger"]["moved_aside"])
    assert aside.read_bytes() == data
    assert "damaged" in aside.name
    daemon.wait_for_log(str(aside))
    daemon.wait_for_clean_audit(40)


def test_ledger_of_a_newer_version_is_rejected_unchanged(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    daemon.state.mkdir()
    open_for_writing(daemon.state).connection.close()
    with sqlite3.connect(daemon.state / "ledger.db") as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    before = (daemon.state / "ledger.db").read_bytes()
    daemon.launch()

    assert daemon.wait() == 2
    assert "newer dogid" in daemon.log_text()
    assert (daemon.state / "ledger.db").read_bytes() == before


def test_second_daemon_on_the_same_state_is_rejected(daemon: DaemonProcess, inbox: Path, tmp_path: Path) -> None:
    second = DaemonProcess(inbox, tmp_path / "link")
    second.state.symlink_to(daemon.state)
    second.launch()

    assert second.wait() == 2
    assert "another dogid" in second.log_text()
    put(inbox / "a.jpg", photo(8))
    daemon.wait_for_classified("a.jpg", photo(8))


def test_audit_and_why_work_without_a_daemon(daemon: DaemonProcess, inbox: Path) -> None:
    path = put(inbox / "known.jpg", photo(12))
    daemon.wait_for_classified("known.jpg", photo(12))
    daemon.stop()
    assert daemon.audit()["clean"] is True
    why = daemon.command("why", "known.jpg", "--json")
    assert (why.returncode, '"classified"' in why.stdout) == (0, True)
    put(inbox / "unknown.jpg", photo(13))
    path.write_bytes(photo(14))

    found = daemon.audit()
    assert sorted(found["lost"]) == ["known.jpg", "unknown.jpg"]
    assert found["clean"] is False
    assert daemon.command("audit").returncode == 1


def test_why_prints_the_whole_history(make_daemon: MakeDaemon, inbox: Path) -> None:
    path = put(inbox / "a.jpg", photo(15)[:-3000])
    path.chmod(0)
    daemon = make_daemon("--settle", "1", before=without_override()).start()
    daemon.wait_for_pending("a.jpg", "unreadable")
    path.chmod(0o644)
    daemon.wait_for_failed("a.jpg", "truncated")
    path.write_bytes(photo(15))
    daemon.wait_for_classified("a.jpg", photo(15))
    path.rename(inbox / "b.jpg")
    daemon.wait_for_classified("b.jpg", photo(15))
    output = daemon.command("why", str(inbox / "b.jpg")).stdout

    for word in ("seen", "waiting", "truncated", "failed", "classified", "renamed", "from a.jpg to b.jpg"):
        assert word in output
    assert daemon.command("why", "missing.jpg").returncode == 1


def test_rename_while_stopped_is_no_departure(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "old.jpg", photo(1))
    put(inbox / "other.jpg", photo(2))
    before = {result["file"]: result["id"] for result in daemon.wait_for_all_answers(2)}
    daemon.stop()
    (inbox / "old.jpg").rename(inbox / "new.jpg")
    daemon.start()
    renamed = daemon.wait_for_classified("new.jpg", photo(1))

    assert renamed["id"] == before["old.jpg"]
    assert [step["event"] for step in daemon.history(renamed)][:1] == ["renamed"]
    assert "left" not in [step["event"] for step in daemon.history(renamed)]
