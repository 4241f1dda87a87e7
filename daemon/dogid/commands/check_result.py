"""What a check of `dogid check` returns, and how one that fails is reported."""

from collections.abc import Callable
from dataclasses import dataclass

from dogid.errors import DogidError
from dogid.file_names import one_line
from dogid.outputs.output import OutputError
from dogid.settings import Settings


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check."""

    name: str
    ok: bool
    detail: str
    """What was found; or what is wrong, and the way out."""
    warnings: tuple[str, ...] = ()
    """What works and may nevertheless be wrong."""

    @property
    def text(self) -> str:
        """What was found, and the warnings."""
        return "; warning: ".join([self.detail, *self.warnings])

    @property
    def verdict(self) -> str:
        """In one word, for people."""
        return "WRONG" if not self.ok else "warning" if self.warnings else "ok"


Check = Callable[[Settings], str | tuple[str, ...]]
"""Returns what was found, and warnings behind it. Raise DogidError, OSError or CheckFailedError where it is wrong."""


class CheckFailedError(Exception):
    """A check failed; the text is the reason and the way out."""


def run_check(name: str, check: Check, chosen: Settings) -> CheckResult:
    """Return what a check has found, or why it failed. name: of the check, for people."""
    try:
        found = check(chosen)
        detail, *warnings = (found,) if isinstance(found, str) else found
        return CheckResult(name, ok=True, detail=detail, warnings=tuple(warnings))
    except (CheckFailedError, DogidError) as error:
        return CheckResult(name, ok=False, detail=str(error))
    except OutputError as error:
        return CheckResult(name, ok=False, detail=one_line(str(error)))
    except OSError as error:
        return CheckResult(name, ok=False, detail=f"{error.filename or name}: {error.strerror or error}")
