"""The path of the model that is shipped with dogid."""

import sys
from pathlib import Path

from dogid.errors import UsageError

_NAME = "dogid.tflite"


def shipped_model() -> Path:
    """Return the shipped model's path: inside the installation, or in the clone that runs. Raise UsageError if gone."""
    clone = Path(__file__).resolve().parents[3] / "models" / _NAME
    places = (clone, Path(sys.prefix) / "share" / "dogid" / _NAME)
    for place in places:
        if place.is_file():
            return place
    looked = " and ".join(str(place) for place in places)
    raise UsageError(f"the shipped model is missing (looked for {looked}); install dogid again or give --model FILE")
