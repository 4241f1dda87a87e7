"""`dogid rules test`: show which events the rules would have made of past results. Nothing is sent."""

import argparse
from datetime import datetime

from dogid.clock import Clock, iso_utc
from dogid.commands import reading_state
from dogid.commands.output import print_json, print_message, print_table
from dogid.errors import UsageError
from dogid.file_names import one_line
from dogid.moments import EXAMPLES, parse_typed_moment

_HEADINGS = ("at", "rule", "photos", "label", "score", "file", "to")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `test`, --since, and the flags of `reading_state`."""
    parser.add_argument("action", choices=("test",), help="show what would have been sent; nothing is")
    parser.add_argument("--since", metavar="TIME", default="yesterday", help=f"{EXAMPLES} (default: yesterday)")
    reading_state.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the events, oldest first, and how many results made none for which reason."""
    from dogid.ledger.queries import find_result
    from dogid.outputs.alone import prepare_alone
    from dogid.outputs.rule_doubts import find_rule_doubts
    from dogid.outputs.rule_trial import try_rules

    chosen = reading_state.load_settings_beside(args)
    rules = prepare_alone(chosen).configuration.rules  # what the daemon would refuse is refused
    try:
        since = parse_typed_moment(args.since, datetime.now().astimezone())
    except ValueError as error:
        raise UsageError(f"--since: {error}") from None
    db = reading_state.open_state(args)
    labels = reading_state.list_all_labels(chosen, db)
    trial = try_rules(rules, db, since, Clock().wall_ms(), labels)
    doubts = find_rule_doubts(rules, labels, db)
    results = {event.frame.result_id: find_result(db, event.frame.result_id) for event in trial.events}
    if args.json:
        events = [
            {
                "at": iso_utc(event.frame.at),
                "rule": event.rule.name,
                "to": list(event.rule.to),
                "count": event.count,
                "result": results[event.frame.result_id],
            }
            for event in trial.events
        ]
        print_json({"since": iso_utc(since), "events": events, "suppressed": trial.suppressed, "notes": doubts})
        return 0
    rows = []
    for event in trial.events:
        frame, result = event.frame, results[event.frame.result_id]
        name = "" if result is None else one_line(result["file"])
        score = "" if result is None or result["score"] is None else f"{frame.score:.3f}"
        to = ", ".join(event.rule.to)
        row = (iso_utc(frame.at), event.rule.name, str(event.count), frame.label, score, name, to)
        rows.append(row)
    print_table(rows, _HEADINGS)
    if not rules:
        file = "the file of --config" if chosen.config_file is None else str(chosen.config_file)
        print_message(f"the settings have no rule: add a table [[rule]], with `to`, to {file}")
        return 0
    for rule, reasons in trial.suppressed.items():
        counts = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        print_message(f"rule {rule} has left out, by its own limits: {counts}")
    active = {event.rule.name for event in trial.events}
    for silent in (rule.name for rule in rules if rule.name not in active):
        print_message(f"rule {silent}: no event since {iso_utc(since)}")
    for doubt in doubts:
        print_message(f"note: {one_line(doubt)}")
    return 0
