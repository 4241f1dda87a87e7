"""A classifier's last layer as numbers: from an embedding to a logit for each label."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.model.constants import Constants
from dogid.model.flatbuffer import FlatbufferError, root
from dogid.model.last_layer import NoLastLayerError, find_last_layer

_LARGEST = 256 << 20  # bytes, of the weights of 50,000 classes; a crafted file could name more than there is memory


@dataclass(frozen=True, slots=True)
class Head:
    """A linear layer whose softmax gives probabilities."""

    weights: NDArray[np.float32]
    """[labels, embedding's width]."""
    bias: NDArray[np.float32]
    """[labels]."""

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Given embeddings [photos, width], return logits [photos, labels]."""
        return np.asarray(embeddings @ self.weights.T + self.bias, dtype=np.float32)

    def scores(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Given embeddings [photos, width], return probabilities [photos, labels]."""
        logits = self.logits(embeddings)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def read_head(data: bytes) -> Head:
    """Given a model's bytes, return its last layer in float, whatever it is stored as.

    Of a layer with one sum for two labels, the first has the logit 0. Raise NoLastLayerError with the reason where
    there is none that can be read.
    """
    layer = find_last_layer(data)
    try:
        model = root(data, b"TFL3")
        constants = Constants(model, next(model.tables(2)))
        weights = constants.read(layer.weights, _LARGEST)
        bias = None if layer.bias is None else constants.read(layer.bias, _LARGEST)
    except (FlatbufferError, StopIteration, IndexError, ValueError) as error:
        raise NoLastLayerError(f"the model is damaged: {error or 'a part is missing'}") from error
    if weights is None or (bias is None and layer.bias is not None):
        raise NoLastLayerError("the last layer's weights are not constants of a kind that is read")
    weights = weights.reshape(-1, layer.width) * layer.beta
    bias = np.zeros(len(weights)) if bias is None else bias.reshape(-1) * layer.beta
    if layer.is_single:
        weights, bias = np.stack([np.zeros_like(weights[0]), weights[0]]), np.array([0.0, bias[0]])
    if bias.shape != (len(weights),) or not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise NoLastLayerError("the last layer's weights are damaged")
    return Head(weights.astype(np.float32), bias.astype(np.float32))
