"""What we use of waitress beyond its public interface is listed, is there, and is asked for by its version."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.receiver import ChunkedReceiver
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher

from dogid.errors import DogidError
from dogid.web.server import channel, waitress_names
from dogid.web.server.listener import WebServer
from tests.support.daemon import ROOT

VARIABLES: dict[str, type] = {
    "channel": HTTPChannel,
    "dispatcher": ThreadedTaskDispatcher,
    "receiver": ChunkedReceiver,
    "request": HTTPRequestParser,
    "slowest": HTTPChannel,
}
"""Names of variables in our code, and of what class of waitress' they are."""

BASES = {kind.__name__: kind for kind in (ErrorTask, HTTPChannel, HTTPRequestParser, TcpWSGIServer)}


def _used(scope: ast.AST, base: type | None) -> Iterator[tuple[type, str]]:
    """Yield each (class of waitress, name) that a piece of our code uses; base is the class of its `self`."""
    for node in ast.iter_child_nodes(scope):
        inner = base
        if isinstance(node, ast.ClassDef):
            inner = next(
                (BASES[name.id] for name in node.bases if isinstance(name, ast.Name) and name.id in BASES), None
            )
        elif isinstance(node, ast.Attribute):
            value = node.value
            owner = value.attr if isinstance(value, ast.Attribute) else getattr(getattr(value, "func", value), "id", "")
            kind = base if owner in ("self", "super") else VARIABLES.get(owner)
            if kind is not None:
                yield kind, node.attr
        elif isinstance(node, ast.FunctionDef) and isinstance(scope, ast.ClassDef) and base is not None:
            yield base, node.name
        yield from _used(node, inner)


def test_every_private_name_in_use_is_listed() -> None:
    modules = Path(channel.__file__).parent.glob("*.py")
    used = {pair for module in modules for pair in _used(ast.parse(module.read_text()), None)}
    theirs = {(kind, name) for kind, name in used if name in waitress_names.names_of(kind) and name[:2] != "__"}
    assert len(theirs) > 40, "the search finds nothing"
    assert {(kind.__name__, name) for kind, name in theirs} <= {
        (kind, name) for kind, names in waitress_names.PRIVATE_NAMES.items() for name in names
    }


def test_installed_waitress_has_all_names() -> None:
    assert waitress_names.missing_names() == []


def test_start_names_missing_part_and_version_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(HTTPChannel, "_flush_outbufs_below_high_watermark")
    server = WebServer("127.0.0.1", 0)
    try:
        with pytest.raises(DogidError, match=r"no HTTPChannel\._flush_outbufs.*pip install 'waitress>=3"):
            server.start(lambda *_: [], 0)
    finally:
        server.stop()


def test_requirement_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert waitress_names.REQUIREMENT in project["dependencies"]
