"""A pool of workers, and a photo that hangs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.model.classifier import Model, load_model
from dogid.model.shipped import shipped_model
from tests.support.engines import Hanging, Pool, engine


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(shipped_model())


@pytest.fixture
def pool(model: Model, inbox: Path) -> Iterator[Pool]:
    made = Pool(engine(model, inbox), 2)
    yield made
    made.workers.stop(0)


@pytest.fixture
def impatient_pool(model: Model, inbox: Path) -> Iterator[Pool]:
    """One worker, whose photos are late as soon as they are read."""
    made = Pool(engine(model, inbox, decode_timeout=0.0), 1)
    yield made
    made.workers.stop(0)


@pytest.fixture
def hanging(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    made = Hanging(inbox, monkeypatch)
    yield made
    made.release()
