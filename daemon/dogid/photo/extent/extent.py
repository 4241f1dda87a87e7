"""How far a photo's own data reach."""

from dataclasses import dataclass

from dogid.errors import PhotoCode, PhotoError


@dataclass(frozen=True, slots=True)
class Extent:
    """Of a photo whose data are all there."""

    end: int
    """Where its own data end; what follows was appended."""
    is_certain: bool = True
    """False where something about the end is unusual: it may still be written."""


def missing(what: str = "the photo ends early") -> PhotoError:
    """Return the error for a photo of which a part is not there."""
    return PhotoError(PhotoCode.TRUNCATED, what)
