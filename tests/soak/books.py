"""Which content was under which name, and when: kept by those who change the inbox, and not asked of the daemon."""

import threading
import time
from dataclasses import dataclass, field

from tests.soak.contents import Content


@dataclass(slots=True)
class _Stay:
    """A content under a name, for a while."""

    content: Content
    since: float
    """Monotonic seconds before the change that brought it."""
    until: float | None = None
    """Monotonic seconds after the change that took it away; None while it is there."""


@dataclass(slots=True)
class Books:
    """The stays of contents under names. Thread-safe."""

    _stays: dict[str, list[_Stay]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def comes(self, name: str, content: Content) -> None:
        """Note that a content is about to come under a name."""
        with self._lock:
            self._stays.setdefault(name, []).append(_Stay(content, time.monotonic()))

    def goes(self, name: str, content: Content) -> None:
        """Note that a content is no longer under a name."""
        with self._lock:
            stay = next(stay for stay in self._stays[name] if stay.content is content and stay.until is None)
            stay.until = time.monotonic()

    def scores(self, name: str, sha256: str, before: float) -> dict[str, float] | None:
        """Return what a content must get, given by its sha256; None where it was never under a name before a time."""
        with self._lock:
            stays = [stay for stay in self._stays.get(name, ()) if stay.content.sha256 == sha256]
        return next((stay.content.scores for stay in stays if stay.since <= before), None)

    def age(self, name: str, sha256: str, now: float) -> float:
        """Return for how many seconds a content has not been under a name; 0 where it is."""
        with self._lock:
            ends = [stay.until for stay in self._stays[name] if stay.content.sha256 == sha256]
        return 0.0 if None in ends else max(0.0, now - max(end for end in ends if end is not None))
