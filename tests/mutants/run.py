"""Mutate the modules that promise most, one small change at a time, and see whether their tests fail.

`python -m tests.mutants.run [SUITE...]` prints how many mutants were killed and each that survived; `make mutants`
installs what it needs. mutmut expects the package below `src/`, so it works on a copy of the clone in that layout.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutants.modules import SUITES, Suite
from tests.support.daemon import ROOT

GOAL = 0.85
"""Of the mutants that change what the program does."""

KILLED = frozenset({"killed", "timeout", "segfault"})
SURVIVED = frozenset({"survived", "no tests", "suspicious"})

_STRING = re.compile(r'("(?:[^"\\]|\\.)*")')
_SQL_LITERAL = re.compile(r"'[^']*'")
# SQL is written with its keywords in capitals; a part of a statement may have none
_SQL = re.compile(r"\b(?:SELECT|UPDATE|DELETE|INSERT|VALUES|WHERE|FROM|SET|AND|LIMIT|ORDER BY|NULL)\b|= \?")
_ROW = re.compile(r"(?:\b(?:row|other|former|replaced)|\.pending\[[^\]]*\])\[$")


@dataclass(slots=True)
class Score:
    """How the tests did on one suite's mutants."""

    killed: int = 0
    timeouts: int = 0
    """Of the killed: those whose tests did not end."""
    equivalent: int = 0
    """Mutants that change nothing: only the case of SQL's words or of a column's name."""
    survivors: list[str] = field(default_factory=list)
    """Name and change of each that no test noticed."""

    @property
    def share(self) -> float:
        """Of all mutants that change something, how many were killed."""
        return self.killed / max(1, self.killed + len(self.survivors))


def run(suite: Suite) -> Score:
    """Mutate a suite's modules; return how its tests did.

    Raise RuntimeError where that cannot be known: a file is missing, tests fail without a mutant, or none was made.
    """
    if missing := missing_files(suite):
        raise RuntimeError(f"tests/mutants/modules.py names files that are not there: {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="dogid-mutants-") as place:
        work = Path(place)
        _copy_clone(work)
        (work / "setup.cfg").write_text(_configuration(suite))
        _mutmut(work, "run")
        statuses = read_results(_mutmut(work, "results", "--all", "true"))
        for module in suite.modules:
            if not any(name.startswith(_dotted(module) + ".") for name in statuses):
                raise RuntimeError(f"mutmut made no mutants of {module}")
        return count(statuses, lambda name: _mutmut(work, "show", name))


def missing_files(suite: Suite) -> list[str]:
    """Return which of a suite's modules and tests are not in the clone."""
    names = [*suite.modules, *(test.partition("::")[0] for test in (*suite.tests, *suite.left_out))]
    return [name for name in names if not (ROOT / name).exists()]


def read_results(printed: str) -> dict[str, str]:
    """Given what `mutmut results` prints, return the status of each mutant by its name."""
    pairs = (line.strip().rpartition(": ") for line in printed.splitlines())
    return {name: status for name, colon, status in pairs if colon}


def count(statuses: Mapping[str, str], show: Callable[[str], str]) -> Score:
    """Sum up mutants, given their statuses by name; show returns the difference that a mutant makes.

    Raise RuntimeError where one has no verdict.
    """
    score = Score()
    for name, status in statuses.items():
        if status in KILLED:
            score.killed += 1
            score.timeouts += status == "timeout"
        elif status not in SURVIVED:
            raise RuntimeError(f"no verdict on {name}: {status}")
        elif is_equivalent(difference := show(name)):
            score.equivalent += 1
        else:
            score.survivors.append("\n".join([f"{status}: {name}", *_changed_lines(difference)]))
    return score


def is_equivalent(difference: str) -> bool:
    """Whether a mutant only changes the case of letters where SQLite minds no case: in SQL, and in names of columns."""
    lines = _changed_lines(difference)
    before = _STRING.split("".join(line[1:] for line in lines if line[0] == "-"))
    after = _STRING.split("".join(line[1:] for line in lines if line[0] == "+"))
    if len(before) != len(after) or before[::2] != after[::2]:
        return False
    changed = [at for at in range(1, len(before), 2) if before[at] != after[at]]
    return all(
        before[at].lower() == after[at].lower()
        and _SQL_LITERAL.findall(before[at]) == _SQL_LITERAL.findall(after[at])
        and bool(_SQL.search(before[at]) or _ROW.search(before[at - 1]))
        for at in changed
    )


def _changed_lines(difference: str) -> list[str]:
    return re.findall(r"^(?:-(?!--)|\+(?!\+\+)).*", difference, re.MULTILINE)


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
        "pytest_add_cli_args": [
            "-q",
            "-pno:xdist",
            "-pno:cacheprovider",
            *(f"--deselect={name}" for name in suite.left_out),
        ],
        "pytest_add_cli_args_test_selection": list(suite.tests),
        "process_isolation": ["forkserver" if suite.own_process else "fork"],
        "forkserver_warmup": ["collect"],
        # what tests may take: with less, a busy machine makes survivors look killed; with more, endless loops cost time
        "timeout_multiplier": ["3"],
        "timeout_constant": ["20"],
    }
    return "[mutmut]\n" + "".join(
        f"{name} =\n" + "".join(f"    {value}\n" for value in values) if len(values) > 1 else f"{name} = {values[0]}\n"
        for name, values in lines.items()
    )


def _dotted(module: str) -> str:
    return _place(module).removeprefix("src/").removesuffix(".py").replace("/", ".")


def _mutmut(work: Path, *words: str) -> str:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "mutmut", *words]
    done = subprocess.run(command, cwd=work, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        printed = f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}".strip()
        raise RuntimeError(f"mutmut {words[0]} ended with {done.returncode}:\n{printed}")
    return done.stdout


def main() -> int:
    """Run the suites that the command line names, or all; exit 1 where one misses the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)} (default: all)")
    chosen = parser.parse_args().suites or list(SUITES)
    missed = []
    for name in chosen:
        start = time.monotonic()
        score = run(SUITES[name])
        minutes = (time.monotonic() - start) / 60
        text = f"{name}: {score.killed} killed ({score.timeouts} by timeout), {len(score.survivors)} survived"
        text += f", {score.equivalent} change nothing: {100 * score.share:.1f} % killed in {minutes:.1f} min"
        print(text, *score.survivors, sep="\n", flush=True)  # noqa: T201
        if score.share < GOAL:
            missed.append(name)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
