"""The web page, complete without JavaScript and live with it; start reading at `views.py`."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app

from dogid.result_document import Result
from dogid.shelf.listing import ListedModel
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError
from dogid.web.older_answers import OlderAnswers
from dogid.web.recent_drift import RecentDrift

if TYPE_CHECKING:
    from dogid.web.api.upload import StoredPhoto
    from dogid.web.pages.views import Pages

_KEY = "dogid.pages"
_ROUTES = {
    "photo": "/page/photo/<int:photo_id>",
    "full": "/page/full/<int:photo_id>",
    "label": "/page/label",
    "original": "/page/original/<int:photo_id>",
    "thumbnail": "/page/thumbnail/<int:photo_id>",
    "model_input": "/page/seen/<int:photo_id>",
    "upload": "/page/upload",
    "login": "/page/login",
    "static": "/page/static/<name>",
}
"""Path of each view of `Pages`, by its name."""
_FORMS = {
    "say": "/page/review",
    "change_model": "/page/models",
    "answer": "/page/contradictions",
    "change_output": "/page/outputs",
}
"""Path of each view of `Pages` that takes what a form sends."""


def register(app: Flask, daemon: DaemonView, older_answers: OlderAnswers, drift: RecentDrift) -> None:
    """Add the routes below /page. The caller routes `/`, `/review`, `/models` and `/status` to the functions below.

    older_answers, drift: figures that `/status` has, too.
    """
    app.extensions[_KEY] = pages = _LazyPages(daemon, older_answers, drift)
    for name, address in _ROUTES.items():
        app.add_url_rule(address, f"page_{name}", _make_view(pages, name))
    for name, address in _FORMS.items():
        app.add_url_rule(address, f"page_{name}", _make_view(pages, name), methods=["POST"])


def index() -> Response:
    """Return the response to `GET /`, in a request to an application that `register` was called for."""
    return _pages().index()


def review(results: Sequence[Result], order: str) -> Response:
    """Return the page on which people review these results, chosen in this order."""
    return _pages().review(results, order)


def models(shelf: Sequence[ListedModel]) -> Response:
    """Return the page of the models on the shelf."""
    return _pages().models(shelf)


def status() -> Response:
    """Return the page of the daemon's state."""
    return _pages().status()


def upload(stored: "Sequence[StoredPhoto]") -> Response:
    """Return the page for uploads, after these photos were kept."""
    return _pages().upload(stored)


def refused_upload(error: ApiError) -> Response:
    """Return the page that says why an upload was refused."""
    return _pages().refused_upload(error)


def missing(status: int) -> Response:
    """Return the page that says that there is none at an address, with a status."""
    return _pages().missing(status)


def _pages() -> "Pages":
    pages: _LazyPages = current_app.extensions[_KEY]
    return pages.get()


class _LazyPages:
    """Pages that are imported and made at the first request, so that the daemon starts without them."""

    def __init__(self, daemon: DaemonView, older_answers: OlderAnswers, drift: RecentDrift) -> None:
        self._parts = daemon, older_answers, drift
        self._lock = threading.Lock()
        self._pages: Pages | None = None

    def get(self) -> "Pages":
        from dogid.web.pages.views import Pages

        with self._lock:
            if self._pages is None:
                self._pages = Pages(*self._parts)
            return self._pages


def _make_view(pages: _LazyPages, name: str) -> Any:
    def view(**values: Any) -> Any:
        return getattr(pages.get(), name)(**values)

    return view
