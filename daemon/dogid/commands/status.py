"""`dogid status`: count photos by state, whether or not the daemon runs."""

import argparse

from dogid import settings
from dogid.commands import reading_state
from dogid.commands.output import print_json, print_table
from dogid.daemon.folders import is_running


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `reading_state`."""
    reading_state.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the counts, and whether a daemon runs."""
    from dogid.ledger import queries

    db = reading_state.open_state(args)
    chosen = settings.load(args)
    document = {
        "running": is_running(chosen.state),
        "inbox": str(chosen.inbox.absolute()),
        "state": str(chosen.state.absolute()),
        "counts": queries.count_by_status(db),
        "present": queries.count_present_by_status(db),
    }
    if args.json:
        print_json(document)
    else:
        rows = [(key, str(document[key])) for key in ("running", "inbox", "state")]
        counts, present = queries.count_by_status(db), queries.count_present_by_status(db)
        rows += [(key, str(value)) for key, value in present.items()]
        rows.append(("left the inbox", str(counts["classified"] - present["classified"])))
        print_table(rows, ("what", "now"))
    return 0
