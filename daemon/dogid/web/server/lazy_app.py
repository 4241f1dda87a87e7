"""A WSGI application that is made at the first request.

Flask with its dependencies takes 10 MB and a quarter of a second, which a daemon without requests saves, and every
daemon at its start.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

WsgiApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]


class LazyWsgiApp:
    """Makes another WSGI application at the first request, and passes all requests on to it."""

    def __init__(self, make: Callable[[], WsgiApplication]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._application: WsgiApplication | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Pass a request on; the first ones wait until the application is made."""
        with self._lock:
            if self._application is None:
                self._application = self._make()
        return self._application(environ, start_response)
