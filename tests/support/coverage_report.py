"""What share of the code the tests run through, by package, against the goals.

`python -m tests.support.coverage_report REPORT.json` reads what `coverage json` wrote; exits 1 below a goal.
"""

import json
import sys
from pathlib import Path
from typing import Any

GOALS = {"daemon": 0.90, "convert": 0.85}
"""The least share of branches, by top folder."""

_LEAST_COVERED = 10

Files = dict[str, dict[str, Any]]


def share(files: Files, kind: str) -> float:
    """Return the covered share of all files' `branches` or `lines`."""
    count = {"branches": "num_branches", "lines": "num_statements"}[kind]
    total = sum(file["summary"][count] for file in files.values())
    return sum(file["summary"][f"covered_{kind}"] for file in files.values()) / total if total else 1.0


def missing(file: dict[str, Any]) -> int:
    """Return how many branches and lines of a file no test runs through."""
    return int(file["summary"]["missing_branches"] + file["summary"]["missing_lines"])


def main(report: Path) -> int:
    """Print the shares and the least covered files; return 1 where a goal is missed."""
    files: Files = json.loads(report.read_text())["files"]
    status = 0
    for folder, goal in GOALS.items():
        chosen = {name: file for name, file in files.items() if name.startswith(f"{folder}/")}
        branches, lines = share(chosen, "branches"), share(chosen, "lines")
        sys.stdout.write(f"{folder}: {branches:.1%} of branches (goal: {goal:.0%}), {lines:.1%} of lines\n")
        status |= branches < goal
    sys.stdout.write("\nleast covered, by missing branches and lines:\n")
    for name, file in sorted(files.items(), key=lambda item: -missing(item[1]))[:_LEAST_COVERED]:
        sys.stdout.write(f"{missing(file):4} {share({name: file}, 'branches'):6.1%} of branches  {name}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
