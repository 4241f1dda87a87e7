"""Errors of dogid's that ended a run on Ray, as Ray hands them on."""

import traceback

import pytest

from dogid.errors import DogidError, UsageError

exceptions = pytest.importorskip("ray.exceptions", reason="ray is not installed")

_MESSAGE = "out: cannot be opened: no package\nWay out: install it"
# as Ray 2.60 appends it
_APPENDED = (
    "\nFailed to apply UDF transform after 1/1 attempts (total backoff 0.0s).\nTo change retry attempts, backoff, or"
    " which errors are retried, configure `ray.data.DataContext.get_current()`."
)


def _raise_on_ray(error: Exception, cause: Exception) -> Exception:
    """Return what Ray raises in the driver for an error on a node, with the cause that it keeps."""
    try:
        raise cause from error
    except Exception as raised:
        text = "".join(traceback.format_exception(raised))
    task = exceptions.RayTaskError("write", text, cause, proctitle="ray::Write", pid=1, ip="127.0.0.1")
    found: Exception = task.as_instanceof_cause()
    return found


@pytest.mark.parametrize("kind", [DogidError, UsageError])
def test_own_errors_keep_their_kind_and_all_lines(kind: type[DogidError]) -> None:
    from dogid.archive.ray_engine import find_own_error

    in_an_actor = _raise_on_ray(kind(_MESSAGE), exceptions.UserCodeException(f"UDF failed.{_APPENDED}"))
    in_a_write = _raise_on_ray(OSError("first"), kind(_MESSAGE + _APPENDED))
    for error in (in_an_actor, in_a_write, kind(_MESSAGE)):
        own = find_own_error(error)
        assert (type(own), str(own)) == (kind, _MESSAGE)
    assert find_own_error(_raise_on_ray(OSError("first"), OSError("full"))) is None
