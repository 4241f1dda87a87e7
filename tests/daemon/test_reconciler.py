"""Of which files the reconciler says that somebody may be waiting for them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.daemon.reconciler import Reconciler
from dogid.inbox.scan import find_file
from dogid.inbox.watch import FileEvent
from dogid.ledger.ledger import Ledger
from tests.support.photos import put


class Told(list[int]):
    """How many arrivals were told of, each time."""

    def __call__(self, arrived: Sequence[int]) -> None:
        self.append(len(arrived))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def reconciler(inbox: Path, tmp_path: Path, told: Told) -> Iterator[Reconciler]:
    (tmp_path / "state").mkdir()
    ledger = Ledger(tmp_path / "state", lambda path: find_file(inbox, path), Clock())
    yield Reconciler(inbox, ledger, told, Clock())
    ledger.close()


def closed(inbox: Path, count: int) -> list[FileEvent]:
    """Write that many files; return what the kernel tells of them."""
    paths = [put(inbox / f"{number:03}.jpg", b"%d" % number) for number in range(count)]
    return [FileEvent(path.name.encode(), False, "closed") for path in paths]


@pytest.mark.parametrize(("count", "arrivals"), [(1, 1), (3, 3), (99, 4), (100, 1)])
def test_few_at_a_time_are_arrivals_and_of_a_flood_the_newest(
    reconciler: Reconciler, inbox: Path, told: Told, count: int, arrivals: int
) -> None:
    reconciler._handle(closed(inbox, count))

    assert told == [arrivals]


def test_a_flood_of_which_much_is_gone_again_is_a_flood(reconciler: Reconciler, inbox: Path, told: Told) -> None:
    wakeups = closed(inbox, 100)
    for number in range(50):
        (inbox / f"{number:03}.jpg").unlink()
    reconciler._handle(wakeups)

    assert told == [1]


def test_a_flood_of_renames_is_a_flood(reconciler: Reconciler, inbox: Path, told: Told) -> None:
    for number in range(100):
        put(inbox / f"{number:03}.jpg", b"%d" % number)
    reconciler._handle([FileEvent(b"%03d.jpg" % at, False, "moved", b"%03d.tmp" % at) for at in range(100)])

    assert sum(told) == 1


def test_what_a_scan_finds_has_not_just_arrived(reconciler: Reconciler, inbox: Path, told: Told) -> None:
    closed(inbox, 3)
    reconciler._scan_all()

    assert told == [0]
