"""Reading, decoding and classifying one photo: the work of a worker thread."""

import dataclasses
import errno
import functools
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dogid.decoding.decoder import Decoder
from dogid.errors import PhotoCode, PhotoError
from dogid.inbox.read import TemporaryError, read_photo
from dogid.ledger.outcomes import Classified, Failed, Job, Outcome, Timings, Waiting
from dogid.model.classifier import Classifier
from dogid.model.classify_photo import DecodeFunction, classify_photo, elapsed_ms
from dogid.pipeline.in_progress import InProgress
from dogid.pipeline.retry_policy import RetryPolicy

log = logging.getLogger(__name__)


class PhotoProgress(Protocol):
    """Receives how far a photo is: the worker."""

    def begin_reading(self) -> None:
        """Note that the photo's file is being read from now on."""

    def note_read(self, sha256: str) -> None:
        """Note that the photo's bytes, of this SHA-256, are there."""


@dataclass(frozen=True, slots=True)
class PhotoProcessor:
    """Makes an outcome of each photo, whatever goes wrong."""

    inbox: Path
    max_bytes: int
    model_id: int
    retry_policy: RetryPolicy
    in_progress: InProgress
    decoder: Decoder

    def process(
        self, job: Job, classifier: Classifier, progress: PhotoProgress, on_start: Callable[[], None]
    ) -> Outcome:
        """Read and classify one photo. Whatever is wrong with the photo or the disk becomes an outcome.

        progress is informed as it goes on, and on_start called when there is memory to decode the photo: how long a
        disk or other photos take is not the photo's fault.
        """
        entry = self.in_progress.begin(job.id)
        try:
            outcome = self._process(job, classifier, progress, on_start)
        except Exception as error:  # a fault of dogid, of the model or of the machine: other photos go on
            if not _is_usual(error):
                log.warning("a photo could not be classified", exc_info=True)
            reason = f"{type(error).__name__}: {error}"
            on_error = self.retry_policy.on_io_error if _may_pass(error) else self.retry_policy.on_internal_error
            outcome = on_error(job, reason)
        finally:
            self.in_progress.end(entry)
        if isinstance(outcome, Waiting):
            self.in_progress.note_tried(job.id)
        else:
            self.in_progress.acquit((job.id,))
        return outcome

    def _process(
        self, job: Job, classifier: Classifier, progress: PhotoProgress, on_start: Callable[[], None]
    ) -> Outcome:
        version, digest = job.version, None
        decode: DecodeFunction = self.decoder.decode
        if self.in_progress.is_suspect(job.id):
            decode = functools.partial(self.decoder.decode, is_suspect=True)
        try:
            with self.decoder.budget.file_turn(version.size):
                progress.begin_reading()
                started = time.perf_counter()
                read = read_photo(self.inbox, job.path, self.max_bytes)
                version = read.version
                if not read.unchanged:
                    return self.retry_policy.on_change(job, version)
                digest = hashlib.sha256(read.data).hexdigest()  # now, while the bytes are in the processor's cache
                progress.note_read(digest)
                photo = classify_photo(read.data, classifier, decode, on_start)
                total_ms = elapsed_ms(started)
        except PhotoError as error:
            outcome = self.retry_policy.on_photo_error(job, version, error)
            if isinstance(outcome, Failed) and outcome.code is not PhotoCode.INTERNAL:
                return dataclasses.replace(outcome, sha256=digest)
            return outcome
        except TemporaryError as error:
            return self.retry_policy.on_io_error(job, str(error))
        if not photo.complete:
            unfinished = self.retry_policy.on_incomplete(job, version, "it may be damaged or still be written")
            if unfinished is not None:
                return unfinished
        return Classified(
            job=job,
            version=version,
            sha256=digest,
            width=photo.width,
            height=photo.height,
            scores=photo.best(),
            model_id=self.model_id,
            timings=Timings(photo.decode_ms, photo.invoke_ms, total_ms),
            network=classifier.network_name,
            embedding=photo.embedding,
            taken_at=photo.taken_at,
        )


def _is_usual(error: Exception) -> bool:
    """Whether an error is explained by its message alone: no memory, what decodes is not there, or it was cancelled."""
    if isinstance(error, ImportError):
        return True
    return isinstance(error, OSError) and error.errno in (errno.ENOMEM, errno.ELIBACC, errno.ECANCELED)


def _may_pass(error: Exception) -> bool:
    """Whether an error comes from the machine: no memory, not even to load code, or a refusal of the kernel (errno)."""
    return isinstance(error, MemoryError | ImportError) or (isinstance(error, OSError) and error.errno is not None)
