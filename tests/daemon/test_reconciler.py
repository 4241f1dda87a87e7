"""Which files the reconciler reports as arrivals: those that somebody may be waiting for."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.daemon import reconciler as reconciler_module
from dogid.daemon.reconciler import Reconciler
from dogid.daemon.wait_clock import WaitClock
from dogid.daemon.watch_keeper import WatchKeeper
from dogid.inbox.scan import find_file
from dogid.inbox.watch import FileEvent
from dogid.ledger.ledger import Ledger
from tests.support.photos import put
from tests.support.waiting import TIMEOUT, eventually


class Arrivals(list[int]):
    """How many arrivals were reported, each time."""

    def __call__(self, arrived: Sequence[int]) -> None:
        self.append(len(arrived))


@pytest.fixture
def arrivals() -> Arrivals:
    return Arrivals()


class SilentWatch(WatchKeeper):
    """The watch, whose events come from the test: send is what the kernel's would call."""

    send: Callable[[FileEvent], None]

    def __init__(self, inbox: Path, on_event: Callable[[FileEvent], None], on_events_lost: Callable[[], None]) -> None:
        super().__init__(inbox, on_event, on_events_lost)
        SilentWatch.send = staticmethod(on_event)


@pytest.fixture
def ledger(inbox: Path, tmp_path: Path) -> Iterator[Ledger]:
    (tmp_path / "state").mkdir()
    ledger = Ledger(tmp_path / "state", lambda path: find_file(inbox, path), Clock())
    yield ledger
    ledger.close()


@pytest.fixture
def reconciler(inbox: Path, ledger: Ledger, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch) -> Reconciler:
    monkeypatch.setattr(reconciler_module, "WatchKeeper", SilentWatch)
    return Reconciler(inbox, ledger, arrivals, Clock(), WaitClock(), WaitClock())


def closed(inbox: Path, count: int) -> list[FileEvent]:
    """Write that many files; return the kernel's events."""
    paths = [put(inbox / f"{number:03}.jpg", b"%d" % number) for number in range(count)]
    return [FileEvent(path.name.encode(), False, "closed") for path in paths]


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (3, 3), (99, 4), (100, 1)])
def test_few_files_are_arrivals_and_of_a_flood_the_newest(
    reconciler: Reconciler, inbox: Path, arrivals: Arrivals, count: int, expected: int
) -> None:
    reconciler.handle(closed(inbox, count))

    assert arrivals == [expected]


def test_flood_of_which_much_is_gone_is_a_flood(reconciler: Reconciler, inbox: Path, arrivals: Arrivals) -> None:
    events = closed(inbox, 100)
    for number in range(50):
        (inbox / f"{number:03}.jpg").unlink()
    reconciler.handle(events)

    assert arrivals == [1]


def test_flood_of_renames_is_a_flood(reconciler: Reconciler, inbox: Path, arrivals: Arrivals) -> None:
    for number in range(100):
        put(inbox / f"{number:03}.jpg", b"%d" % number)
    reconciler.handle([FileEvent(b"%03d.jpg" % at, False, "moved", b"%03d.tmp" % at) for at in range(100)])

    assert sum(arrivals) == 1


def test_files_found_by_a_scan_are_no_arrivals(reconciler: Reconciler, inbox: Path, arrivals: Arrivals) -> None:
    closed(inbox, 3)
    reconciler.start()
    try:
        eventually(lambda: reconciler.status.last_scan, "the inbox is scanned")
    finally:
        reconciler.request_stop()
        reconciler.join(time.monotonic() + TIMEOUT)

    assert arrivals == [0]


def test_arrival_need_not_wait_for_a_renamed_folder(reconciler: Reconciler, inbox: Path, arrivals: Arrivals) -> None:
    (inbox / "old").mkdir()
    for number in range(250):
        put(inbox / "old" / f"{number:03}.jpg", b"%d" % number)
    reconciler.handle([FileEvent(b"old/%03d.jpg" % number, False, "closed") for number in range(250)])
    (inbox / "old").rename(inbox / "new")
    arrivals.clear()
    for event in closed(inbox, 1):
        SilentWatch.send(event)
    reconciler.handle([FileEvent(b"new", True, "moved", b"old")])
    reconciler.compare_next_folder()

    assert arrivals[:251] == [0] * 100 + [1] + [0] * 150  # and then the files of the folder as it is


def test_links_to_an_overwritten_file_are_compared_with_it(
    reconciler: Reconciler, inbox: Path, arrivals: Arrivals
) -> None:
    path = put(inbox / "a.jpg", b"one")
    (inbox / "b.jpg").hardlink_to(path)
    reconciler.handle([FileEvent(name, False, "closed") for name in (b"a.jpg", b"b.jpg")])
    arrivals.clear()
    path.write_bytes(b"another")
    reconciler.handle([FileEvent(b"a.jpg", False, "closed")])

    assert sum(arrivals) == 2


@pytest.mark.parametrize("is_handled", [True, False])
def test_file_that_was_written_and_renamed_is_no_rename(
    reconciler: Reconciler, inbox: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, is_handled: bool
) -> None:
    path = put(inbox / "a.jpg", b"one")
    reconciler.handle([FileEvent(b"a.jpg", False, "closed")])
    path.rename(inbox / "b.jpg")
    monkeypatch.setattr(ledger, "record_rename", lambda *_: pytest.fail("it is taken for a rename"))
    written, moved = FileEvent(b"a.jpg", False, "closed"), FileEvent(b"b.jpg", False, "moved", b"a.jpg")
    if is_handled:
        reconciler.handle([written])
    else:
        SilentWatch.send(written)
    reconciler.handle([moved])
