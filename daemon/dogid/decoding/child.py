"""The process that decodes one photo after another for the daemon, which may end it at any moment.

Run as `python -m dogid.decoding.child`. Each request on stdin and each answer on stdout is a header, then its content.
"""

import contextlib
import os
import resource
import select
import sys
import threading
from pathlib import Path

from dogid.decoding.messages import ANSWER, REQUEST, Outcome
from dogid.errors import PhotoError
from dogid.photo.decode import decode, limit_pixels
from dogid.system.malloc import trim_malloc

_OOM_SCORE = Path("/proc/self/oom_score_adj")
_MOST_OOM_SCORE = "1000"
_STATM = Path("/proc/self/statm")
# Beyond the estimate, in bytes: libraries, and stacks of their threads. Lower refuses photos on machines of many cores,
# higher lets a photo take more than what was reserved for it.
_ADDRESS_SPACE, _DATA = 512 << 20, 64 << 20


def main() -> None:
    """Answer requests until stdin ends."""
    with contextlib.suppress(OSError):  # where memory runs out, the kernel is to end this process and not the daemon
        _OOM_SCORE.write_text(_MOST_OOM_SCORE)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    threading.Thread(target=_end_with_daemon, args=(source.fileno(),), daemon=True).start()
    while len(header := source.read(REQUEST.size)) == REQUEST.size:
        length, width, height, max_pixels, memory, seconds = REQUEST.unpack(header)
        _limit(memory, seconds)
        sink.write(_answer(source.read(length), (width, height), max_pixels))
        sink.flush()
        _unlimit()
        trim_malloc()


def _end_with_daemon(descriptor: int) -> None:
    """End this process, even inside a photo, once its stdin is closed: signals to the daemon do not end it."""
    poll = select.poll()
    poll.register(descriptor, 0)  # POLLHUP is always reported
    poll.poll()
    os._exit(0)


def _answer(data: bytes, size: tuple[int, int], max_pixels: int) -> bytes:
    limit_pixels(max_pixels)
    try:
        photo = decode(data, size)
    except PhotoError as error:
        text = f"{error.code}\n{error.message}".encode(errors="replace")
        return ANSWER.pack(Outcome.ERROR, 0, 0, 0, b"", len(text)) + text
    pixels = photo.pixels.tobytes()
    taken_at = (photo.taken_at or "").encode()
    return ANSWER.pack(Outcome.PHOTO, photo.complete, photo.width, photo.height, taken_at, len(pixels)) + pixels


def _limit(memory: int, seconds: int) -> None:
    """Allow about so many bytes of memory, and seconds of processor time, more than at present."""
    pages = [int(number) for number in _STATM.read_text().split()]
    times = os.times()
    _set_soft(resource.RLIMIT_AS, pages[0] * resource.getpagesize() + 2 * memory + _ADDRESS_SPACE)
    _set_soft(resource.RLIMIT_DATA, pages[5] * resource.getpagesize() + memory * 3 // 2 + _DATA)
    _set_soft(resource.RLIMIT_CPU, int(times.user + times.system) + seconds)


def _unlimit() -> None:
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_CPU):
        _set_soft(kind, resource.getrlimit(kind)[1])


def _set_soft(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    with contextlib.suppress(OSError, ValueError):  # forbidden here: the deadline and the control group are left
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


if __name__ == "__main__":
    main()
