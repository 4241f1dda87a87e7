"""What a daemon has loaded before its first photo: each module that it does without is memory of small boards."""

import subprocess
import sys

import pytest

from tests.support.daemon import environment

_START = """
import sys, dogid.commands.run, dogid.daemon.daemon
from dogid.model.classifier import load_model
from dogid.model.shipped import shipped_model
from dogid.web.server.listener import WebServer

load_model(shipped_model())  # its golden photo is a PNG
server = WebServer("127.0.0.1", 0)
server.start(lambda *_: [], 0)
print(*sys.modules)
server.stop()
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules of a process that has started what a daemon starts."""
    done = subprocess.run([sys.executable, "-c", _START], env=environment(), capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_daemon_without_outputs_imports_none_of_them(loaded: set[str]) -> None:
    found = {name for name in loaded if name.startswith(("dogid.outputs.", "msgspec"))}
    assert found == {"dogid.outputs.keeper", "dogid.outputs.source", "dogid.outputs.store_schema"}


def test_formats_are_loaded_with_their_first_photo(loaded: set[str]) -> None:
    formats = ("bmp", "gif", "isobmff", "tiff", "webp")
    plugins = ("Bmp", "Gif", "Jpeg", "Ppm", "Tiff", "WebP", "Avif")
    assert {f"dogid.photo.extent.{name}" for name in (*formats, "png", "jpeg")} & loaded == {
        "dogid.photo.extent.png", "dogid.photo.extent.jpeg",
    }  # fmt: skip
    assert {f"PIL.{name}ImagePlugin" for name in (*plugins, "Png")} & loaded == {"PIL.PngImagePlugin"}
    assert {"dogid.photo.tiff", "dogid.photo.webp", "dogid.photo.webp_header"}.isdisjoint(loaded)


def test_what_waits_for_a_person_is_not_loaded(loaded: set[str]) -> None:
    assert {"flask", "dogid.ledger.review_writer", "dogid.shelf.requests", "dogid.shelf.prune"}.isdisjoint(loaded)


def test_address_needs_no_tables_of_international_names(loaded: set[str]) -> None:
    assert {"encodings.idna", "stringprep"}.isdisjoint(loaded)
