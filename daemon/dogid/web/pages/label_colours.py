"""Colours of labels: a label has the same one for good, on every machine, by any model."""

from zlib import crc32

COLOURS = 24
"""Twelve hues in two shades, as photos.css has them. More are hard to distinguish; with fewer, more labels share."""
NEUTRAL = COLOURS
"""The grey of what is none of the labels."""
_OTHER = "other"  # by convention the label of what is none of the others
_SALT = "96696"  # with it the labels of the shipped model, and some frequent ones, have hues that are far apart


def label_colour(label: str) -> int:
    """Return the number of a label's colour, 0 to COLOURS - 1, or NEUTRAL."""
    return NEUTRAL if label == _OTHER else crc32(f"{_SALT} {label}".encode("utf-8", "surrogatepass")) % COLOURS
