"""Run the parts named, or all: `python -m tests.push [PART...]`. Ends with 1 where one of them finds a fault.

To add a part, add a function that returns its report to _PARTS.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.push import ledger_damage
from tests.push.board import push_board
from tests.push.case_report import CaseReport
from tests.push.hung_mounts import push_hung_mounts
from tests.push.report import Report
from tests.push.served_damage import serve_flipped_bits


def _in_a_folder(part: Callable[[Path], CaseReport]) -> Report:
    """Run a part in an empty folder."""
    with tempfile.TemporaryDirectory(prefix="dogid-push-", ignore_cleanup_errors=True) as folder:
        found = part(Path(folder))
    return Report([f"{number} {name}" for name, number in found.figures.items()], found.faults)


_PARTS: dict[str, Callable[[], Report]] = {
    "board600": lambda: push_board(megabytes=600, most=400, workers=4),
    "board350": lambda: push_board(megabytes=350, most=350, workers=1),
    "flips": lambda: _in_a_folder(ledger_damage.flip_every_page),
    "bytes": lambda: _in_a_folder(ledger_damage.overwrite_every_page),
    "served": lambda: _in_a_folder(serve_flipped_bits),
    "headers": lambda: _in_a_folder(ledger_damage.damage_headers),
    "foreign": lambda: _in_a_folder(ledger_damage.replace_tables),
    "hung": push_hung_mounts,
    "torn": lambda: _in_a_folder(ledger_damage.tear_live_state),
}


def main() -> int:
    """Print the report of each part; return 1 where there is a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.push", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(_PARTS)} (default: all)")
    names = parser.parse_args().parts or list(_PARTS)
    unknown = sorted(set(names) - set(_PARTS))
    if unknown:
        parser.error(f"no such part: {unknown[0]}")
    reports = {}
    for name in names:
        reports[name] = _PARTS[name]()
        print(f"{name}: {reports[name].text()}", flush=True)  # noqa: T201
    return int(any(report.faults for report in reports.values()))


if __name__ == "__main__":
    sys.exit(main())
