"""The page for people."""

from flask import Flask, Response

from dogid.service import Service


def index(service: Service) -> Response:  # noqa: ARG001
    """Return the status page."""
    return Response("<!doctype html><title>dogid</title>", mimetype="text/html")


def register(app: Flask, service: Service) -> None:
    """Add the page's own routes."""
