"""The embedding comes out of a model beside its scores, which stay the same."""

from pathlib import Path

import numpy as np
import pytest

from dogid.model.classifier import load_model
from dogid.model.shipped import shipped_model
from dogid.photo.pixels import Pixels
from tests.support.collection import MODELS, needs

OTHERS = sorted(MODELS.glob("*.tflite"))


def noise(size: tuple[int, int], count: int = 5) -> list[Pixels]:
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) for _ in range(count)]


@needs(MODELS)
@pytest.mark.parametrize("path", [shipped_model(), *OTHERS], ids=lambda path: path.stem)
def test_scores_are_identical_beside_the_embedding(path: Path) -> None:
    plain, both = load_model(path), load_model(path, embeddings=True)
    one, other = plain.classifier(), both.classifier()

    assert both.file.network is not None
    embeddings = set()
    for pixels in noise(plain.size):
        assert one.classify(pixels).tobytes() == other.classify(pixels).tobytes()
        embeddings.add(other.read_embedding())
    assert one.read_embedding() is None
    assert len(embeddings) == 5
