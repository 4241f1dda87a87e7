"""One way to train, with or without fine-tuning, any number of times on other photos."""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid_convert.graph import surgery
from dogid_convert.support import interruption
from dogid_convert.training import softmax_head
from dogid_convert.training.backbone import Backbone, Floats, Head, with_head
from dogid_convert.training.bottlenecks import Half
from dogid_convert.training.early_stopping import Epoch, Learning, Watch, score
from dogid_convert.training.fine_tuning import Samples, Schedule, Tail

_VIEWS_FOR_HEAD = 3  # a head has too few weights to learn more from more of them
_LOOKED_AT = 512  # training photos whose loss is told after each epoch


@dataclass(frozen=True, slots=True)
class Watched:
    """Photos that a training is followed with. They are not trained on."""

    values: Half
    """[photos, ...] at the cut, as they are."""
    truth: NDArray[np.integer]
    patience: int = 0
    """Above 0, the training stops by them; else they are only looked at."""


class Trainer:
    """Trains from the base on, and answers."""

    def __init__(
        self,
        backbone: Backbone,
        cut: str,
        *,
        prior: Floats,
        fine: bool,
        seed: int,
        schedule: Schedule,
    ) -> None:
        """Given the factors [labels] by which labels are likelier in use than in training; fine is fine-tuning."""
        self._backbone, self._labels, self._seed, self._fine = backbone, len(prior), seed, fine
        self._tail = Tail(backbone, cut, self._labels, schedule)
        # Bayes: another prior adds its logarithm to the logits, and the network need not be trained again
        self._prior = np.log(prior).astype(np.float32)
        self._constants: dict[str, Floats] = {}
        self._head = Head(np.zeros((backbone.width, self._labels), np.float32), np.zeros(self._labels, np.float32))

    def train(self, samples: Samples, *, watched: Watched | None = None, until: int | None = None) -> Learning | None:
        """Forget what was, and train; return how it went where photos to watch it with are given.

        until ends the training after that epoch, as it were stopped there.
        """
        interruption.check()
        views = min(samples.values.shape[1], _VIEWS_FOR_HEAD if self._fine else samples.values.shape[1])
        self._tail.forget()
        embeddings = np.concatenate([self._tail.embeddings(samples.values[:, i]) for i in range(views)])
        truth, importance = np.tile(samples.truth, views), np.tile(samples.importance, views)
        if not self._fine and watched is not None:
            return self._head_watched(embeddings, truth, importance, len(samples.truth), watched)
        steps = softmax_head.MOST_STEPS if until is None or self._fine else max(1, until)
        self._head = softmax_head.fit(embeddings, truth, importance, self._labels, steps)
        return self._fine_tuned(samples, watched, until) if self._fine else None

    def logits(self, values: Half) -> Floats:
        """Return logits [photos, labels] for values [photos, ...] at the cut."""
        return self._plain_logits(values) + self._prior

    def graph(self, temperature: float) -> tf.compat.v1.GraphDef:
        """Return the whole network, its logits divided by temperature."""
        changed = surgery.with_constants(self._backbone.graph, dict(self._constants))
        head = Head(self._head.weights, self._head.biases + self._prior)
        return with_head(replace(self._backbone, graph=changed), head.cooled(temperature))

    def _plain_logits(self, values: Half) -> Floats:
        if self._fine:
            return self._tail.logits(values)
        return self._tail.embeddings(values) @ self._head.weights + self._head.biases

    def _head_watched(
        self, embeddings: Floats, truth: NDArray[np.integer], importance: Floats, photos: int, watched: Watched
    ) -> Learning:
        shown = self._tail.embeddings(watched.values)
        looked = _spread(photos)  # the first views are the photos as they are
        watch = Watch(watched.patience)
        for step, head in softmax_head.on_the_way(embeddings, truth, importance, self._labels):
            trained = score(embeddings[looked] @ head.weights + head.biases, truth[looked])
            assert trained is not None
            found = score(shown @ head.weights + head.biases, watched.truth)
            if watch.saw(Epoch(step, trained, found)) or not watched.patience:
                self._head = head
            if watch.is_over:
                break
        return watch.learning(steps=True)

    def _fine_tuned(self, samples: Samples, watched: Watched | None, until: int | None) -> Learning | None:
        if watched is None:
            if until == 0:
                self._tail.begin(self._head)
            else:
                self._tail.train(samples, self._head, self._seed, lambda epoch: epoch == until)
            self._constants, self._head = self._tail.result()
            return None
        watch = Watch(watched.patience, self._tail.warm_up(len(samples.truth)))
        looked = _spread(len(samples.truth))
        best = self._constants, self._head

        def after_epoch(number: int) -> bool:
            nonlocal best
            trained = score(self._tail.logits(samples.values[looked, 0]), samples.truth[looked])
            assert trained is not None
            if watch.saw(Epoch(number, trained, score(self._tail.logits(watched.values), watched.truth))):
                best = self._tail.result()
            return watch.is_over

        self._tail.begin(self._head)
        after_epoch(0)
        self._tail.train(samples, self._head, self._seed, after_epoch)
        if watched.patience:
            self._tail.restore(*best)
        self._constants, self._head = self._tail.result()
        return watch.learning(steps=False)


def _spread(photos: int) -> NDArray[np.intp]:
    """Return the places of at most `_LOOKED_AT` photos, evenly spread over all labels."""
    return np.unique(np.linspace(0, photos - 1, min(photos, _LOOKED_AT)).round().astype(np.intp))
