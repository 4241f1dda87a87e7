"""The standard metadata of a TensorFlow Lite image classifier, for readers like MediaPipe's ImageClassifier.

Source: metadata_schema.fbs of TensorFlow Lite, file identifier M001; the numbers of the fields are their order there.
"""

from dataclasses import dataclass
from typing import Any

import flatbuffers

_IDENTIFIER = b"M001"
_IMAGE_PROPERTIES = 2  # ContentProperties
_RGB = 1  # ColorSpaceType
_NORMALIZATION = 1  # ProcessUnitOptions
_AXIS_LABELS = 2  # AssociatedFileType: a label for each place of the output
_PARSER_VERSION = "1.0.0"


@dataclass(frozen=True, slots=True)
class ClassifierFacts:
    """What the metadata contain."""

    name: str
    description: str
    size: tuple[int, int]
    """(width, height) in pixels."""
    mean: tuple[float, ...]
    """In pixels, one number or one for each colour; empty where it is not known."""
    std: tuple[float, ...]
    quantized_input: bool
    labels_file: str
    """Name of the labels' file in the appended zip."""


def classifier_metadata(facts: ClassifierFacts) -> bytes:
    """Return the metadata flatbuffer: one RGB image normalised by mean and std in, one axis of labelled scores out."""
    b = flatbuffers.Builder(1024)
    size = _table(b, [("u32", facts.size[0]), ("u32", facts.size[1])])
    image = _table(b, [("u8", _RGB), ("ref", size)])
    content = _table(b, [("u8", _IMAGE_PROPERTIES), ("ref", image)])
    units = []
    if facts.mean:
        normalization = _table(b, [("ref", _floats(b, facts.mean)), ("ref", _floats(b, facts.std))])
        units = [_table(b, [("u8", _NORMALIZATION), ("ref", normalization)])]
    # of the tensor as it is fed: whole pixels, or pixels after normalisation
    low, high = ((0.0,), (255.0,)) if facts.quantized_input else _range(facts)
    stats = _table(b, [("ref", _floats(b, high)), ("ref", _floats(b, low))])
    image_in = _table(
        b,
        [
            ("ref", b.CreateString("image")),
            ("ref", b.CreateString("RGB pixels")),
            None,
            ("ref", content),
            ("ref", _references(b, units)),
            ("ref", stats),
        ],
    )
    labels = _table(
        b,
        [
            ("ref", b.CreateString(facts.labels_file)),
            ("ref", b.CreateString("a label for each score, in order")),
            ("u8", _AXIS_LABELS),
        ],
    )
    scores_stats = _table(b, [("ref", _floats(b, (1.0,))), ("ref", _floats(b, (0.0,)))])
    scores_out = _table(
        b,
        [
            ("ref", b.CreateString("probability")),
            ("ref", b.CreateString("a probability for each label")),
            None,
            None,
            None,
            ("ref", scores_stats),
            ("ref", _references(b, [labels])),
        ],
    )
    graph = _table(b, [None, None, ("ref", _references(b, [image_in])), ("ref", _references(b, [scores_out]))])
    model = _table(
        b,
        [
            ("ref", b.CreateString(facts.name)),
            ("ref", b.CreateString(facts.description)),
            None,
            ("ref", _references(b, [graph])),
            None,
            None,
            None,
            ("ref", b.CreateString(_PARSER_VERSION)),
        ],
    )
    b.Finish(model, _IDENTIFIER)
    return bytes(b.Output())


def _range(facts: ClassifierFacts) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return what pixels 0 and 255 become, one number or one for each colour."""
    colours = range(max(len(facts.mean), len(facts.std)))
    pairs = [(facts.mean[min(i, len(facts.mean) - 1)], facts.std[min(i, len(facts.std) - 1)]) for i in colours]
    return tuple((0 - mean) / std for mean, std in pairs), tuple((255 - mean) / std for mean, std in pairs)


def _table(b: Any, fields: list[tuple[str, int] | None]) -> int:
    """Write a table; fields are (kind, value) in the schema's order, None for what is left out."""
    references = [(i, field) for i, field in enumerate(fields) if field is not None]
    b.StartObject(len(fields))
    for slot, (kind, value) in references:
        if kind == "ref":
            b.PrependUOffsetTRelativeSlot(slot, value, 0)
        elif kind == "u32":
            b.PrependUint32Slot(slot, value, 0)
        else:
            b.PrependUint8Slot(slot, value, 0)
    return int(b.EndObject())


def _floats(b: Any, values: tuple[float, ...]) -> int:
    b.StartVector(4, len(values), 4)
    for value in reversed(values):
        b.PrependFloat32(value)
    return int(b.EndVector())


def _references(b: Any, places: list[int]) -> int:
    b.StartVector(4, len(places), 4)
    for place in reversed(places):
        b.PrependUOffsetTRelative(place)
    return int(b.EndVector())
