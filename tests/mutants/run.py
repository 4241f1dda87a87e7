"""Mutate the modules that promise most, one small change at a time, and see whether their tests fail.

`python -m tests.mutants.run [SUITE...]` prints how many mutants were killed and each that survived; `make mutants`
installs what it needs. mutmut expects the package below `src/`, so it works on a copy of the clone laid out that way.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutants.modules import SUITES, Suite
from tests.support.daemon import ROOT

GOAL = 0.85
"""Of the mutants that change what the program does."""

_SQL = re.compile(r"\b(SELECT|UPDATE|DELETE|INSERT|WHERE|FROM|SET|AND|LIMIT|ORDER BY)\b|= \?|\brow\[\"", re.IGNORECASE)


@dataclass(slots=True)
class Score:
    """How the tests did on one suite's mutants."""

    killed: int = 0
    equivalent: int = 0
    """Mutants that change nothing: only the case of SQL's words or of a column's name."""
    survivors: list[str] = field(default_factory=list)
    """Name and difference of each that no test noticed."""

    @property
    def share(self) -> float:
        """Of all mutants that change something, how many were killed."""
        return self.killed / max(1, self.killed + len(self.survivors))


def run(suite: Suite) -> Score:
    """Mutate a suite's modules; return how its tests did."""
    with tempfile.TemporaryDirectory(prefix="dogid-mutants-") as place:
        work = Path(place)
        _copy_clone(work)
        (work / "setup.cfg").write_text(_configuration(suite))
        _mutmut(work, "run", check=False)
        score = Score()
        for name, status in _results(work):
            if status in ("killed", "timeout", "segfault", "caught by type check"):
                score.killed += 1
                continue
            difference = _mutmut(work, "show", name)
            if _is_equivalent(difference):
                score.equivalent += 1
            else:
                score.survivors.append(f"{status}: {name}\n{difference}")
        return score


def _copy_clone(work: Path) -> None:
    """Copy what git tracks, with both packages below src/."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in tracked.decode().split("\0"):
        if name and (ROOT / name).exists():
            target = work / _place(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)


def _place(name: str) -> str:
    return re.sub(r"^(?:daemon|convert)/(dogid(?:_convert)?/)", r"src/\1", name)


def _configuration(suite: Suite) -> str:
    lines = {
        "source_paths": ["src"],
        "only_mutate": [_place(module) for module in suite.modules],
        "also_copy": ["models", "daemon", "convert", "systemd", "README.md", "pyproject.toml"],
        "pytest_add_cli_args": ["-q", "-p", "no:xdist", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": list(suite.tests),
        "process_isolation": ["forkserver" if suite.own_process else "fork"],
        "forkserver_warmup": ["none"],
    }
    return "[mutmut]\n" + "".join(
        f"{name} =\n" + "".join(f"    {value}\n" for value in values) if len(values) > 1 else f"{name} = {values[0]}\n"
        for name, values in lines.items()
    )


def _mutmut(work: Path, *words: str, check: bool = True) -> str:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "mutmut", *words]
    done = subprocess.run(command, cwd=work, env=environ, capture_output=True, text=True, check=False)
    if done.returncode and check:
        raise RuntimeError(
            f"mutmut {words[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.stdout


def _results(work: Path) -> Iterator[tuple[str, str]]:
    for line in _mutmut(work, "results", "--all", "true").splitlines():
        name, colon, status = line.strip().rpartition(": ")
        if colon:
            yield name, status


def _is_equivalent(difference: str) -> bool:
    """Whether a mutant only changes the case of letters where SQLite minds no case."""
    before = "".join(re.findall(r"^-(?!--)(.*)", difference, re.MULTILINE))
    after = "".join(re.findall(r"^\+(?!\+\+)(.*)", difference, re.MULTILINE))
    return before.lower() == after.lower() and _SQL.search(before) is not None


def main() -> int:
    """Run the suites that the command line names, or all; exit 1 where one misses the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)} (default: all)")
    chosen = parser.parse_args().suites or list(SUITES)
    missed = []
    for name in chosen:
        score = run(SUITES[name])
        text = f"{name}: {score.killed} killed, {len(score.survivors)} survived, {score.equivalent} change nothing"
        print(f"{text}: {100 * score.share:.1f} % killed", flush=True)  # noqa: T201
        for survivor in score.survivors:
            print(survivor, flush=True)  # noqa: T201
        if score.share < GOAL:
            missed.append(name)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
