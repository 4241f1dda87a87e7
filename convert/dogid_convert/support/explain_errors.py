"""Messages for a user where TensorFlow, the disk or the memory fails, instead of a traceback."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dogid.errors import DogidError
from dogid.system.extras import make_install_command

_LONGEST = 300  # characters of TensorFlow's own message; some of its messages hold a whole graph


@contextlib.contextmanager
def user_errors(subject: str | Path, action: str) -> Iterator[None]:
    """Turn any error into a DogidError that names subject; action completes "TensorFlow cannot ...".

    Missing packages are reported by `dogid.cli`, for all commands alike.
    """
    try:
        yield
    except (DogidError, ModuleNotFoundError):
        raise
    except MemoryError as error:
        raise DogidError(f"{subject}: not enough memory; close other programs or use a larger machine") from error
    except OSError as error:
        raise DogidError(f"{error.filename or subject}: {error.strerror or _first_line(error)}") from error
    except Exception as error:  # TensorFlow has no common base of its errors, and a user no use for its traceback
        raise DogidError(f"{subject}: {_explain(error, action)}") from error


def load_packages() -> None:
    """Import TensorFlow quietly. Raise DogidError where it is there and broken."""
    from dogid_convert.support.quiet_tensorflow import load_tensorflow

    try:
        load_tensorflow()
    except ModuleNotFoundError:
        raise
    except ImportError as error:
        raise DogidError(
            f"TensorFlow is installed but cannot be imported ({_first_line(error)}); try: "
            f"{make_install_command('convert', repairs=True)}"
        ) from error


def _explain(error: Exception, action: str) -> str:
    line = _first_line(error)
    if "AssignVariableOp" in line and "expected resource" in line:
        return (
            "the model was exported as it is trained: it changes its own variables at each image (BatchNormalization "
            "or augmentation layers in training mode); give its .keras or .h5 file, which converts without them"
        )
    return f"TensorFlow cannot {action}: {line}"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:_LONGEST]
