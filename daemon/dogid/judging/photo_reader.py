"""Reading, decoding and classifying a labelled photo within the limits of size, memory and time."""

from dataclasses import dataclass

from dogid.dataset.labelled_photos import LabelledPhoto
from dogid.decoding.decoder import Decoder
from dogid.errors import PhotoCode, PhotoError
from dogid.model.classifier import Classifier
from dogid.model.classify_photo import Classification, classify_photo
from dogid.photo.pixels import DecodedPhoto


@dataclass(frozen=True, slots=True)
class PhotoReader:
    """Reads photos for all threads of a judgement."""

    decoder: Decoder
    max_bytes: int

    def classify(self, photo: LabelledPhoto, classifier: Classifier) -> Classification:
        """Return a model's answer to a photo. Raise PhotoError where it has none, and OSError."""
        size = self._check_size(photo)
        with self.decoder.budget.file_turn(size):
            return classify_photo(photo.read(), classifier, self.decoder.decode)

    def decode(self, photo: LabelledPhoto, size: tuple[int, int]) -> DecodedPhoto:
        """Decode a photo to size = (width, height). Raise PhotoError, and OSError."""
        length = self._check_size(photo)
        with self.decoder.budget.file_turn(length):
            return self.decoder.decode(photo.read(), size)

    def _check_size(self, photo: LabelledPhoto) -> int:
        size = photo.path.stat().st_size
        if size > self.max_bytes:  # it has grown since it was found
            raise PhotoError(PhotoCode.TOO_LARGE, f"more than {self.max_bytes} bytes (--max-bytes)")
        return size
