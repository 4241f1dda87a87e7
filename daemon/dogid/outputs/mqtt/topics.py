"""Names in topics and in Home Assistant: made of the daemon's name, of characters that are safe everywhere."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass

_MOST = 60  # characters of the name that are kept; MQTT 3.1 brokers may refuse long client ids


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one daemon."""

    prefix: str
    """What the settings want them to begin with."""
    id: str
    """The daemon's name, made safe."""

    @property
    def results(self) -> str:
        """All results and reviews, in order."""
        return f"{self.prefix}/{self.id}/results"

    @property
    def event(self) -> str:
        """What passed a rule, and is young."""
        return f"{self.prefix}/{self.id}/event"

    @property
    def state(self) -> str:
        """The present state; retained."""
        return f"{self.prefix}/{self.id}/state"

    @property
    def image(self) -> str:
        """A JPEG of the newest photo; retained."""
        return f"{self.prefix}/{self.id}/image"

    @property
    def availability(self) -> str:
        """`online` or `offline`; retained, and the last will."""
        return f"{self.prefix}/{self.id}/availability"


def make_id(name: str) -> str:
    """Return a name of ASCII letters, digits, `-` and `_` for a daemon's or label's name.

    Letters lose their accents, other characters become `-`. Where that loses letters, a hash of the name keeps two
    names apart.
    """
    plain = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    safe = re.sub("[^A-Za-z0-9_]+", "-", plain).strip("-")[:_MOST]
    is_lost = len(plain) > _MOST or any(char.isalnum() and not char.isascii() for char in plain) or not safe
    if not is_lost:
        return safe
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{safe}-{digest}" if safe else digest


def make_unique_id(name: str) -> str:
    """Return a name as `make_id` does, always with a hash: `a/b` and `a+b` are two labels of one model."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{make_id(name)[:_MOST]}-{digest}"
