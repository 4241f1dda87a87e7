"""The processes that decode photos for the daemon: started on demand, ended when late or no longer needed."""

import contextlib
import errno
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

PROCESS_BYTES = 24 << 20
"""Of memory that such a process takes beside the photo, for Python, numpy and Pillow: what it does not share."""

# A start costs 0.2 s on a PC and a second or two on the slowest boards, a waiting process 20 MB.
_IDLE_SECONDS = 5.0
_MOST_IDLE = 1
_CHUNK = 1 << 20
# Before the photo's time is over: less gives up the thread that waits, more gives photos less time.
_REPORT_SECONDS = 0.5
_CPU_MARGIN_SECONDS = 5
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
        self._closing: threading.Timer | None = None

    def decode(self, data: bytes, size: tuple[int, int], limits: DecodeLimits) -> DecodedPhoto:
        """Decode a photo to size = (width, height) in another process.

        Raise PhotoError as `decode` does, and: with `too_large` where it takes too long or too much memory; with
        `corrupt` where the decoder crashes. Raise OSError (ENOMEM) where the kernel ends the process.
        """
        process = self._take()
        is_sound = False
        try:
            photo = process.decode(data, size, limits)
            is_sound = True
        except PhotoError as error:
            is_sound = process.is_alive
            raise error from None
        finally:
            if is_sound:
                self._return(process)
            else:
                process.end()
        return photo

    def close(self) -> None:
        """End the processes that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def _take(self) -> "_Process":
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.is_alive:
                    return process
                process.end()
        return _Process()

    def _return(self, process: "_Process") -> None:
        with self._lock:
            if self._closing is not None:
                self._closing.cancel()
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(process)
                self._closing = threading.Timer(self._idle_seconds, self.close)
                self._closing.daemon = True
                self._closing.start()
                return
        process.end()


class _Process:
    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", "dogid.decoding.child"]
        self._popen = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=os.environ | {"MALLOC_ARENA_MAX": "1"},
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._stdin, self._stdout = self._popen.stdin.fileno(), self._popen.stdout.fileno()
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)

    @property
    def is_alive(self) -> bool:
        return self._popen.poll() is None

    def end(self) -> None:
        self._popen.kill()
        for stream in (self._popen.stdin, self._popen.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._popen.wait()

    def decode(self, data: bytes, size: tuple[int, int], limits: DecodeLimits) -> DecodedPhoto:
        deadline = time.monotonic() + limits.seconds - min(_REPORT_SECONDS, limits.seconds / 10)
        memory = limits.memory + 2 * len(data)
        seconds = int(limits.seconds) + _CPU_MARGIN_SECONDS
        try:
            self._write(REQUEST.pack(len(data), *size, limits.max_pixels, memory, seconds), deadline)
            self._write(data, deadline)
            outcome, complete, width, height, length = ANSWER.unpack(self._read(ANSWER.size, deadline))
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
        return DecodedPhoto(pixels, width, height, bool(complete))

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
        return OSError(errno.ENOMEM, f"the process that decoded it ended ({_describe(code)}), as memory ran out?")


def _too_slow(limits: DecodeLimits) -> PhotoError:
    return PhotoError(PhotoCode.TOO_LARGE, f"decoding took longer than {limits.seconds:g} s (decode_timeout)")


def _describe(code: int) -> str:
    return signal.strsignal(-code) or str(code) if code < 0 else f"exit status {code}"


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise TimeoutError
