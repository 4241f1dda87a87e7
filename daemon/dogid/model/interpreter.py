"""Which TensorFlow Lite interpreter this machine has.

The choice is made by making an interpreter of the very model, never by an import that succeeds: tflite-runtime 2.14
imports beside numpy 2 and then fails when an interpreter is made.
"""

import contextlib
import importlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from dogid.errors import UsageError
from dogid.model.shipped import shipped_model

BACKENDS = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "tensorflow")
"""Modules with an `Interpreter` (tensorflow: in `tf.lite`), the fastest first; they share one interface."""

_LONGEST_MESSAGE = 300  # characters of an interpreter's own message


class Interpreter(Protocol):
    """What dogid uses of `tf.lite.Interpreter`."""

    def allocate_tensors(self) -> None: ...  # noqa: D102
    def get_input_details(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def get_output_details(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def set_tensor(self, tensor_index: int, value: Any) -> None: ...  # noqa: D102
    def get_tensor(self, tensor_index: int) -> Any: ...  # noqa: D102
    def invoke(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Backend:
    """An interpreter library that works with a model: it was tried."""

    module: str
    accelerated: bool = True
    """Whether it has its accelerated kernels (XNNPACK); without, it runs as older and other processors do."""

    def interpreter(self, model: bytes) -> Interpreter:
        """Make an interpreter of its own for a worker, with one thread. Raise ValueError or RuntimeError."""
        made: Interpreter = _make(self.module, model, accelerated=self.accelerated)
        return made


def choose_backend(model: bytes, wanted: str | None = None) -> Backend:
    """Return the first backend that makes an interpreter of model. Raise UsageError with each one's reason.

    wanted, or else the variable DOGID_BACKEND, names a single module to use instead.
    """
    from dogid.model.custom_operators import explain_custom_operators  # a model that is accepted does not need it

    reason = explain_custom_operators(model)
    if reason is not None:
        raise UsageError(reason)
    wanted = wanted or os.environ.get("DOGID_BACKEND")
    failures: list[str] = []
    refused_by_model = False
    for module in (wanted,) if wanted else BACKENDS:
        try:
            with _quiet_stderr():
                _make(module, model)
        except ImportError as error:
            failures.append(f"{module}: not installed ({error})")
        except ValueError as error:
            # every interpreter says so of a model that it cannot read
            failures.append(f"{module}: {_first_sentence(error)}")
            refused_by_model = True
            break
        except (RuntimeError, SystemError, AttributeError) as error:
            if _works(module):
                failures.append(f"{module}: {_first_sentence(error)}")
                refused_by_model = True
            else:
                failures.append(f"{module}: does not work here ({_first_sentence(error)})")
        else:
            return Backend(module)
    reasons = "; ".join(failures)
    if refused_by_model:
        raise UsageError(
            f"the model cannot be loaded: {reasons}. It may be damaged, or made for a newer interpreter: "
            "pip install -U ai-edge-litert"
        )
    raise UsageError(f"no TensorFlow Lite interpreter works here: {reasons}. Try: pip install ai-edge-litert")


def _works(module: str) -> bool:
    """Whether an interpreter runs the shipped model, so that its error is the other model's."""
    try:
        with _quiet_stderr():
            _make(module, shipped_model().read_bytes())
    except (ImportError, ValueError, RuntimeError, SystemError, AttributeError, OSError, UsageError):
        return False
    return True


def _first_sentence(error: Exception) -> str:
    """The interpreters' messages repeat themselves for each operator."""
    text = " ".join(str(error).split())
    return re.split(r"(?<=[.!])(?:\s|(?=[A-Z]))|(?<=[a-z)])(?=(?:Node|Failed|Op) )", text)[0][:_LONGEST_MESSAGE].rstrip(
        "."
    )


def _make(module: str, model: bytes, *, accelerated: bool = True) -> Any:
    # tf.lite cannot be imported by name: TensorFlow makes it at the first access
    imported = importlib.import_module(module)
    library = getattr(imported, "lite", imported)
    options = {}
    if not accelerated:
        kinds = getattr(library, "experimental", library).OpResolverType
        options = {"experimental_op_resolver_type": kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES}
    interpreter = library.Interpreter(model_content=model, num_threads=1, **options)
    interpreter.allocate_tensors()
    return interpreter


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Drop what the C++ library prints of itself when its first interpreter is made ("Created ... delegate").

    Only while there are no other threads, whose log lines would be lost with it; the main thread may wait for this one.
    """
    if set(threading.enumerate()) - {threading.current_thread(), threading.main_thread()}:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
