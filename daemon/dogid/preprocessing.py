"""What a model wants instead of a photo's pixels 0..255, and how that is known."""

import math
import re
from dataclasses import dataclass
from enum import StrEnum

RGB, BGR, GREY = "rgb", "bgr", "grey"
"""Orders of colours; GREY is one value for each pixel."""

_MOST_COLOURS = 3


class Origin(StrEnum):
    """How a model's normalisation is known. The values are part of the JSON documents."""

    FILE = "file"
    """Written in the model's file."""
    DERIVED = "derived"
    """Found in the model's operators, or known of the program that made the file."""
    SET = "set"
    """Given by the user."""
    GUESSED = "guessed"


@dataclass(frozen=True, slots=True)
class Normalisation:
    """(pixel - mean) / std, each in one number, or in one each for red, green and blue."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def name(self) -> str | None:
        """The name of a usual one; None of all others."""
        return next((name for name, usual in USUAL.items() if usual == self), None)

    @property
    def is_uniform(self) -> bool:
        """Whether it is alike for red, green and blue."""
        return len(set(self.mean)) == len(set(self.std)) == 1

    @property
    def setting(self) -> str:
        """The text that `parse_normalisation` reads as this one."""
        mean, std = (",".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        return self.name or f"{mean}/{std}"

    def __str__(self) -> str:
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        formula = (
            f"(pixel - {mean}) / {std}" if len(self.mean) == len(self.std) == 1 else f"(pixel - [{mean}]) / [{std}]"
        )
        return formula if self.name is None else f"{formula} = {self.name}"


@dataclass(frozen=True, slots=True)
class KnownNormalisation:
    """A normalisation, and how it is known."""

    normalisation: Normalisation
    origin: Origin
    reason: str
    """For people: completes "as" or stands behind a comma."""
    channels: str | None = None
    """RGB or BGR where that is known, too."""


MINUS_1_TO_1 = Normalisation((127.5,), (127.5,))
ZERO_TO_1 = Normalisation((0.0,), (255.0,))
ZERO_TO_255 = Normalisation((0.0,), (1.0,))
IMAGENET = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""Mean and standard deviation of ImageNet, 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225 as PyTorch's models use."""
CAFFE = Normalisation((123.68, 116.779, 103.939), (1.0,))
"""Minus ImageNet's mean colour: Caffe's models and, with BGR, Keras' ResNet and VGG."""

USUAL = {
    "-1..1": MINUS_1_TO_1,
    "0..1": ZERO_TO_1,
    "0..255": ZERO_TO_255,
    "imagenet": IMAGENET,
    "caffe": CAFFE,
}
"""The usual normalisations by the names that settings have for them."""

GUESS = MINUS_1_TO_1
"""For models that do not define one, in the daemon and the converter alike: MobileNets are trained with it."""

GREY_GUESS = ZERO_TO_1
"""The same for models that take grey images: Edge Impulse's and those of the MNIST tutorials are trained with it."""


def parse_normalisation(text: str) -> Normalisation:
    """Read a usual one's name, or MEAN/STD in pixels 0..255, each one number or three. Raise ValueError."""
    named = USUAL.get(text.strip().lower())
    if named is not None:
        return named
    parts = [re.split(r"\s*,\s*", part.strip()) for part in text.split("/")]
    try:
        values = [tuple(float(number) for number in part) for part in parts]
    except ValueError:
        values = []
    fits = len(values) == 2 and all(
        len(part) in (1, _MOST_COLOURS) and all(map(math.isfinite, part)) for part in values
    )
    if not fits or min(values[1]) <= 0:
        raise ValueError(f"must be {', '.join(USUAL)} or MEAN/STD in pixels 0 to 255, as in 127.5/127.5")
    return Normalisation(*values)


def parse_channels(text: str) -> str:
    """Read an order of colours. Raise ValueError."""
    if text.strip().lower() not in (RGB, BGR):
        raise ValueError("must be rgb or bgr")
    return text.strip().lower()
