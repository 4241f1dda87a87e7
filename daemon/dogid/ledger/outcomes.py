"""The values that pipeline and ledger exchange: jobs and their outcomes."""

from dataclasses import dataclass
from typing import NamedTuple

from dogid.errors import PhotoCode
from dogid.inbox.scan import Version


@dataclass(frozen=True, slots=True)
class Job:
    """A pending row that a worker has taken up."""

    id: int
    path: bytes
    version: Version
    unchanged_since: int
    """Steady milliseconds since which this version has not changed."""
    attempts: int
    last_error: str | None
    """The error code of the last attempt, if there was one."""


class Timings(NamedTuple):
    """Milliseconds that a photo took."""

    decode: float
    invoke: float
    total: float
    """From opening the file to the scores."""


@dataclass(frozen=True, slots=True)
class Classified:
    """A photo that has its answer."""

    job: Job
    version: Version
    sha256: str
    width: int
    height: int
    scores: dict[str, float]
    """The best probabilities by label, best first."""
    model_id: int
    timings: Timings
    network: str | None = None
    """The SHA-256 of the model's network, which names its embeddings; None where there are none."""
    embedding: bytes | None = None
    """What the network makes of the photo, as it gave it."""
    taken_at: str | None = None
    """When the photo was taken, as its EXIF says: ISO 8601, with an offset from UTC where it has one."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A photo that cannot have one, as it is."""

    job: Job
    version: Version
    code: PhotoCode
    message: str
    sha256: str | None = None
    """Of the bytes that failed; None where it was not their fault, or where there are none."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A photo that is tried again: still being written, or in trouble that may pass."""

    job: Job
    version: Version
    code: PhotoCode
    message: str
    delay_ms: int


Outcome = Classified | Failed | Waiting
