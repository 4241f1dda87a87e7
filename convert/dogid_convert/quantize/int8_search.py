"""The search for the int8 model of a float one that agrees with it and has the fewest layers in float.

It tries TensorFlow's quantizer first, plain and with corrected biases; where neither model agrees, fallbacks that
leave more and more layers in float. Agreement is measured on the calibration photos: the photos of the final comparison
must have no part in the choice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.errors import DogidError
from dogid.evaluation.compare import Agreement, measure_agreement
from dogid.evaluation.intervals import share_interval
from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.quantize import ai_edge
from dogid_convert.quantize.bias_correction import BiasCorrector
from dogid_convert.quantize.tflite_converter import DEFAULT_IO_TYPES, IoTypes, calibrate, quantize
from dogid_convert.support.progress import Track
from dogid_convert.tflite import run

_MARGIN = 0.01
"""Required beyond the gate, since the same photos choose the model. Raising it leaves more layers in float."""

_CONFIDENCE = 0.6
"""Of the two-sided interval whose lower end has to pass the gate: four chances in five that photos like them do, too.

Raising it leaves more layers in float without need; lowering it lets more models fail the gate in the final comparison.
"""
_FLOAT_PARTS = (0.25, 0.5, 0.75, 0.9)
"""Shares of the layers, from the first on, that fallbacks leave in float. More of them make the search longer."""

Make = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to quantize, and how it did on the photos that calibrate."""

    name: str
    model: bytes
    agreement: Agreement

    @property
    def line(self) -> str:
        """The report's line about it."""
        return f"{self.name}: {100 * self.agreement.share:.1f} % agreement on the calibration photos"


@dataclass(frozen=True, slots=True)
class Quantized:
    """The model that was kept."""

    model: bytes
    attempts: tuple[Attempt, ...]
    """All that were made, the kept one last."""
    failures: tuple[str, ...] = ()
    """A line for each fallback that could not be tried."""

    @property
    def attempt_lines(self) -> tuple[str, ...]:
        """A line for each attempt, the kept one last; empty where no fallback had to be tried."""
        if len(self.attempts) <= len(_USUAL):
            return ()
        *others, kept = (attempt.line for attempt in self.attempts)
        return (*others, *self.failures, f"{kept}; kept")


_USUAL = ("int8", "int8, biases corrected")


def find_best_int8(
    float_model: bytes,
    pixels: NDArray[np.uint8],
    normalisation: UniformNormalisation,
    labels: tuple[str, ...],
    min_agreement: float,
    track: Track,
    interface: IoTypes = DEFAULT_IO_TYPES,
) -> Quantized:
    """Calibrate with pixels [photos, height, width, 3]; return the first model that agrees, or else the best of all.

    The attempts come in the order of `_stages`: the fewest float layers first.
    """
    float_scores = run.predict(run.make_classifier(float_model, labels, normalisation), pixels, track, "float model")
    attempts: list[Attempt] = []
    failures: list[str] = []
    best: Attempt | None = None
    for stage in _stages(float_model, pixels, normalisation, interface):
        made: list[Attempt] = []
        for name, make in stage:
            try:
                model = make()
            except DogidError as error:
                if name in _USUAL:
                    raise
                failures.append(f"{name}: not possible: {error}")
                continue
            given = run.predict(run.make_classifier(model, labels, normalisation), pixels, track, "int8 model")
            made.append(Attempt(name, model, measure_agreement(float_scores, given)))
        made.sort(key=_quality)
        attempts += made
        if made and _is_enough(made[-1].agreement, min_agreement):
            best = made[-1]
            break
    best = best or max(attempts, key=_quality)
    return Quantized(best.model, (*(a for a in attempts if a is not best), best), tuple(failures))


def _stages(
    float_model: bytes, pixels: NDArray[np.uint8], normalisation: UniformNormalisation, interface: IoTypes
) -> Iterator[list[tuple[str, Make]]]:
    """Yield stages, each a list of (name, attempt), from the fastest models to the slowest.

    Of the attempts of one stage, which cost about the same speed, the one that agrees best is taken.
    """
    calibrated = calibrate(float_model, pixels, normalisation)
    corrector = BiasCorrector(float_model, pixels, normalisation)

    def by_tensorflow(float_layers: Sequence[str], *, correct: bool = True, head: bool = True) -> Make:
        def make() -> bytes:
            model = quantize(calibrated, normalisation, float_layers, interface, float_head=head)
            return corrector.correct(model) if correct else model

        return make

    head = not interface.whole
    yield [(_USUAL[0], by_tensorflow((), correct=False, head=head)), (_USUAL[1], by_tensorflow((), head=head))]
    other: ai_edge.AiEdgeQuantizer | None = None

    def by_ai_edge(float_layers: Sequence[str]) -> Make:
        def make() -> bytes:
            nonlocal other
            if not ai_edge.is_installed():
                raise DogidError("it is not installed (pip install ai-edge-quantizer)")
            other = other or ai_edge.AiEdgeQuantizer(float_model, pixels, normalisation)
            return other.quantize((*calibrated.head, *float_layers), interface)

        return make

    last_in_float = "the last layer left in float"
    yield [
        *([(f"int8, {last_in_float}", by_tensorflow(()))] if interface.whole else []),
        (f"{ai_edge.NAME}, {last_in_float}", by_ai_edge(())),
    ]
    layers = calibrated.layers
    for part in _FLOAT_PARTS:
        # the first layers, since their errors grow through all that follow
        count = max(1, round(part * len(layers)))
        name = f"the first {count} of {len(layers)} layers left in float"
        # and the last, where small differences decide among a thousand labels
        chosen = [*layers[:count], layers[-1]]
        tries = [(name, by_tensorflow(chosen))]
        if other is not None:  # else the stage before has reported that it is not installed
            tries.append((f"{ai_edge.NAME}, {name}", by_ai_edge(chosen)))
        yield tries


def _is_enough(agreement: Agreement, min_agreement: float) -> bool:
    low, _ = share_interval(agreement.same, agreement.photos, _CONFIDENCE)
    return agreement.share >= min(1.0, min_agreement + _MARGIN) and (low >= min_agreement or agreement.share == 1)


def _quality(attempt: Attempt) -> tuple[float, float]:
    return attempt.agreement.share, -attempt.agreement.mean_difference
