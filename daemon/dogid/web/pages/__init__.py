"""The page for people, complete without JavaScript and live with it; start reading at `views.py`."""

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
    "seen": "/page/seen/<int:photo_id>",
    "login": "/page/login",
    "static": "/page/static/<name>",
}
"""The views of `Pages` by their names, and where they are found."""


def register(app: Flask, daemon: DaemonView) -> None:
    """Add the routes beneath /page; `/` itself is for the caller to route, to `index`."""
    app.extensions[_KEY] = pages = _WhenAsked(daemon)
    for name, address in _ROUTES.items():
        app.add_url_rule(address, f"page_{name}", _view(pages, name))


def index() -> Response:
    """Answer `GET /` with the page, in a request to an application that was registered."""
    pages: _WhenAsked = current_app.extensions[_KEY]
    return pages.get().index()


class _WhenAsked:
    """The pages, imported and made when somebody first looks: the daemon's start need not wait for them."""

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


def _view(pages: _WhenAsked, name: str) -> Any:
    def view(**values: Any) -> Any:
        return getattr(pages.get(), name)(**values)

    return view
