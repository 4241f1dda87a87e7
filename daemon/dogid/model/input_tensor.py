"""How a photo's pixels become a model's input tensor, whatever its kind."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dogid.errors import UsageError
from dogid.model.model_file import RunnableModel
from dogid.photo.pixels import Pixels
from dogid.preprocessing import BGR, GREY, GREY_GUESS, GUESS, RGB, KnownNormalisation, Normalisation, Origin

_KINDS = (np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.float32))
_FEWEST_LEVELS = 32
"""A normalisation that leaves fewer levels of a pixel's 256 belongs to the float model, not to the quantized one."""

AS_THEY_ARE = "pixels as they are"


@dataclass(frozen=True, slots=True)
class InputKind:
    """What a model's input takes and how that is known, for people and for JSON."""

    width: int
    height: int
    dtype: str
    channels: str
    """RGB, BGR or GREY."""
    normalisation: str
    """The formula, or AS_THEY_ARE, with its reason."""
    origin: Origin
    setting: str
    """As the setting normalisation takes it; empty where pixels go in as they are."""

    def describe(self) -> str:
        """Return one line: size, colours, normalisation, and how it is known."""
        colours = self.channels if self.channels == GREY else self.channels.upper()
        return f"{self.width} x {self.height} {colours}, {self.normalisation} ({self.origin})"

    def warn(self) -> str | None:
        """Return what to do where the normalisation is a guess; None where it is known."""
        if self.origin is not Origin.GUESSED:
            return None
        return (
            "the model's normalisation is guessed: if answers are wrong, find the right one by `dogid model try FILE "
            "LABEL=PHOTO...` and set it by --normalisation"
        )


@dataclass(frozen=True, slots=True)
class _Fed:
    """A normalisation as arrays: (pixel - mean) / std."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    @classmethod
    def of(cls, normalisation: Normalisation, channels: str) -> "_Fed":
        """Return it in the order of the tensor's colours; grey has the mean of the three."""
        mean, std = (np.array(values, dtype=np.float32) for values in (normalisation.mean, normalisation.std))
        if channels == GREY:
            return cls(mean.mean(keepdims=True), std.mean(keepdims=True))
        return cls(mean[::-1], std[::-1]) if channels == BGR else cls(mean, std)

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Return the values for pixels [..., colours]."""
        return np.asarray((pixels.astype(np.float32) - self.mean) / self.std)


@dataclass(frozen=True, slots=True)
class InputEncoder:
    """Turns uint8 pixels into the input tensor."""

    dtype: "np.dtype[Any]"
    planar: bool
    """Whether the tensor is [1, 3, height, width], as PyTorch's exporters write it."""
    channels: str
    """RGB, BGR or GREY."""
    float_input: _Fed | None
    levels: NDArray[Any] | None
    """[256, colours] in dtype: the quantized value of each pixel value, by colour; None where pixels go in as they
    are."""
    description: str
    origin: Origin
    setting: str
    """As in `InputKind`."""

    @classmethod
    def for_input(cls, details: dict[str, Any], model: RunnableModel) -> "InputEncoder":
        """Given the interpreter's details of the input, decide once how to feed it. Raise UsageError."""
        dtype = np.dtype(details["dtype"])
        if dtype not in _KINDS:
            raise UsageError(f"{model.title}: the input is {dtype}; dogid feeds uint8, int8 and float32")
        shape = details["shape"]
        planar = shape[3] not in (1, 3)
        known = model.normalisation
        channels = model.channels or (known.channels if known is not None else None) or RGB
        channels = GREY if 1 in (shape[3], shape[1]) else channels
        if dtype == np.float32:
            guess = GREY_GUESS if channels == GREY else GUESS
            used = known or KnownNormalisation(guess, Origin.GUESSED, "unchecked: the file does not define it")
            fed = _Fed.of(used.normalisation, channels)
            return cls(
                dtype,
                planar,
                channels,
                fed,
                None,
                f"{used.normalisation}, {used.reason}",
                used.origin,
                used.normalisation.setting,
            )
        levels = _levels(dtype, details["quantization"], _Fed.of(known.normalisation, channels)) if known else None
        if levels is None or known is None:
            return cls(dtype, planar, channels, None, None, AS_THEY_ARE, Origin.FILE, "")
        text = f"{known.normalisation}, then quantized, {known.reason}"
        return cls(dtype, planar, channels, None, levels, text, known.origin, known.normalisation.setting)

    def __call__(self, pixels: Pixels) -> NDArray[Any]:
        """Given pixels [height, width, 3], return the tensor's content."""
        if self.channels == BGR:
            pixels = pixels[..., ::-1]
        elif self.channels == GREY:
            pixels = np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]
        fed = self._fed(pixels)[np.newaxis]
        return np.ascontiguousarray(fed.transpose(0, 3, 1, 2)) if self.planar else fed

    def kind(self, size: tuple[int, int], *, takes_uint8: bool) -> InputKind:
        """Return what is fed, for people; takes_uint8 as in `RunnableModel`."""
        dtype = "uint8" if takes_uint8 else self.dtype.name
        return InputKind(*size, dtype, self.channels, self.description, self.origin, self.setting)

    def _fed(self, pixels: Pixels) -> NDArray[Any]:
        if self.float_input is not None:
            return self.float_input.apply(pixels)
        if self.levels is not None:
            last = self.levels.shape[1] - 1
            colours = range(pixels.shape[-1])
            return np.stack([self.levels[pixels[..., at], min(at, last)] for at in colours], axis=-1)
        if self.dtype == np.int8:
            # int8 models span the pixels' range with theirs: 0 is -128, 255 is 127
            return (pixels ^ np.uint8(0x80)).view(np.int8)
        return pixels


def _levels(dtype: "np.dtype[Any]", quantization: tuple[float, int], fed: _Fed) -> NDArray[Any] | None:
    """Return the quantized value of every pixel value [256, colours]; None where that is the pixel itself.

    Also None where the normalisation cannot be meant for this tensor: many writers copied the float model's, and
    most pixels would then become the same few levels.
    """
    scale, zero_point = quantization
    if scale <= 0:
        return None
    kind = np.iinfo(dtype)
    pixels = np.repeat(np.arange(256)[:, np.newaxis], max(len(fed.mean), len(fed.std)), axis=1)
    exact = fed.apply(pixels) / np.float32(scale) + zero_point
    levels = np.clip(np.rint(exact), kind.min, kind.max)
    # zero points are integers and scales are rounded: one level is nothing
    if np.abs(levels - (pixels + kind.min)).max() <= 1:
        return None
    used = min(len(np.unique(column)) for column in levels.T)
    return levels.astype(dtype) if used >= _FEWEST_LEVELS else None
