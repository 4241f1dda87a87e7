"""How the daemon is doing: the values that its parts report and the web shows."""

from dataclasses import dataclass

NOT_CHECKED = "not checked yet"
"""The reason of the health before the first round."""


@dataclass(frozen=True, slots=True)
class Health:
    """Result of the last health check."""

    ok: bool
    reason: str
    checked_at: float
    """Monotonic seconds of the last round that was passed."""
    problem: str | None = None
    """What is wrong although it is ok: because it is new, or stops only some photos."""


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """How the inbox is watched, for /status."""

    mode: str
    """`events` or `scan`."""
    reason: str
    last_scan: str | None
    """When the last scan ended, ISO 8601."""
    last_scan_seconds: float | None
    files: int
    """Files that may be photos, in the last scan."""
    problem: str | None
    """Why the inbox, or some of its folders, cannot be read, or the ledger not be written."""
    blocked_since: float | None = None
    """Monotonic seconds since when no photo can be found or recorded; None where they can."""
    links_out: str | None = None
    """Which links out of the inbox the last scan left out; None for none."""
