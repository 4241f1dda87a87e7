"""The page's summary of the daemon: health, inbox, model, disks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dogid.conditions import OLDER_ANSWERS_HINT, ledger_moved_aside, rows_damaged
from dogid.learning_run.learning_state import describe_learning, describe_rollback
from dogid.ledger.counters import count_damaged_rows
from dogid.quantities import count_of
from dogid.shelf.listing import describe_choice
from dogid.status import NOT_CHECKED
from dogid.web.daemon_view import DaemonView
from dogid.web.older_answers import MOST, OlderAnswers
from dogid.web.pages.disk_usage import Disk, DiskStatus, DiskUsage
from dogid.web.pages.formatting import byte_count, visible, visible_path

_LOW_SHARE, _LOW_BYTES = 0.02, 500_000_000  # a disk with less free space than both gets a warning
_MODES = {"events": "watched live", "scan": "polled every few seconds"}


@dataclass(frozen=True, slots=True)
class StatusItem:
    """One line of the summary."""

    name: str
    value: str
    detail: str
    level: str
    """`good`, `bad`, or `plain`."""
    time: str | None = None
    """ISO 8601, shown after the detail."""


def health_item(daemon: DaemonView) -> StatusItem:
    """Return the result of the last health check."""
    health = daemon.health
    problem = daemon.watch_status.problem or daemon.found_model.problem
    if health.ok and problem:
        return StatusItem("Health", "Problem", visible(problem), "bad")
    if health.ok:
        return StatusItem("Health", "Working", "every worker classifies a reference photo as expected", "good")
    if health.reason == NOT_CHECKED:
        return StatusItem("Health", "Starting", "the first health check is not done yet", "plain")
    return StatusItem("Health", "Problem", visible(health.reason), "bad")


def status_items(daemon: DaemonView, inbox: Disk, state: Disk, older_answers: OlderAnswers) -> list[StatusItem]:
    """Return the items of the inbox, the model, answers of another, a ledger that was damaged, and the disks."""
    return [
        _describe_inbox(daemon),
        *_describe_links(daemon),
        _describe_model(daemon),
        *_describe_learning(daemon),
        *_describe_older_answers(daemon, older_answers),
        *_describe_ledger(daemon),
        *_describe_disks(inbox, state),
    ]


def _describe_learning(daemon: DaemonView) -> list[StatusItem]:
    """Return an item about the last learning run, and one where its model was left again."""
    choice = describe_choice(daemon.found_model, daemon.model.file)
    learning = describe_learning(daemon.state, daemon.settings.learning, choice)
    last, rollback = learning["last"], learning["rolled_back"]
    items: list[StatusItem] = []
    if last is not None:
        items.append(
            StatusItem("Learning", _name_outcome(last), visible(f"{last['summary']}; run at"), "plain", last["at"])
        )
    if rollback is not None:
        items.append(StatusItem("Learning", "Went back", visible(describe_rollback(rollback)), "bad", rollback["at"]))
    return items


def _name_outcome(last: dict[str, Any]) -> str:
    """Return a word or two about the last learning run."""
    if last["active"]:
        return "Active"
    if last["activated"]:
        return "Not active any more"
    return "Proposal" if last["passed"] else "Not activated"


def _describe_older_answers(daemon: DaemonView, older_answers: OlderAnswers) -> list[StatusItem]:
    """Return an item where photos have the answer of another model than the one that runs, else none."""
    count = older_answers.count(daemon.reader(), daemon.model.file.sha256)
    if not count:
        return []
    photos = f"{MOST:,} or more photos" if count == MOST else count_of(count, "photo")
    return [StatusItem("Older answers", photos, OLDER_ANSWERS_HINT, "plain")]


def _describe_ledger(daemon: DaemonView) -> list[StatusItem]:
    """Return an item where the ledger was damaged, else none."""
    count, aside = count_damaged_rows(daemon.reader()), daemon.ledger_moved_aside
    items: list[StatusItem] = []
    if aside is not None:
        detail = visible(ledger_moved_aside(visible_path(aside), daemon.salvaged_results))
        items.append(StatusItem("Ledger", "Replaced", detail, "bad"))
    if count:
        items.append(StatusItem("Ledger", "Repaired", rows_damaged(count), "plain"))
    return items


def _describe_inbox(daemon: DaemonView) -> StatusItem:
    watch = daemon.watch_status
    path = visible_path(daemon.inbox)
    if watch.problem:
        return StatusItem("Inbox", path, visible(watch.problem), "bad", watch.last_scan)
    how = _MODES.get(watch.mode, watch.mode)
    scanned = "; last scan" if watch.last_scan else "; no scan yet"
    return StatusItem("Inbox", path, f"{count_of(watch.files, 'file')}, {how}{scanned}", "plain", watch.last_scan)


def _describe_links(daemon: DaemonView) -> list[StatusItem]:
    """Return an item where links lead out of the inbox, else none."""
    links = daemon.watch_status.links_out
    return [] if links is None else [StatusItem("Links", "Not followed", visible(links), "plain")]


def _describe_model(daemon: DaemonView) -> StatusItem:
    model = daemon.model
    tested = "self-test passed" if model.file.golden else "no self-test, as it has no golden photo"
    fed = model.input.describe().replace(" x ", " × ", 1)  # noqa: RUF001
    warnings = "".join(f"; {text}" for text in model.warnings)
    choice = describe_choice(daemon.found_model, model.file)
    made_from = "" if choice["made_from"] == "unknown" else f"; made from {choice['made_from']}"
    problem = "" if choice["problem"] is None else f"; {choice['problem']}"
    detail = visible(f"{count_of(len(model.labels), 'label')}, fed {fed}{made_from}; {tested}{warnings}{problem}")
    level = "bad" if model.input.warn() or problem else "plain"
    return StatusItem("Model", visible(model.file.name), detail, level)


def _describe_disks(inbox: Disk, state: Disk) -> list[StatusItem]:
    """Return an item for each disk: one where the inbox and the state folder share it."""
    of_inbox, of_state = inbox.status(), state.status()
    usages = of_inbox.usage, of_state.usage
    if usages[0] and usages[1] and usages[0].device == usages[1].device and not of_inbox.error:
        return [_describe_disk("Disk", state.folder, of_state)]
    return [
        _describe_disk("Disk of the inbox", inbox.folder, of_inbox),
        _describe_disk("Disk of the ledger", state.folder, of_state),
    ]


def _describe_disk(name: str, folder: Path, status: DiskStatus) -> StatusItem:
    usage, error = status.usage, status.error
    if usage is None:
        return StatusItem(name, "unknown", f"{visible_path(folder)}: {error}", "bad")
    value = f"{byte_count(usage.free)} free"
    if error:
        detail = f"of {byte_count(usage.total)}; {visible_path(folder)}: {error} since"
        return StatusItem(name, value, detail, "bad", usage.measured_at)
    detail = f"of {byte_count(usage.total)}" + ("; free some space soon" if _is_nearly_full(usage) else "")
    return StatusItem(name, value, detail, "bad" if _is_nearly_full(usage) else "plain")


def _is_nearly_full(usage: DiskUsage) -> bool:
    return usage.free < min(_LOW_BYTES, usage.total * _LOW_SHARE)


def inbox_path(daemon: DaemonView) -> str:
    """Return the path of the inbox as text."""
    return visible_path(daemon.inbox)
