"""What a model's output means: decided once, when the model is loaded, so that no photo is read differently."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.model.tflite_metadata import OutputKind
from dogid.photo.pixels import Pixels

_SLACK = 0.02
_SATURATED = 0.02
"""Answers nearer to 0 and 1 than this may be equal by rounding, and are no sign of a dead network."""
_DIFFERENCE = 1e-6

Scores = NDArray[np.float32]
Run = Callable[[Pixels], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class ScoreDecoder:
    """Turns the output tensor into a score for each label."""

    scale: float
    """0 where the output is not quantized."""
    zero_point: int
    logits: bool
    """Whether values are logits, whose softmax is the answer."""
    single: bool
    """Whether there is one output for two labels: the probability (or logit) of the second one."""
    levels: Scores | None = field(default=None, compare=False)
    """[256]: the value of each byte of an output of 8 bits; looked up faster than they are computed."""

    @property
    def description(self) -> str:
        """How values are read, for people."""
        if self.single:
            return "one value: the probability of the second label" + (", as a logit" if self.logits else "")
        return "logits: their softmax" if self.logits else "probabilities as they are"

    def __call__(self, raw: NDArray[Any]) -> Scores:
        """Given the output tensor, return probabilities [labels]."""
        flat = raw.reshape(-1)
        values = _dequantized(flat, self.scale, self.zero_point) if self.levels is None else self.levels[flat]
        if self.single:
            first = np.zeros(1, np.float32) if self.logits else 1 - values
            values = np.concatenate([first, values])
        if not self.logits:
            return values
        exponentials = np.exp(values - values.max())
        return np.asarray(exponentials / exponentials.sum(), dtype=np.float32)


def read_score_decoder(details: dict[str, Any], kind: OutputKind, size: tuple[int, int], run: Run) -> ScoreDecoder:
    """Given the interpreter's details of the output and what it comes out of, decide how to read it.

    Where that is not known, a quantized output is judged by the range that it can express (a sum would not do:
    rounding a thousand small probabilities to 1/256 leaves it far from 1), a float one by its answers to a few
    generated images: run takes pixels [height, width, 3] and returns the output tensor.
    """
    scale, zero_point = details["quantization"]
    quantized = details["dtype"] != np.float32 and scale > 0
    single = int(np.prod(details["shape"])) == 1
    if kind is OutputKind.UNKNOWN and quantized:
        limits = np.iinfo(details["dtype"])
        low, high = (limits.min - zero_point) * scale, (limits.max - zero_point) * scale
        logits = not (low > -_SLACK and high < 1 + _SLACK)
    elif kind is OutputKind.UNKNOWN:
        logits = not all(
            _are_probabilities(run(image).reshape(-1), single=single) for image in generate_images(size)[:4]
        )
    else:
        logits = kind is OutputKind.LOGITS
    if not quantized:
        return ScoreDecoder(0.0, zero_point, logits, single)
    dtype = np.dtype(details["dtype"])
    if dtype.itemsize > 1:
        return ScoreDecoder(scale, zero_point, logits, single)
    # in the order of bytes: an int8 below 0 counts from the end, as an index does
    levels = _dequantized(np.arange(256, dtype=np.uint8).view(dtype), scale, zero_point)
    return ScoreDecoder(scale, zero_point, logits, single, levels)


def _are_probabilities(values: NDArray[Any], *, single: bool) -> bool:
    within = bool(values.min() >= 0 and values.max() <= 1 + _SLACK)
    return within and (single or abs(float(values.sum()) - 1) < _SLACK)


def check_is_scores(details: dict[str, Any]) -> None:
    """Raise ValueError where the output's numbers are no scores: whole ones without a scale are class numbers."""
    dtype = np.dtype(details["dtype"])
    if dtype.kind in "iub" and details["quantization"][0] <= 0:
        raise ValueError(
            f"its output is a class number ({dtype.name}), without scores; export it without the argmax at its end"
        )


def are_all_equal(answers: Sequence[Scores]) -> bool:
    """Whether answers to different images are one, though they are not saturated: 0 and 1 hide differences."""
    best = float(answers[0].max())
    if not _SATURATED < best < 1 - _SATURATED:
        return False
    return all(float(np.abs(answer - answers[0]).max()) < _DIFFERENCE for answer in answers[1:])


def generate_images(size: tuple[int, int]) -> list[Pixels]:
    """Return images [height, width, 3], the same each time: black, grey, white, noise, two gradients and stripes."""
    width, height = size
    shape = (height, width, 3)
    random = np.random.default_rng(0)
    images = [np.full(shape, level, np.uint8) for level in (0, 128, 255)]
    images.append(random.integers(0, 256, shape, dtype=np.uint8))
    across = np.broadcast_to(np.linspace(0, 255, width, dtype=np.uint8)[np.newaxis, :, np.newaxis], shape)
    images.append(np.ascontiguousarray(across * np.array([1, 0, 1], np.uint8)))
    images.append(np.ascontiguousarray(across[:, ::-1] * np.array([0, 1, 0], np.uint8)))
    stripes = (np.arange(height) // max(height // 8, 1) % 2 * 255).astype(np.uint8)
    images.append(np.ascontiguousarray(np.broadcast_to(stripes[:, np.newaxis, np.newaxis], shape)))
    images.append(
        np.repeat(np.repeat(random.integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8), 8, 0), 8, 1)[
            :height, :width
        ]
    )
    return images


def _dequantized(raw: NDArray[Any], scale: float, zero_point: int) -> Scores:
    if scale == 0:
        return raw.astype(np.float32)
    # int8 minus its zero point would overflow
    levels = raw.astype(np.int32) - zero_point
    return np.asarray(levels * np.float32(scale), dtype=np.float32)
