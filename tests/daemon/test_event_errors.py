"""An error in the handler of the kernel's events: the watch lives on, and scans find the photo."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dogid.daemon import reconciler as reconciler_module
from dogid.daemon.daemon import Daemon
from dogid.daemon.watch_keeper import WatchKeeper
from dogid.inbox.watch import FileEvent
from dogid.photo.decode import DEFAULT_MAX_PIXELS, limit_pixels
from dogid.settings import Settings
from tests.support.photos import photo, put
from tests.support.waiting import eventually


class Handler:
    """The reconciler's handler of events, which raises while it is broken."""

    def __init__(self) -> None:
        self.broken = False
        self.failures = 0

    def watch(
        self, inbox: Path, on_event: Callable[[FileEvent], None], on_events_lost: Callable[[], None]
    ) -> WatchKeeper:
        """Make the reconciler's watch, whose events come by here."""

        def handle(event: FileEvent) -> None:
            if self.broken:
                self.failures += 1
                raise RuntimeError("a bug in the handler")
            on_event(event)

        return WatchKeeper(inbox, handle, on_events_lost)


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[Handler]:
    made = Handler()
    monkeypatch.setattr(reconciler_module, "WatchKeeper", made.watch)
    yield made
    limit_pixels(DEFAULT_MAX_PIXELS)


def test_error_in_event_handler_loses_no_photo(handler: Handler, inbox: Path, tmp_path: Path) -> None:
    daemon = Daemon(Settings(inbox=inbox, state=tmp_path / "state", workers=1))

    def classified() -> int:
        return sum(number for (status, _), number in daemon.counters.outcome_counts().items() if status == "classified")

    with daemon.running():
        eventually(lambda: daemon.watch_status.last_scan, "the first scan is done")
        handler.broken = True
        put(inbox / "a.jpg", photo(7))
        eventually(lambda: classified() == 1, "a scan finds the photo")
        eventually(lambda: handler.failures, "its event has come, too")
        assert daemon.watch_status.mode == "events"
        handler.broken = False
        put(inbox / "b.jpg", photo(8))
        eventually(lambda: classified() == 2, "the next photo is classified")
