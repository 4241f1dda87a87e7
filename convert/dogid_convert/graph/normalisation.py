"""Normalisation of pixels: given by the user, by the graph's own scaling, or by convention."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dogid.errors import UsageError
from dogid.preprocessing import RGB


@dataclass(frozen=True, slots=True)
class UniformNormalisation:
    """How a pixel 0..255 becomes a network's input: (pixel - mean) / std, alike for R, G and B; how that is known."""

    mean: float
    std: float
    reason: str
    is_guess: bool = False
    channels: str = RGB
    """RGB or BGR, the order in which the network wants them."""

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the input for these pixels, in the same shape."""
        return (pixels.astype(np.float32) - np.float32(self.mean)) / np.float32(self.std)


@dataclass(frozen=True, slots=True)
class Scaling:
    """The scaling of a graph's input x before the network: scale * x + shift."""

    scale: float
    shift: float
    decoded: bool
    """Whether x is known to be a pixel 0..255, because a decoder or an integer placeholder gives it."""
    channel_shift: float | None
    """The mean of the constants where a shift by channel follows, which is not one number."""
    channels: str = RGB
    """The order of colours that this shift is for."""

    @property
    def is_unknown(self) -> bool:
        """Whether nothing is known of x."""
        return self.scale == 1.0 and self.shift == 0.0 and not self.decoded and self.channel_shift is None


def determine_normalisation(
    scaling: Scaling, given: tuple[float, float] | None, usual: UniformNormalisation
) -> UniformNormalisation:
    """Return the normalisation of the network behind a scaling.

    given is the user's (mean, std); usual is returned where nothing else is known.

    Raise UsageError where the range of x is not clear.
    """
    if given is not None:
        return _undo_scaling(scaling, *given, "given by --mean and --std")
    scaled = scaling.scale != 1.0 or scaling.shift != 0.0
    found = f"the graph scales its input by {scaling.scale:.6g} and adds {scaling.shift:.6g}"
    if scaling.decoded:
        return _undo_scaling(scaling, 0.0, 1.0, found if scaled else "the graph takes pixels as they are")
    if scaled and 0.3 <= abs(scaling.scale) * 255 <= 8:
        return _undo_scaling(scaling, 0.0, 1.0, f"{found}: it takes pixels 0 to 255")
    if scaled and 0.3 <= abs(scaling.scale) <= 8:
        return _undo_scaling(scaling, 0.0, 255.0, f"{found}: it takes values 0 to 1")
    if scaling.channel_shift is not None and scaling.channel_shift > 8:
        pixels = _undo_scaling(scaling, 0.0, 1.0, "the graph subtracts a mean colour of pixels 0 to 255")
        return replace(pixels, channels=scaling.channels)
    if scaling.channel_shift is not None:
        return _undo_scaling(scaling, 0.0, 255.0, "the graph subtracts a mean colour of values 0 to 1")
    if scaled:
        raise UsageError(f"{found}: its range of pixels is not clear; give it by --mean and --std")
    return usual


def _undo_scaling(scaling: Scaling, mean: float, std: float, reason: str) -> UniformNormalisation:
    """Given the source's mean and std, return the network's: scale * (pixel - mean) / std + shift."""
    scale = scaling.scale / std
    return UniformNormalisation(_round_float32(mean - scaling.shift / scale), _round_float32(1.0 / scale), reason)


def _round_float32(value: float) -> float:
    """Undo float32's rounding: 127.50000023 is 127.5."""
    rounded = round(value, 4)
    return rounded if abs(value - rounded) < 1e-4 else value
