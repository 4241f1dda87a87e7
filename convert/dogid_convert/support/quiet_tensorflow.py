"""Keeping TensorFlow's own messages away from the user.

Most of it is written by C++ code straight to file descriptor 2, before and beside Python's logging.
"""

import contextlib
import importlib.util
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def suppress_stderr() -> Iterator[None]:
    """Discard what Python or C++ writes to stderr meanwhile. Errors still travel as exceptions.

    Not for code that prints to the user: progress bars have to be drawn outside of it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed already
        yield
        return
    with tempfile.TemporaryFile() as sink, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def set_environment() -> None:
    """Set what TensorFlow and numpy read when they are imported: to be called before the first of them is."""
    # the kernels of oneDNN differ in rounding from run to run of different machines, and announce themselves
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    # on the small matrices of a last layer a second thread of numpy's costs up to ten times the work in waiting, and
    # another number of threads rounds otherwise
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def require_tensorflow() -> None:
    """Raise ModuleNotFoundError where it is not installed, without importing it, which takes seconds."""
    if importlib.util.find_spec("tensorflow") is None:
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")


@contextlib.contextmanager
def _without_keras() -> Iterator[None]:
    """Have TensorFlow load Keras when it is used, as `tf.keras`, and not when TensorFlow itself is imported.

    TensorFlow imports it at its end, and does without it where it is not installed. With what Keras draws in (plots,
    scikit-learn) it takes as long as the rest, and only fine-tuning and Keras' own files need it.
    """
    if "keras" in sys.modules:
        yield
        return
    sys.modules["keras"] = None  # type: ignore[assignment]  # not installed, for an import
    try:
        yield
    finally:
        del sys.modules["keras"]


def load_tensorflow() -> None:
    """Import TensorFlow without its messages; later `import tensorflow` statements find it loaded."""
    set_environment()
    with suppress_stderr(), _without_keras():
        import tensorflow as tf
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
    tf.autograph.set_verbosity(0)
