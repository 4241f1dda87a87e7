"""Keeps the inotify watch on the inbox: starts it, replaces a stale one, and explains what is not watched."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from dogid.inbox.mounts import file_system_type, is_remote, mounts_inside
from dogid.inbox.watch import FileEvent, Watch, explain_watch_error

log = logging.getLogger(__name__)

# Until folders that could not be watched are tried again, since the kernel's limit may have been raised. Raising this
# leaves them to slow scans for longer; lowering it starts more watches in vain.
_RESTART_SECONDS = 60.0


class WatchKeeper:
    """The watch on an inbox, where its file system allows one. For the reconciler's thread."""

    def __init__(self, inbox: Path, on_event: Callable[[FileEvent], None], on_events_lost: Callable[[], None]) -> None:
        """Set up, without starting the watch. The callbacks are those of `Watch`."""
        self._inbox = inbox
        self._on_event = on_event
        self._on_events_lost = on_events_lost
        self._watch: Watch | None = None
        self._started = 0.0
        self._remote_inside: str | None = None
        self._warned: str | None = None
        self.explanation = ("scan", "not watched yet")
        """`events` or `scan`, and why."""

    @property
    def watch_is_stale(self) -> bool:
        """Whether the folder was replaced or remounted, or the watching thread has ended."""
        return self._watch is not None and self._watch.is_stale()

    @property
    def covers_everything(self) -> bool:
        """Whether events of the whole inbox can be relied on."""
        return self._watch is not None and not self._watch.folder_error and not self._remote_inside

    def refresh(self) -> None:
        """Start a watch where there is none, or a new one in place of one that is stale or incomplete."""
        if self.watch_is_stale:
            log.warning("the inbox was replaced or remounted, or its watch has ended; starting a new watch")
            self.drop()
        if self._watch is not None and self._watch.folder_error and time.monotonic() > self._started + _RESTART_SECONDS:
            self.drop()
        if self._watch is None:
            self.start()
        else:
            self._explain(self._watch)  # folders may have come that could not be watched

    def start(self) -> None:
        """Start a watch where the file system allows one; where it cannot be started, say so in `explanation`."""
        kind = file_system_type(self._inbox)
        if is_remote(kind):
            self.explanation = ("scan", f"{kind} does not report changes made elsewhere")
            return
        self._started = time.monotonic()
        try:
            self._watch = Watch(self._inbox, self._on_event, self._on_events_lost)
        except OSError as error:
            reason = explain_watch_error(error)
            self.explanation = ("scan", reason)
            self._warn_once(f"watching by scans only: {reason}")
        else:
            self._explain(self._watch)

    def drop(self) -> None:
        """Stop the watch, where there is one."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    def _explain(self, watch: Watch) -> None:
        reason = f"inotify on {file_system_type(self._inbox)}"
        kinds = {mount.type for mount in mounts_inside(self._inbox) if is_remote(mount.type)}
        self._remote_inside = ", ".join(sorted(kinds)) or None
        if self._remote_inside:
            reason += f"; by scans on {self._remote_inside} inside it"
        if watch.folder_error:
            error = explain_watch_error(watch.folder_error)
            reason += f"; by scans in folders that cannot be watched: {error}"
            self._warn_once(f"watching some folders by scans only: {error}")
        self.explanation = ("events", reason)

    def _warn_once(self, warning: str) -> None:
        if warning != self._warned:
            self._warned = warning
            log.warning("%s", warning)
