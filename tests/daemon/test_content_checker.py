"""How fast files are compared with their results."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.daemon import content_checker
from dogid.daemon.content_checker import ContentChecker
from dogid.inbox.scan import find_file, scan
from dogid.ledger.ledger import Ledger
from tests.daemon.ledger_damage import damage
from tests.support.photos import put
from tests.support.waiting import TIMEOUT


@pytest.fixture
def ledger(inbox: Path, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger, and two files in the inbox."""
    (tmp_path / "state").mkdir()
    made = Ledger(tmp_path / "state", lambda path: find_file(inbox, path), Clock())
    for name in ("a.jpg", "b.jpg"):
        put(inbox / name, b"photo")
    yield made
    made.close()


@pytest.mark.parametrize("is_busy", [True, False])
def test_files_are_compared_between_photos(
    ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch, is_busy: bool
) -> None:
    monkeypatch.setattr(content_checker, "_MIN_PAUSE_SECONDS", TIMEOUT)
    asked = threading.Semaphore(0)

    def ask() -> bool:
        asked.release()
        return is_busy

    checker = ContentChecker(inbox, ledger, lambda _: None, ask)
    ledger.on_doubtful(list(scan(inbox)))
    checker.start()
    assert asked.acquire(timeout=TIMEOUT)

    assert asked.acquire(timeout=0.3 if is_busy else TIMEOUT) != is_busy
    checker.request_stop()
    checker.join(time.monotonic() + TIMEOUT / 2)
    assert not checker.is_alive


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_checker_ends_on_a_damaged_ledger(ledger: Ledger, inbox: Path) -> None:
    ledger.observe(list(scan(inbox)))
    checker = ContentChecker(inbox, ledger, lambda _: None, lambda: False)
    damage(ledger.folder)
    ledger.on_doubtful(list(scan(inbox)))
    checker.start()
    checker.join(time.monotonic() + TIMEOUT)

    assert not checker.is_alive
    assert (ledger.folder / "ledger.db.suspect").exists()  # so that the next start looks at all of it
