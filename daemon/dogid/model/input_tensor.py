"""How a photo's pixels become a model's input tensor, whatever its kind."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.errors import UsageError
from dogid.model.model_file import RunnableModel
from dogid.photo.pixels import Pixels

MOBILENET_MEAN = MOBILENET_STD = 127.5
"""Normalisation of float models that do not declare one: pixels to -1..1, as MobileNets are trained on. The converter
assumes the same of graphs, so that a model is judged on the pixels that the daemon will feed it."""

_KINDS = (np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.float32))
_FEWEST_LEVELS = 32
"""A normalisation that leaves fewer levels of a pixel's 256 belongs to the float model, not to the quantized one."""


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What a network wants instead of a pixel 0..255: (pixel - mean) / std, in one number or one each for R, G, B."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    reason: str

    @classmethod
    def of(cls, model: RunnableModel) -> "Normalisation | None":
        """Return what dogid's own record in the file defines, or else its metadata; None where neither does."""
        if model.mean is not None and model.std:
            return cls.from_numbers((model.mean,), (model.std,), "as the file defines")
        if model.metadata.mean:
            return cls.from_numbers(model.metadata.mean, model.metadata.std, model.metadata.reason)
        return None

    @classmethod
    def from_numbers(cls, mean: tuple[float, ...], std: tuple[float, ...], reason: str) -> "Normalisation":
        """Return it from plain numbers."""
        return cls(np.array(mean, dtype=np.float32), np.array(std, dtype=np.float32), reason)

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Return the values for pixels [..., 3]."""
        return np.asarray((pixels.astype(np.float32) - self.mean) / self.std)

    def __str__(self) -> str:
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        return f"(pixel - {mean}) / {std}" if len(self.mean) == len(self.std) == 1 else f"(pixel - [{mean}]) / [{std}]"


@dataclass(frozen=True, slots=True)
class InputEncoder:
    """Turns uint8 pixels into the input tensor."""

    dtype: "np.dtype[Any]"
    planar: bool
    """Whether the tensor is [1, 3, height, width], as PyTorch's exporters write it."""
    float_input: Normalisation | None
    levels: NDArray[Any] | None
    """[256, 3] in dtype: the quantized value of each pixel value, by colour; None where pixels go in as they are."""
    description: str

    @classmethod
    def for_input(cls, details: dict[str, Any], model: RunnableModel) -> "InputEncoder":
        """Given the interpreter's details of the input, decide once how to feed it. Raise UsageError."""
        dtype = np.dtype(details["dtype"])
        if dtype not in _KINDS:
            raise UsageError(f"{model.title}: the input is {dtype}; dogid feeds uint8, int8 and float32")
        planar = details["shape"][3] != 3
        defined = Normalisation.of(model)
        if dtype == np.float32:
            unchecked = "unchecked: the file does not define it"
            usual = Normalisation.from_numbers((MOBILENET_MEAN,), (MOBILENET_STD,), unchecked)
            used = defined or usual
            return cls(dtype, planar, used, None, f"{used}, {used.reason}")
        levels = _levels(dtype, details["quantization"], defined) if defined else None
        if levels is None:
            return cls(dtype, planar, None, None, "pixels as they are")
        return cls(dtype, planar, None, levels, f"{defined}, then quantized, {defined.reason if defined else ''}")

    def __call__(self, pixels: Pixels) -> NDArray[Any]:
        """Given pixels [height, width, 3], return the tensor's content."""
        fed = self._fed(pixels)[np.newaxis]
        return np.ascontiguousarray(fed.transpose(0, 3, 1, 2)) if self.planar else fed

    def _fed(self, pixels: Pixels) -> NDArray[Any]:
        if self.float_input is not None:
            return self.float_input.apply(pixels)
        if self.levels is not None:
            return np.stack([self.levels[pixels[..., colour], colour] for colour in range(3)], axis=-1)
        if self.dtype == np.int8:
            # int8 models span the pixels' range with theirs: 0 is -128, 255 is 127
            return (pixels ^ 0x80).view(np.int8)
        return pixels


def _levels(
    dtype: "np.dtype[Any]", quantization: tuple[float, int], normalisation: Normalisation
) -> NDArray[Any] | None:
    """Return the quantized value of every pixel value [256, 3]; None where that is the pixel itself.

    Also None where the normalisation cannot be meant for this tensor: many writers copied the float model's, and
    most pixels would then become the same few levels.
    """
    scale, zero_point = quantization
    if scale <= 0:
        return None
    kind = np.iinfo(dtype)
    pixels = np.repeat(np.arange(256)[:, np.newaxis], 3, axis=1)
    exact = normalisation.apply(pixels) / np.float32(scale) + zero_point
    levels = np.clip(np.rint(exact), kind.min, kind.max)
    # zero points are integers and scales are rounded: one level is nothing
    if np.abs(levels - (pixels + kind.min)).max() <= 1:
        return None
    used = min(len(np.unique(levels[:, colour])) for colour in range(3))
    return levels.astype(dtype) if used >= _FEWEST_LEVELS else None
