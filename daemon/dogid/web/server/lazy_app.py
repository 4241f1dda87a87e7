"""The application, made when somebody asks for the first time.

Flask with all it brings takes 10 MB and a quarter of a second: a daemon that nobody asks need not spend them, and its
start need not wait for them.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

WsgiApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]


class LazyWsgiApp:
    """A WSGI application that stands for another."""

    def __init__(self, make: Callable[[], WsgiApplication]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._application: WsgiApplication | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request; the first ones wait until the application is there."""
        with self._lock:
            if self._application is None:
                self._application = self._make()
        return self._application(environ, start_response)
