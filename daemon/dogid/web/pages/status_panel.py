"""The state of the daemon at a glance: health, inbox, model, disk."""

from dataclasses import dataclass
from pathlib import Path

from dogid.status import NOT_CHECKED
from dogid.web.daemon_view import DaemonView
from dogid.web.pages.disk_usage import Disk, DiskStatus, DiskUsage
from dogid.web.pages.formatting import byte_count, visible, visible_path

_LOW_SHARE, _LOW_BYTES = 0.02, 500_000_000  # a disk with less free space than both gets a warning
_MODES = {"events": "watched live", "scan": "looked through every few seconds"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to know at a glance."""

    name: str
    value: str
    detail: str
    level: str
    """`good`, `bad`, or `plain`."""
    moment: str | None = None
    """ISO 8601, shown after the detail."""


def health(daemon: DaemonView) -> Fact:
    """Whether the daemon still gives the right answers."""
    found = daemon.health
    if found.ok and daemon.watch_status.problem:
        return Fact("Health", "In trouble", "the inbox cannot be read", "bad")
    if found.ok:
        return Fact("Health", "Working", "the known photo still gets the right answer", "good")
    if found.reason == NOT_CHECKED:
        return Fact("Health", "Starting", "the known photo has not been asked yet", "plain")
    return Fact("Health", "In trouble", visible(found.reason), "bad")


def facts(daemon: DaemonView, inbox: Disk, state: Disk) -> list[Fact]:
    """Inbox, model, and the disks of the inbox and of the state folder."""
    return [_inbox(daemon), _model(daemon), *_disks(inbox, state)]


def _inbox(daemon: DaemonView) -> Fact:
    watch = daemon.watch_status
    path = visible_path(daemon.inbox)
    if watch.problem:
        return Fact("Inbox", path, f"cannot be read: {visible(watch.problem)}", "bad", watch.last_scan)
    how = _MODES.get(watch.mode, watch.mode)
    scanned = "; last scan" if watch.last_scan else "; no scan yet"
    return Fact("Inbox", path, f"{watch.files} files, {how}{scanned}", "plain", watch.last_scan)


def _model(daemon: DaemonView) -> Fact:
    model = daemon.model
    tested = "self-test passed" if model.file.golden else "self-test: none, it carries no known photo"
    width, height = model.size
    detail = f"{len(model.labels)} labels, sees {width} × {height} pixels; {tested}"  # noqa: RUF001
    return Fact("Model", visible(model.file.name), detail, "plain")


def _disks(inbox: Disk, state: Disk) -> list[Fact]:
    """The disk of the inbox and that of the state folder, or the one that is both."""
    of_inbox, of_state = inbox.status(), state.status()
    usages = of_inbox.usage, of_state.usage
    if usages[0] and usages[1] and usages[0].device == usages[1].device and not of_inbox.error:
        return [_disk("Disk", state.folder, of_state)]
    return [_disk("Disk of the inbox", inbox.folder, of_inbox), _disk("Disk of the ledger", state.folder, of_state)]


def _disk(name: str, folder: Path, status: DiskStatus) -> Fact:
    usage, error = status.usage, status.error
    if usage is None:
        return Fact(name, "unknown", f"{visible_path(folder)}: {error}", "bad")
    value = f"{byte_count(usage.free)} free"
    if error:
        detail = f"of {byte_count(usage.total)}; {visible_path(folder)}: {error} since"
        return Fact(name, value, detail, "bad", usage.measured_at)
    detail = f"of {byte_count(usage.total)}" + ("; free some space soon" if _is_nearly_full(usage) else "")
    return Fact(name, value, detail, "bad" if _is_nearly_full(usage) else "plain")


def _is_nearly_full(usage: DiskUsage) -> bool:
    return usage.free < min(_LOW_BYTES, usage.total * _LOW_SHARE)


def inbox_path(daemon: DaemonView) -> str:
    """Where photos are copied to, for people."""
    return visible_path(daemon.inbox)
