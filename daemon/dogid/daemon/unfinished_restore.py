"""The restore of a backup that was interrupted, at the next start."""

from pathlib import Path

from dogid.daemon.folders import left_over
from dogid.errors import DogidError


def finish_restore(state: Path) -> None:
    """Complete the restore of a backup that was interrupted. Raise DogidError where that is impossible."""
    if not left_over(state):
        return
    from dogid.daemon.state_swap import finish_swap  # hardly any start needs it

    try:
        finish_swap(state)
    except OSError as error:
        raise DogidError(
            f"{state}: the restore of a backup that was interrupted cannot be completed: {error.strerror or error}"
        ) from error
