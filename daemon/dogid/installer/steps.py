"""Steps of an installation: each can be described, checked and done."""

import contextlib
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dogid.errors import DogidError
from dogid.system.atomic_files import write_atomically


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do once."""

    description: str
    """Imperative, such as "write /etc/dogid/dogid.toml"."""
    do: Callable[[], None]
    """Raises DogidError where it fails."""
    is_done: Callable[[], bool] = lambda: False


def run_steps(steps: Sequence[Step], report: Callable[[str], None], *, dry_run: bool) -> None:
    """Do the steps in order, except those that are already done; report each. Raise DogidError where one fails."""
    for step in steps:
        if step.is_done():
            report(f"already: {step.description}")
        elif dry_run:
            report(f"would: {step.description}")
        else:
            report(step.description)
            step.do()


def run_program(*arguments: str) -> None:
    """Run a program. Raise DogidError with its exit status and the end of its output where it fails."""
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)  # noqa: S603  # no shell
    except OSError as error:
        raise DogidError(f"{arguments[0]}: cannot be run: {error.strerror}") from error
    if done.returncode:
        output = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise DogidError(f"`{' '.join(arguments)}` failed with {done.returncode}: {output}")


def try_program(*arguments: str) -> None:
    """Run a program, and ignore its failure."""
    with contextlib.suppress(DogidError):
        run_program(*arguments)


def program(*arguments: str) -> Callable[[], None]:
    """Return a function that runs a program, for a Step."""
    return lambda: run_program(*arguments)


def write_step(path: Path, text: str, mode: int = 0o644, *, replace: bool = True) -> Step:
    """Return the step that writes a file with mode; without replace, an existing file is kept."""

    def is_done() -> bool:
        return path.is_file() and (not replace or path.read_text(encoding="utf-8") == text)

    def do() -> None:
        try:
            write_atomically(path, text.encode(), mode)
        except OSError as error:
            raise DogidError(f"{path}: cannot be written: {error.strerror}") from error

    return Step(f"write {path}", do, is_done)
