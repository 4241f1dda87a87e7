"""The engine: everything that workers need to classify photos."""

from dataclasses import dataclass

from dogid.model.classifier import Model
from dogid.model.reference_photo import ReferencePhoto
from dogid.pipeline.photo_processor import PhotoProcessor


@dataclass(frozen=True, slots=True)
class Engine:
    """What workers work with; a reload replaces it as a whole."""

    model: Model
    processor: PhotoProcessor
    reference_photo: ReferencePhoto
    """With the expected scores."""
    decode_timeout: float
    """Seconds that decoding and classifying one photo may take; then its worker is given up."""
