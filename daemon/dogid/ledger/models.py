"""The models that results refer to."""

import json
import sqlite3
from collections.abc import Sequence


def register_model(db: sqlite3.Connection, name: str, sha256: str, labels: Sequence[str]) -> int:
    """Return the id by which results refer to a model: the name and sha256 of its file, its labels in order.

    Inside a transaction of the caller's.
    """
    db.execute(
        "INSERT INTO model (name, sha256, labels) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (name, sha256, json.dumps(labels, ensure_ascii=False)),
    )
    return int(db.execute("SELECT id FROM model WHERE sha256 = ? AND name = ?", (sha256, name)).fetchone()[0])
