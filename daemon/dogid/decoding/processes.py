"""The processes that decode photos for the daemon: started on demand, ended when late or no longer needed."""

import contextlib
import errno
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import numpy as np

from dogid.decoding.messages import ANSWER, REQUEST, Outcome
from dogid.errors import PhotoCode, PhotoError
from dogid.photo.pixels import DecodedPhoto

log = logging.getLogger(__name__)

PROCESS_BYTES = 24 << 20
"""Of memory that such a process takes beside the photo, for Python, numpy and Pillow: what it does not share."""

# A start costs 0.2 s on a PC and a second or two on the slowest boards, a waiting process 20 MB.
_IDLE_SECONDS = 5.0
_MOST_IDLE = 1
_CHUNK = 1 << 20
# Before the photo's time is over: less gives up the thread that waits, more gives photos less time.
_REPORT_SECONDS = 0.5
_CPU_MARGIN_SECONDS = 5
# Sent to all processes of a service or terminal. The daemon finishes the photo, or ends its process.
_ENDS_ALL = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_NO_MEMORY = ("MemoryError", "Cannot allocate memory")
_LONGEST_ERROR = 1 << 16  # bytes of a process' stderr
# What a fault in a decoder ends a process with. Other signals come from outside: SIGKILL where memory runs out.
_FAULTS = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS})


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What decoding one photo may take."""

    memory: int
    """Bytes, as estimated."""
    seconds: float
    max_pixels: int


class DecodeProcesses:
    """Processes that decode; at most one waits for the next photo, and not for long."""

    def __init__(self, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._is_closed = False
        self._closing: threading.Timer | None = None

    def decode(self, data: bytes, size: tuple[int, int], limits: DecodeLimits) -> DecodedPhoto:
        """Decode a photo to size = (width, height) in another process.

        Raise PhotoError as `decode` does, and: with `too_large` where it takes too long or too much memory; with
        `corrupt` where the decoder crashes; with `internal` where the process does not run. Raise OSError: ENOMEM where
        the kernel ends the process, ECANCELED where others end it, or `close`.
        """
        process = self._take()
        is_sound = False
        try:
            photo = process.decode(data, size, limits)
            is_sound = True
        except PhotoError as error:
            is_sound = process.is_alive
            raise error from None
        except OSError:
            if self._is_closed:
                raise OSError(errno.ECANCELED, "decoding was cancelled: dogid is stopping") from None
            raise
        finally:
            with self._lock:
                self._busy.discard(process)
            if is_sound:
                self._return(process)
            else:
                process.end()
        return photo

    def close(self) -> None:
        """End all processes, also those that decode; start no more."""
        with self._lock:
            self._is_closed = True
            for process in self._busy:
                process.kill()
        self._end_idle()

    def _end_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def _take(self) -> "_Process":
        with self._lock:
            if self._is_closed:
                raise OSError(errno.ECANCELED, "decoding was cancelled: dogid is stopping")
            while self._idle:
                process = self._idle.pop()
                if process.is_alive:
                    break
                process.end()
            else:
                process = _Process()
            self._busy.add(process)
            return process

    def _return(self, process: "_Process") -> None:
        with self._lock:
            if self._closing is not None:
                self._closing.cancel()
            if len(self._idle) < _MOST_IDLE and not self._is_closed:
                self._idle.append(process)
                self._closing = threading.Timer(self._idle_seconds, self._end_idle)
                self._closing.daemon = True
                self._closing.start()
                return
        process.end()


class _Process:
    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", "dogid.decoding.child"]
        # not a file, which may grow; nor may a library that writes a lot wait: what does not fit is dropped
        self._stderr, stderr = os.pipe()
        for end in (self._stderr, stderr):
            os.set_blocking(end, False)
        try:
            # from its first moment on: blocked signals are inherited, what handles them is not
            before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS_ALL)
            try:
                self._popen = subprocess.Popen(  # noqa: S603
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    bufsize=0,
                    env=os.environ | {"MALLOC_ARENA_MAX": "1"},
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        except BaseException:
            os.close(self._stderr)
            raise
        finally:
            os.close(stderr)
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._stdin, self._stdout = self._popen.stdin.fileno(), self._popen.stdout.fileno()
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)

    @property
    def is_alive(self) -> bool:
        return self._popen.poll() is None

    def kill(self) -> None:
        self._popen.kill()

    def end(self) -> None:
        """Kill it, and free what it holds. Call once."""
        self._popen.kill()
        os.close(self._stderr)
        for stream in (self._popen.stdin, self._popen.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._popen.wait()

    def decode(self, data: bytes, size: tuple[int, int], limits: DecodeLimits) -> DecodedPhoto:
        deadline = time.monotonic() + limits.seconds - min(_REPORT_SECONDS, limits.seconds / 10)
        memory = limits.memory + 2 * len(data)
        seconds = int(limits.seconds) + _CPU_MARGIN_SECONDS
        self._read_stderr()  # so that what it says of this photo has room
        try:
            self._write(REQUEST.pack(len(data), *size, limits.max_pixels, memory, seconds), deadline)
            self._write(data, deadline)
            outcome, complete, width, height, taken_at, length = ANSWER.unpack(self._read(ANSWER.size, deadline))
            content = self._read(length, deadline)
        except TimeoutError:
            self._popen.kill()
            self._popen.wait()
            raise _too_slow(limits) from None
        except (EOFError, BrokenPipeError):
            raise self._explain_end(limits) from None
        if outcome == Outcome.ERROR:
            code, _, message = content.decode().partition("\n")
            raise PhotoError(PhotoCode(code), message)
        pixels = np.frombuffer(content, np.uint8).reshape(size[1], size[0], 3)
        return DecodedPhoto(pixels, width, height, bool(complete), taken_at.rstrip(b"\0").decode() or None)

    def _write(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            _wait(self._stdin, select.POLLOUT, deadline)
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(self._stdin, view[:_CHUNK]) :]

    def _read(self, length: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            _wait(self._stdout, select.POLLIN, deadline)
            with contextlib.suppress(BlockingIOError):
                part = os.read(self._stdout, length - len(parts))
                if not part:
                    raise EOFError
                parts += part
        return bytes(parts)

    def _explain_end(self, limits: DecodeLimits) -> Exception:
        code = self._popen.wait()
        if code == -signal.SIGXCPU:
            return _too_slow(limits)
        if -code in _FAULTS:
            name = signal.strsignal(-code)
            return PhotoError(
                PhotoCode.CORRUPT, f"decoding it kills the process ({name}); if the file changes it is tried again"
            )
        if code == -signal.SIGKILL:
            return OSError(errno.ENOMEM, "the process that decoded it was killed, as memory ran out?")
        if code < 0:
            return OSError(errno.ECANCELED, f"the process that decoded it was ended ({signal.strsignal(-code)})")
        lines = self._read_stderr().split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it says nothing")
        if any(words in last for words in _NO_MEMORY):
            return OSError(errno.ENOMEM, f"the process that decodes has no memory: {last}")
        log.error("a process that decodes photos does not run (exit status %d): %s", code, last)
        return PhotoError(PhotoCode.INTERNAL, f"the process that decodes does not run (exit status {code}): {last}")

    def _read_stderr(self) -> str:
        try:
            return os.read(self._stderr, _LONGEST_ERROR).decode(errors="replace")
        except BlockingIOError:
            return ""


def _too_slow(limits: DecodeLimits) -> PhotoError:
    return PhotoError(PhotoCode.TOO_LARGE, f"decoding took longer than {limits.seconds:g} s (decode_timeout)")


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise TimeoutError
