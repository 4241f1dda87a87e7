"""A model's last layer alone, on stored embeddings: the answer without the photo, where it is the model's own."""

import numpy as np

from dogid.errors import PhotoError
from dogid.model.classifier import Model, best_scores
from dogid.model.head import Head, read_head
from dogid.model.last_layer import NoLastLayerError
from dogid.model.network import Network
from dogid.model.output_scores import generate_images
from dogid.photo.decode import decode

_MOST_DEVIATION = 1e-5
"""Of a score from that of the whole model. A last layer in float comes within 1e-6, as sums of other order do; an int8
one is off by up to a step of its output, 4e-3, and photos are decoded then."""


class EmbeddingHead:
    """Scores from stored embeddings of one network."""

    def __init__(self, head: Head, network: Network, labels: tuple[str, ...]) -> None:
        self._head = head
        self._labels = labels
        self.network = network

    def classify(self, embedding: bytes) -> dict[str, float] | None:
        """Return the best probabilities by label, best first; None where the embedding is damaged."""
        try:
            scores = self._head.scores(self.network.read_embeddings([embedding]))[0]
        except ValueError:
            return None
        return best_scores(scores, self._labels) if np.isfinite(scores).all() else None


def make_embedding_head(model: Model) -> EmbeddingHead | None:
    """Return the last layer of a model that gives embeddings; None where it gives none, or other scores by itself."""
    network, classifier = model.file.network, model.classifier()
    if network is None or classifier.network_name is None:
        return None
    try:
        head = read_head(model.file.data)
    except NoLastLayerError:
        return None
    if len(head.bias) != len(model.labels):
        return None
    images = list(generate_images(classifier.size))
    if model.file.golden is not None:
        try:
            images.append(decode(model.file.golden.data, classifier.size).pixels)
        except PhotoError:
            return None
    for image in images:
        whole, embedding = classifier.classify(image), classifier.read_embedding()
        alone = head.scores(network.read_embeddings([embedding or b""]))[0]
        if not float(np.abs(alone - whole).max()) <= _MOST_DEVIATION:  # written so that NaN fails too
            return None
    return EmbeddingHead(head, network, model.labels)
