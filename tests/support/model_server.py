"""A real HTTP server on this machine that serves one file, and misbehaves as a test wants."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class ModelServer:
    """What is served, and how."""

    content: bytes
    break_after: list[int] = field(default_factory=list)
    """For each of the first requests, after how many bytes its line breaks."""
    ranges: bool = True
    """Whether requests for a part are understood."""
    endless: bool = False
    status: int = 200
    busy: list[int] = field(default_factory=list)
    """The status of each of the first answers, which are errors."""
    retry_after: str = ""
    """How long those ask to wait, in seconds or as a date."""
    location: str = ""
    """Where requests are redirected to; "" for nowhere."""
    version: str = ""
    """What answers carry as their ETag."""
    if_range: list[str] = field(default_factory=list)
    """The versions that requests for a part were bound to."""
    asked: list[str] = field(default_factory=list)
    """The range of each request, "" where it had none."""
    url: str = ""


@contextlib.contextmanager
def serving(content: bytes) -> Iterator[ModelServer]:
    """Serve content for as long as the context lasts."""
    served = ModelServer(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.headers.get("Range", ""))
            served.if_range += self.headers.get_all("If-Range", [])
            if served.location:
                self.send_response(302)
                self.send_header("Location", served.location)
                self.end_headers()
            elif served.busy:
                self.send_response(served.busy.pop(0))
                self.send_header("Content-Length", "0")
                if served.retry_after:
                    self.send_header("Retry-After", served.retry_after)
                self.end_headers()
            elif served.status != 200:
                self.send_error(served.status)
            elif served.endless:
                self._send_endlessly()
            else:
                self._send()

        def _send(self) -> None:
            asked = served.asked[-1].removeprefix("bytes=").removesuffix("-")
            start = int(asked) if asked and served.ranges else 0
            body = served.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(served.content) - 1}/{len(served.content)}")
            if served.version:
                self.send_header("ETag", served.version)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: served.break_after.pop(0)] if served.break_after else body)

        def _send_endlessly(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(bytes(65536))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
