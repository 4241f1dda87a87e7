"""The checks of outputs and rules: their tables, and the other side of each output."""

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from dogid.commands.check_result import Check, CheckFailedError, CheckResult, run_check
from dogid.commands.reading_state import list_all_labels
from dogid.errors import DogidError
from dogid.outputs.output import OutputError
from dogid.settings import Settings

if TYPE_CHECKING:
    from dogid.outputs.configuration import OutputEntry


def check_outputs(chosen: Settings) -> list[CheckResult]:
    """Check the tables of outputs and rules, and try the other side of each output that is enabled."""
    from dogid.outputs.configuration import read_configuration

    try:
        configuration = read_configuration(chosen)
    except DogidError as error:
        return [CheckResult("outputs", ok=False, detail=str(error))]
    results = [run_check(f"output {entry.name}", _make_check(entry), chosen) for entry in configuration.outputs]
    return results + _check_rules(chosen)


def _check_rules(chosen: Settings) -> list[CheckResult]:
    """Check rules as the daemon does at its start, and whether they ask for what never was."""
    from dogid.outputs.alone import prepare_alone
    from dogid.outputs.rule_doubts import find_idle_outputs, find_rule_doubts

    try:
        prepared = prepare_alone(chosen)
    except DogidError as error:
        reason = str(error)  # of an output: said in its own line
        return [] if reason.startswith("outputs.") else [CheckResult("rules", ok=False, detail=reason)]
    rules = prepared.configuration.rules
    doubts = find_idle_outputs(prepared)
    # where the ledger is damaged, the check of the state says so
    with contextlib.ExitStack() as stack, contextlib.suppress(sqlite3.Error):
        ledger = _open_ledger(chosen, stack)
        doubts += find_rule_doubts(rules, list_all_labels(chosen, ledger), ledger)
    if not (rules or doubts):
        return []
    return [
        CheckResult("rules", ok=True, detail=", ".join(rule.name for rule in rules) or "none", warnings=tuple(doubts))
    ]


def _open_ledger(chosen: Settings, stack: contextlib.ExitStack) -> sqlite3.Connection | None:
    """Open the ledger for reading, until the stack ends; None where there is none that can be read."""
    from dogid.ledger.database import open_for_reading

    try:
        return stack.enter_context(contextlib.closing(open_for_reading(chosen.state.absolute())))
    except (DogidError, OSError, sqlite3.Error):
        return None  # the check of the state says why


def _make_check(entry: "OutputEntry") -> Check:
    """Return the check of one output."""
    from dogid.outputs.alone import check_alone

    def check(chosen: Settings) -> str:
        if not entry.enabled:
            return "not enabled"
        try:
            return check_alone(entry, chosen)
        except (DogidError, OutputError, OSError):
            raise
        except Exception as error:  # of the output's own code
            raise CheckFailedError(f"{type(error).__name__}: {error}") from error

    return check
