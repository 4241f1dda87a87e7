import importlib.util

import numpy as np
import pytest

from dogid.errors import UsageError
from dogid.model.interpreter import BACKENDS, choose_backend
from tests.model.small_models import SIZE

ALWAYS = "ai_edge_litert.interpreter"
"""What dogid depends on: never skipped."""


@pytest.mark.parametrize("module", BACKENDS)
def test_every_backend_that_is_installed_runs_the_model(module: str, int8_model: bytes) -> None:
    if module != ALWAYS and importlib.util.find_spec(module.partition(".")[0]) is None:
        pytest.skip(f"{module} is not installed")

    interpreter = choose_backend(int8_model, module).interpreter(int8_model)

    assert list(interpreter.get_input_details()[0]["shape"]) == [1, SIZE, SIZE, 3]
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.zeros((1, SIZE, SIZE, 3), np.int8))
    interpreter.invoke()


def test_missing_backend_is_named_with_hint(int8_model: bytes) -> None:
    with pytest.raises(UsageError, match=r"no_such_backend: not installed.*pip install ai-edge-litert"):
        choose_backend(int8_model, "no_such_backend")


def test_unreadable_model_is_not_blamed_on_backends() -> None:
    with pytest.raises(UsageError, match="the model cannot be loaded"):
        choose_backend(b"\0\0\0\0TFL3" + b"\xff" * 100)
