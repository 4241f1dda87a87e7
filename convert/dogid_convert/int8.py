"""The best int8 model that can be made of a float one: plain first, then with remedies where it answers differently.

Remedies are chosen by the photos that calibrate; the photos that judge in the end have no part in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid_convert import running
from dogid_convert.bias_correction import channel_means, corrected
from dogid_convert.comparison import Agreement, agree
from dogid_convert.normalisation import Normalisation
from dogid_convert.progress import Track
from dogid_convert.quantization import calibrate, layer_outputs, quantize

_MARGIN = 0.01  # asked of the calibration photos beyond the gate, since the choice was made by them
_FLOAT_PARTS = (0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to quantize, and how it did on the photos that calibrate."""

    name: str
    model: bytes
    agreement: Agreement

    @property
    def line(self) -> str:
        """What a report says of it."""
        return f"{self.name}: {100 * self.agreement.share:.1f} % agreement on the calibration photos"


@dataclass(frozen=True, slots=True)
class Quantized:
    """The model that was kept."""

    model: bytes
    attempts: tuple[Attempt, ...]
    """All that were made, the kept one last."""

    @property
    def remedies(self) -> tuple[str, ...]:
        """What was tried beyond the usual way; nothing where that was good enough."""
        return tuple(attempt.line for attempt in self.attempts) if len(self.attempts) > 2 else ()


def best_int8(
    float_model: bytes,
    pixels: NDArray[np.uint8],
    normalisation: Normalisation,
    labels: tuple[str, ...],
    min_agreement: float,
    track: Track,
) -> Quantized:
    """Calibrate with pixels [photos, height, width, 3]; return the int8 model with the fewest float layers that agrees.

    Where none agrees, return the one that agrees best.
    """
    reference = running.answers(running.classifier(float_model, labels, normalisation), pixels, track, "float model")
    calibrated = calibrate(float_model, pixels, normalisation)
    means = channel_means(float_model, pixels, normalisation)

    def attempt(name: str, float_layers: Sequence[str], *, correct: bool = True) -> Attempt:
        model = quantize(calibrated, normalisation, float_layers)
        model = corrected(model, float_model, means) if correct else model
        given = running.answers(running.classifier(model, labels, normalisation), pixels, track, "int8 model")
        return Attempt(name, model, agree(reference, given))

    attempts = [attempt("int8", (), correct=False), attempt("int8, biases corrected", ())]
    attempts.sort(key=_quality)
    needed = min(1.0, min_agreement + _MARGIN)
    layers = layer_outputs(calibrated)
    for part in _FLOAT_PARTS:
        if attempts[-1].agreement.share >= needed:
            break
        # errors of early layers grow through all that follow
        count = max(1, round(part * len(layers)))
        attempts.append(attempt(f"the first {count} of {len(layers)} layers left in float", layers[:count]))
    best = next((a for a in attempts if a.agreement.share >= needed), max(attempts, key=_quality))
    return Quantized(best.model, (*(a for a in attempts if a is not best), best))


def _quality(attempt: Attempt) -> tuple[float, float]:
    return attempt.agreement.share, -attempt.agreement.mean_difference
