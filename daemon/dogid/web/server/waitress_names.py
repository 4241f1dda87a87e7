"""Checking that the undocumented parts of waitress that this package uses exist.

`tests/web/server/test_waitress_names.py` reads the package's code and holds this list to it.
"""

import contextlib
from collections.abc import Iterator
from types import FunctionType

from dogid.errors import DogidError

REQUIREMENT = "waitress>=3.0,<3.1"
"""As in pyproject.toml: a new minor version of waitress may change any of these names."""

PRIVATE_NAMES = {
    "HTTPChannel": (
        "_flush_outbufs_below_high_watermark", "adj", "connected", "error_task_class", "handle_close", "handle_write",
        "last_activity", "parser_class", "received", "request", "requests", "server", "service", "socket",
        "total_outbufs_len", "will_close", "writable", "write_soon",
    ),
    "TcpWSGIServer": (
        "active_channels", "add_task", "channel_class", "close", "handle_accept", "maintenance", "pull_trigger",
        "readable", "run", "task_dispatcher",
    ),
    "HTTPRequestParser": (
        "body_bytes_received", "body_rcv", "chunked", "close", "completed", "content_length", "error",
        "expect_continue", "headers", "headers_finished", "parse_header", "proxy_netloc", "received",
    ),
    "ErrorTask": (
        "channel", "close_on_finish", "content_length", "execute", "request", "response_headers", "status", "write",
    ),
    "ChunkedReceiver": ("control_line", "trailer"),
    "ThreadedTaskDispatcher": ("set_thread_count", "shutdown", "threads"),
}  # fmt: skip
"""Class of waitress -> names of its objects."""


@contextlib.contextmanager
def checked_waitress() -> Iterator[None]:
    """Import and start waitress within this context.

    Raise DogidError where the installed version lacks what this package needs of it.
    """
    try:
        missing = missing_names()
        if missing:
            raise AttributeError(f"it has no {', '.join(missing)}")
        yield
    except (ImportError, AttributeError, TypeError) as error:
        from importlib.metadata import version  # memory that a start without errors need not spend

        raise DogidError(
            f"the installed waitress {version('waitress')} does not fit dogid: {error}; "
            f"install one that does: pip install '{REQUIREMENT}'"
        ) from error


def missing_names() -> list[str]:
    """Return which of PRIVATE_NAMES the installed waitress lacks, as `Class.name`.

    Raise ImportError where a class is not where it was.
    """
    from waitress.channel import HTTPChannel
    from waitress.parser import HTTPRequestParser
    from waitress.receiver import ChunkedReceiver
    from waitress.server import TcpWSGIServer
    from waitress.task import ErrorTask, ThreadedTaskDispatcher

    kinds = (HTTPChannel, TcpWSGIServer, HTTPRequestParser, ErrorTask, ChunkedReceiver, ThreadedTaskDispatcher)
    return [
        f"{kind.__name__}.{name}"
        for kind in kinds
        for name in sorted(set(PRIVATE_NAMES[kind.__name__]) - names_of(kind))
    ]


def names_of(kind: type) -> set[str]:
    """Return the attributes of a class, and the names in those of its methods that set attributes of its objects."""
    setters = (vars(base).get(name) for base in kind.__mro__ for name in ("__init__", "parse_header"))
    return set(dir(kind)).union(*(setter.__code__.co_names for setter in setters if isinstance(setter, FunctionType)))
