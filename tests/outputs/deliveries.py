"""Deliveries and contexts for outputs that are tried without a daemon."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dogid.outputs.output import Delivery, Output, OutputContext
from dogid.result_document import result_document
from dogid.status import Health
from tests.support.photos import photo


def make_context(folder: Path, **others: Any) -> OutputContext:
    """Return what an output of the name `it` gets from its daemon."""
    given: dict[str, Any] = {
        "name": "it",
        "daemon_name": "barn",
        "folder": folder,
        "inbox": folder,
        "page_url": "http://127.0.0.1:8000/",
        "read_status": dict,
        "read_health": lambda: Health(ok=True, reason="", checked_at=0.0),
        "reader": lambda: sqlite3.connect(":memory:"),
        "list_labels": lambda: ["pug", "other"],
        "make_thumbnail": lambda _: photo(1, size=(32, 32)),
    }
    return OutputContext(**(given | others))


def make_delivery(number: int = 1, *, file: str = "gate/rex.jpg", label: str = "pug", **others: Any) -> Delivery:
    """Return the delivery of an event, with an id and seq of this number."""
    result = result_document(
        number=number, file=file, status="classified", scores={label: 0.875}, classified_ms=1_790_000_000_000
    )
    given: dict[str, Any] = {
        "id": f"0a1b2c3d-{number}",
        "seq": number,
        "kind": "event",
        "result": result,
        "at_ms": 1_790_000_000_000,
        "rule": "dogs",
    }
    return Delivery(**(given | others))


def send(output: Output, deliveries: Sequence[Delivery]) -> list[int]:
    """Have deliveries sent; return what was acknowledged on the way."""
    acknowledged: list[int] = []
    output.send(deliveries, acknowledged.append)
    return acknowledged
