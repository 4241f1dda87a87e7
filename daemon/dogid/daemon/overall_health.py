"""The daemon's health: what the health check has found, and what is known besides about inbox, ledger and model."""

import time
from dataclasses import replace
from pathlib import Path

from dogid.conditions import LEDGER_DAMAGED, ledger_hangs
from dogid.status import Health, WatchStatus

BLOCKED_SECONDS = 60.0
"""For which a missing inbox or a full disk may last. Raising this reports them later; lowering it alarms for a disk
that is remounted."""


def judge_health(
    checked: Health, watch: WatchStatus, state: Path, *, is_damaged: bool, model_problem: str | None
) -> Health:
    """Return the last check's result, or the problem that explains more.

    watch: how inbox and disks are; state: the state folder; is_damaged: whether the ledger is; model_problem: why the
    active model does not run. A problem of inbox or disk is unhealthy where it lasts and stops all photos.
    """
    if checked.ok and is_damaged:
        return replace(checked, ok=False, reason=LEDGER_DAMAGED)
    # the check waits for the ledger, too: its reason is only when it last ended
    if not checked.ok and watch.problem == ledger_hangs(state):
        return replace(checked, reason=watch.problem, problem=watch.problem)
    is_blocked = watch.blocked_since is not None and time.monotonic() > watch.blocked_since + BLOCKED_SECONDS
    if checked.ok and watch.problem:
        return replace(checked, ok=not is_blocked, reason=watch.problem, problem=watch.problem)
    if checked.ok and model_problem:
        return replace(checked, reason=model_problem, problem=model_problem)
    return checked
