"""How often the whole inbox is scanned."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScanInterval:
    """How often to scan. A scan that takes t seconds comes every t / share seconds, within the bounds."""

    share: float
    """Of one core, at most."""
    shortest: float
    """Seconds between scans, at least."""
    longest: float

    def after(self, scan_seconds: float) -> float:
        """Given how long a scan took, return how long to wait until the next, in seconds."""
        return min(max(scan_seconds / self.share, self.shortest), self.longest)


# Raising the share, or lowering the bounds, finds files without an event sooner, at a higher cost while idle.
WITH_EVENTS = ScanInterval(share=0.0015, shortest=2.0, longest=600.0)
WITHOUT_EVENTS = ScanInterval(share=0.01, shortest=1.0, longest=60.0)
