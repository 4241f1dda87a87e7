"""The page for people: server-rendered, small, and complete without JavaScript; with it, live."""

from typing import TYPE_CHECKING

from flask import Flask, Response, current_app

if TYPE_CHECKING:
    from dogid.service import Service
    from dogid.web.pages.views import Pages

_KEY = "dogid.pages"


def register(app: Flask, service: "Service") -> None:
    """Add the routes beneath /page; `/` itself is for the caller to route, to `index`."""
    from dogid.web.pages.views import Pages, add_routes

    app.extensions[_KEY] = pages = Pages(service)
    add_routes(app, pages)


def index(service: "Service") -> Response:  # noqa: ARG001  # the service is the one that was registered
    """Answer `GET /` with the page, in a request to an application that was registered."""
    pages: Pages = current_app.extensions[_KEY]
    return pages.index()
