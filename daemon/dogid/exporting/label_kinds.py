"""What a label is about, as camera trap data have it: a person, a vehicle, nothing, or an animal."""

from enum import StrEnum


class LabelKind(StrEnum):
    """The values are Camtrap DP's, of `observationType`."""

    ANIMAL = "animal"
    HUMAN = "human"
    VEHICLE = "vehicle"
    BLANK = "blank"
    UNKNOWN = "unknown"


_KINDS = {
    LabelKind.HUMAN: {"human", "humans", "person", "persons", "people", "homo sapiens"},
    LabelKind.VEHICLE: {"vehicle", "vehicles", "car", "truck", "bicycle", "motorcycle"},
    LabelKind.BLANK: {"blank", "empty", "nothing", "background", "none"},
    LabelKind.UNKNOWN: {"other", "unknown", "none of these"},
}


def guess_kind(label: str) -> LabelKind:
    """Return what a label is probably about: most models know animals, and a few words besides."""
    word = label.strip().lower().replace("_", " ")
    return next((kind for kind, words in _KINDS.items() if word in words), LabelKind.ANIMAL)
