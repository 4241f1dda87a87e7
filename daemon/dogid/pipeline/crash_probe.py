"""Decoding a photo that may have killed the daemon in a separate process first, which it may kill.

Run as `python -m dogid.pipeline.crash_probe INBOX NAME MAX_BYTES MAX_PIXELS WIDTH HEIGHT`; ends
with 0 whatever the photo is, as long as it does not kill.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from dogid.errors import PhotoCode, PhotoError
from dogid.inbox.read import TemporaryError, read_photo
from dogid.ledger.outcomes import Failed, Job
from dogid.photo.decode import decode, limit_pixels
from dogid.settings import Settings

# Of the daemon, with the same photo in progress. Raising this lets the daemon die more often; lowering it fails photos
# that were only in progress beside a deadly one.
_MOST_DEATHS = 10


def find_deadly_photos(
    suspects: Iterable[tuple[Job, int]], inbox: Path, settings: Settings, size: tuple[int, int]
) -> list[Failed]:
    """Return failures for those of the suspects that kill what decodes them.

    suspects: photos that were in progress when the daemon died, each with how often it did. size: (width, height).
    """
    failures = []
    for job, deaths in suspects:
        cause = probe_crash(job.path, inbox, settings, size)
        if cause is None and deaths < _MOST_DEATHS:
            continue  # another photo was the cause, or none: this one is tried again, after a while
        reason = f"decoding it kills the process ({cause})" if cause else f"the daemon died of it {deaths} times"
        message = f"{reason}; if the file changes it is tried again"
        failures.append(Failed(job, job.version, PhotoCode.CORRUPT, message))
    return failures


def probe_crash(name: bytes, inbox: Path, settings: Settings, size: tuple[int, int]) -> str | None:
    """Decode the photo called name to size = (width, height) in another process; return what that died of, or None."""
    command = [sys.executable, "-m", "dogid.pipeline.crash_probe", os.fspath(inbox), os.fsdecode(name)]
    command += [str(number) for number in (settings.max_bytes, settings.max_pixels, *size)]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=settings.decode_timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None  # a worker would be given up, and the daemon live on
    return signal.strsignal(-done.returncode) or str(done.returncode) if done.returncode < 0 else None


def _try(inbox: str, name: str, *numbers: str) -> None:
    max_bytes, max_pixels, width, height = map(int, numbers)
    limit_pixels(max_pixels)
    with contextlib.suppress(PhotoError, TemporaryError):
        decode(read_photo(Path(inbox), os.fsencode(name), max_bytes).data, (width, height))


if __name__ == "__main__":
    _try(*sys.argv[1:])
