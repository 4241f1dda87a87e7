"""`dogid status`: count photos by state, whether or not the daemon runs."""

import argparse
import os
from typing import TYPE_CHECKING, Any

from dogid import settings
from dogid.commands import reading_state
from dogid.commands.output import print_json, print_table
from dogid.commands.reading_state import ask_inbox, find_inbox
from dogid.conditions import OLDER_ANSWERS_HINT, ledger_moved_aside, rows_damaged
from dogid.daemon.folders import is_running
from dogid.errors import DogidError
from dogid.file_names import one_line, shown_name
from dogid.quantities import count_of

if TYPE_CHECKING:
    from dogid.ledger.drift import Drift


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `reading_state`, and those of the model."""
    reading_state.add_arguments(parser, settings.MODEL_SETTINGS)


def run(args: argparse.Namespace) -> int:
    """Print the counts, and whether a daemon runs."""
    from dogid.clock import Clock
    from dogid.daemon.condition_monitor import find_other_inbox, read_condition, read_usage
    from dogid.inbox.inbox_condition import find_links_out, find_unreadable_folder, inbox_problem
    from dogid.learning_run.learning_state import describe_learning, describe_rollback
    from dogid.ledger import queries
    from dogid.ledger.counters import count_damaged_rows, read_salvaged
    from dogid.ledger.database import find_moved_aside
    from dogid.ledger.drift import read_drift
    from dogid.ledger.ledger_condition import ledger_problem
    from dogid.ledger.replays import count_older_answers
    from dogid.outputs.states import explain_failures, read_states, summarise

    db = reading_state.open_state(args)
    chosen = settings.load(args)
    inbox, state = find_inbox(args), chosen.state.absolute()
    running = is_running(state)
    usage = read_usage(state) if running else None  # its settings need not be this command's
    inbox, model, choice = usage or (inbox, *_describe_model(chosen))
    counts, present = queries.count_by_status(db), queries.count_present_by_status(db)
    damaged, salvaged, aside = count_damaged_rows(db), read_salvaged(db), find_moved_aside(state)
    older = count_older_answers(db, choice["sha256"]) if "sha256" in choice else 0
    learning = describe_learning(state, chosen.learning, choice)
    drift = read_drift(db, Clock().wall_ms(), db.thresholds)
    outputs = read_states(chosen, db, running=running)
    problem = ledger_problem(state) or (read_condition(state) if running else None)
    problem = problem or ask_inbox(
        inbox,
        lambda: (
            (find_other_inbox(state, inbox) if running else None)
            or inbox_problem(inbox)
            or find_unreadable_folder(inbox)
        ),
    )
    links = None if problem else ask_inbox(inbox, lambda: find_links_out(inbox))
    if args.json:
        places = {"inbox": str(inbox), "state": str(state)}
        print_json(
            {
                "running": running,
                **places,
                "counts": counts,
                "present": present,
                "problem": problem,
                "links_out": links,
                "damaged_rows": damaged,
                "moved_aside": None if aside is None else shown_name(os.fsencode(aside)),
                "salvaged": salvaged,
                "model": model,
                "model_choice": choice,
                "older_answers": older,
                "drift": drift.describe(),
                "learning": learning,
                "outputs": outputs,
            }
        )
    else:
        rows = [("running", "yes" if running else "no"), ("inbox", str(inbox)), ("state", str(state))]
        rows.append(("model", one_line(model)))
        rows += [("", one_line(line)) for line in _explain_choice(choice)]
        rows += [(key, str(value)) for key, value in present.items()]
        rows.append(("left the inbox", str(counts["classified"] - present["classified"])))
        rows += _describe_drift(drift)
        if learning["last"] is not None:
            rows.append(("learning", one_line(learning["last"]["summary"])))
        if learning["rolled_back"] is not None:
            rows.append(("learning", one_line(describe_rollback(learning["rolled_back"]))))
        if outputs:
            rows.append(("outputs", summarise(outputs)))
        rows += [("", line) for output in outputs for line in explain_failures(output)]
        if older:
            rows.append(("older answers", f"{count_of(older, 'photo')}; {OLDER_ANSWERS_HINT}"))
        if aside is not None and salvaged is not None:
            rows.append(("ledger", ledger_moved_aside(one_line(str(aside)), salvaged)))
        if damaged:
            rows.append(("ledger", rows_damaged(damaged)))
        if links is not None:
            rows.append(("not followed", one_line(links)))
        if problem is not None:
            rows.append(("problem", one_line(problem)))
        print_table(rows, ("what", "now"))
    return 0


def _describe_model(chosen: settings.Settings) -> tuple[str, dict[str, Any]]:
    """Return the name of the model that would run and what it is fed, and why; or why it cannot be read."""
    from dogid.model.model_file import read_model_file
    from dogid.model.stated_input import read_input_kind
    from dogid.preprocessing import Origin
    from dogid.shelf.listing import describe_choice
    from dogid.shelf.open_model import find_model, open_model

    try:
        found = find_model(chosen)
        file = read_model_file(found.path, found.labels, found.options)
        fed = read_input_kind(file)
        if fed.origin is Origin.GUESSED:  # the daemon decides by the model's answers
            fed = open_model(chosen).input
        return f"{file.name}, fed {fed.describe()}", describe_choice(found, file)
    except DogidError as error:
        return str(error), {}


def _describe_drift(drift: "Drift") -> list[tuple[str, str]]:
    """Return a line for the last week, and one for those before, where there are photos."""
    from dogid.ledger.drift import add_figures

    this, *before = drift.weeks
    rows = []
    for name, weeks in (("last 7 days", [this]), ("the weeks before", before)):
        figures = add_figures(week.figures for week in weeks)
        if figures.mean_score is not None:
            text = f"mean score {figures.mean_score:.2f}, other {figures.other_share:.0%}, unsure"
            text += f" {figures.unsure_share:.0%}; {figures.corrected} of {figures.reviewed} reviewed photos corrected"
            rows.append((name, text))
    return rows


def _explain_choice(choice: dict[str, Any]) -> list[str]:
    """Return what people should know of the choice of the model, a line each."""
    lines: list[str] = []
    if choice.get("made_from", "unknown") != "unknown":
        lines.append(f"made from {choice['made_from']}")
    if choice.get("activated_at"):
        lines.append(f"activated {choice['activated_at']}")
    if choice.get("problem"):
        lines.append(f"problem: {choice['problem']}")
    return lines
