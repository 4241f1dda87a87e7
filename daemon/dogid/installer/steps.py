"""A step of an installation: what it is, whether it is done already, and doing it."""

import contextlib
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dogid.errors import DogidError


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do once."""

    what: str
    do: Callable[[], None]
    is_done: Callable[[], bool] = lambda: False


def carry_out(steps: Sequence[Step], say: Callable[[str], None], *, dry_run: bool) -> None:
    """Do the steps in order, those that are done already left out. Raise DogidError where one fails."""
    for step in steps:
        if step.is_done():
            say(f"already: {step.what}")
        elif dry_run:
            say(f"would: {step.what}")
        else:
            say(step.what)
            step.do()


def command(*arguments: str) -> None:
    """Run a program. Raise DogidError with the end of what it said."""
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)  # noqa: S603  # no shell
    except OSError as error:
        raise DogidError(f"{arguments[0]}: cannot be run: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise DogidError(f"`{' '.join(arguments)}` failed with {done.returncode}: {said}")


def attempt(*arguments: str) -> None:
    """Run a program whose failure does not matter."""
    with contextlib.suppress(DogidError):
        command(*arguments)


def running(*arguments: str) -> Callable[[], None]:
    """Return what runs a program when it is called."""
    return lambda: command(*arguments)


def file_step(path: Path, text: str, mode: int = 0o644, *, replace: bool = True) -> Step:
    """The step that writes a file; without replace one that is there is left alone."""

    def is_done() -> bool:
        return path.is_file() and (not replace or path.read_text(encoding="utf-8") == text)

    def do() -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(path.name + ".new")
            new.write_text(text, encoding="utf-8")
            new.chmod(mode)
            new.replace(path)
        except OSError as error:
            raise DogidError(f"{path}: cannot be written: {error.strerror}") from error

    return Step(f"write {path}", do, is_done)
