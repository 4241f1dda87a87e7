"""The web page, complete without JavaScript and live with it; start reading at `views.py`."""

import threading
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app

from dogid.web.daemon_view import DaemonView

if TYPE_CHECKING:
    from dogid.web.pages.views import Pages

_KEY = "dogid.pages"
_ROUTES = {
    "photo": "/page/photo/<int:photo_id>",
    "thumbnail": "/page/thumbnail/<int:photo_id>",
    "model_input": "/page/seen/<int:photo_id>",
    "login": "/page/login",
    "static": "/page/static/<name>",
}
"""Path of each view of `Pages`, by its name."""


def register(app: Flask, daemon: DaemonView) -> None:
    """Add the routes below /page. The caller routes `/` to `index`."""
    app.extensions[_KEY] = pages = _LazyPages(daemon)
    for name, address in _ROUTES.items():
        app.add_url_rule(address, f"page_{name}", _make_view(pages, name))


def index() -> Response:
    """Return the response to `GET /`, in a request to an application that `register` was called for."""
    pages: _LazyPages = current_app.extensions[_KEY]
    return pages.get().index()


class _LazyPages:
    """Pages that are imported and made at the first request, so that the daemon starts without them."""

    def __init__(self, daemon: DaemonView) -> None:
        self._daemon = daemon
        self._lock = threading.Lock()
        self._pages: Pages | None = None

    def get(self) -> "Pages":
        from dogid.web.pages.views import Pages

        with self._lock:
            if self._pages is None:
                self._pages = Pages(self._daemon)
            return self._pages


def _make_view(pages: _LazyPages, name: str) -> Any:
    def view(**values: Any) -> Any:
        return getattr(pages.get(), name)(**values)

    return view
