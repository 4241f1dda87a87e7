"""Whatever a column of a row holds, what is left of the row can be written, and the other rows stay."""

import random
import sqlite3
from pathlib import Path

import pytest

from dogid.errors import PhotoCode
from dogid.ledger.database import FILE_NAME
from dogid.ledger.row_repair import Columns, Value, repair_row
from dogid.ledger.salvage import salvage
from dogid.ledger.schema import migrate
from tests.ledger.ledger_folder import Inbox, add, add_classified, fail
from tests.support.photos import put

STATES = ["pending", "classified", "failed", "superseded", "superseded unanswered", "superseded failed"]
VALUES: list[Value] = [
    None, "", b"", 0, 7, -1, 0.5, float("inf"), "cat", b"\xff", "[" * 100_000, '{"\\ud800": 1.0}', '{"cat": 1.0}',
]  # fmt: skip


def new_ledger() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    migrate(db)
    return db


def fill(inbox: Inbox) -> None:
    """Give the ledger four photos of each state; with two before the present ones, a failed and an unanswered one."""
    for number in range(4):
        add_classified(inbox, f"classified-{number}")
        fail(inbox, add(inbox, f"failed-{number}"), PhotoCode.CORRUPT)
        add(inbox, f"pending-{number}")
    for name in ("classified-0", "failed-0"):
        put(inbox.folder / name, b"another")
        inbox.observe(name)
    inbox.ledger.connection.db.execute(  # as a photo that took the name of another which was pending
        "INSERT INTO photo (path, inode, size, mtime_ns, state, seen_at) VALUES (x'61', 1, 1, 1, 'superseded', 1)"
    )


def rows_by_state(inbox: Inbox) -> dict[str, Columns]:
    found: dict[str, Columns] = {}
    for row in inbox.db.execute("SELECT * FROM photo"):
        kind = ""
        if row["state"] == "superseded" and row["label"] is None:
            kind = " unanswered" if row["error_code"] is None else " failed"
        found[row["state"] + kind] = dict(zip(row.keys(), row, strict=True))
    return found


@pytest.mark.parametrize("state", STATES)
def test_repaired_row_can_be_written_and_is_whole(inbox: Inbox, state: str) -> None:
    fill(inbox)
    sound, db = rows_by_state(inbox)[state], new_ledger()
    db.execute("PRAGMA foreign_keys = OFF")
    insert = f"INSERT INTO photo ({','.join(sound)}) VALUES ({','.join('?' * len(sound))})"
    labels = {inbox.model_id: frozenset({"cat"})}

    for known in (labels, {}):
        assert repair_row(sound, known) == sound
        for column in sound.keys() - {"id"}:
            for value in VALUES:
                row = repair_row(sound | {column: value}, known)
                if row is None:
                    continue
                assert repair_row(row, known) == row
                if row["seq"] is None and row["state"] in ("classified", "failed"):
                    row["seq"] = 1  # the caller counts
                db.execute(insert, tuple(row.values()))
                db.execute("DELETE FROM photo")


@pytest.mark.parametrize("length", [1, 16])
def test_changed_bytes_cost_few_rows(inbox: Inbox, tmp_path: Path, length: int) -> None:
    fill(inbox)
    (total,) = inbox.db.execute("SELECT count(*) FROM photo").fetchone()
    inbox.db.close()
    inbox.ledger.close()
    data, chance = (inbox.state / FILE_NAME).read_bytes(), random.Random(length)
    leaf = next(
        page for page in range(0, len(data), 4096) if data[page] == 13 and b"classified-3" in data[page : page + 4096]
    )
    content = leaf + int.from_bytes(data[leaf + 5 : leaf + 7])  # not the page's own header: that costs all rows
    for case in range(100):
        place = chance.randrange(content, leaf + 4096 - length)
        path = tmp_path / f"{case}.db"
        written = chance.choice((b"\0", b"\x0c", b"\x0d", chance.randbytes(1))) * length  # null, empty blob, empty text
        path.write_bytes(data[:place] + written + data[place + length :])
        db = new_ledger()

        salvage(path, db)

        left = db.execute("SELECT count(*) FROM photo").fetchone()[0]
        assert left >= total - 2, f"{length} bytes at {place}"
    inbox.open()


def test_row_that_the_new_ledger_refuses_is_lost_alone(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    fill(inbox)
    db = new_ledger()
    db.execute("CREATE TRIGGER refuse BEFORE INSERT ON photo WHEN new.id = 1 BEGIN SELECT raise(ABORT, 'no'); END")

    found = salvage(inbox.state / FILE_NAME, db)

    assert found.lost == 1
    assert "row 1 of the damaged ledger cannot be saved" in caplog.text
    (total,) = inbox.db.execute("SELECT count(*) FROM photo").fetchone()
    assert db.execute("SELECT count(*) FROM photo").fetchone()[0] == total - 1
