"""Making the indexes of the table `photo` anew where they disagree with it: damage of one bit is seen in neither.

The caller begins the transaction, and looks at the files that decide between two paths of one photo.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import NamedTuple

from dogid.inbox.scan import Version
from dogid.ledger.counters import count_damage, take_next_seq
from dogid.ledger.damage import DamagedLedgerError, is_of_contents
from dogid.ledger.former_versions import FormerVersions
from dogid.ledger.schema import version_of

_UNLIKE_PATHS = """SELECT entry.path AS entry_path, photo.id, photo.path, inode, size, mtime_ns, ctime_ns
    FROM (SELECT id, path FROM photo INDEXED BY photo_current WHERE state != 'superseded') AS entry
    CROSS JOIN photo ON photo.id = entry.id WHERE entry.path != photo.path
    AND typeof(entry.path) = 'blob' AND typeof(photo.path) = 'blob'"""
_INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'photo' AND sql IS NOT NULL"
_TWINS = """SELECT photo.id, newest FROM photo JOIN (
        SELECT path, max(id) AS newest FROM photo WHERE state != 'superseded' GROUP BY path HAVING count(*) > 1
    ) AS twin ON twin.path = photo.path AND photo.id < newest
    WHERE state != 'superseded' ORDER BY photo.id"""
_SHARED_NUMBERS = """SELECT photo.id FROM photo JOIN (
        SELECT seq, min(id) AS first FROM photo WHERE seq IS NOT NULL GROUP BY seq HAVING count(*) > 1
    ) AS shared ON shared.seq = photo.seq AND photo.id > first ORDER BY photo.id"""


class UnlikePaths(NamedTuple):
    """A photo whose path in the index is not that in its row: one of them is damaged."""

    id: int
    in_index: bytes
    in_row: bytes
    version: Version


def find_unlike_paths(db: sqlite3.Connection) -> list[UnlikePaths]:
    """Compare the paths of all current photos with their index."""
    rows = db.execute(_UNLIKE_PATHS).fetchall()
    return [UnlikePaths(row["id"], row["entry_path"], row["path"], version_of(row)) for row in rows]


def rebuild_indexes(
    db: sqlite3.Connection,
    former_versions: FormerVersions,
    paths: Mapping[int, bytes],
    repair_rows: Callable[[], int],
) -> int:
    """Make the indexes anew, and repair what prevents it; return how many rows were repaired.

    paths: right paths, by the ids of photos whose rows have damaged ones. repair_rows is called while there are no
    indexes: a row cannot be changed where one of them lacks it. Raise DamagedLedgerError where pages are damaged, too:
    to remove an index might then free pages of the table.
    """
    (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok" and not is_of_contents(verdict):
        found = "; ".join(verdict.split("\n"))
        raise DamagedLedgerError(f"database disk image is malformed: {found}")
    indexes = db.execute(_INDEXES).fetchall()
    for name, _ in indexes:
        db.execute(f"DROP INDEX {name}")
    db.executemany("UPDATE photo SET path = ? WHERE id = ?", [(path, photo_id) for photo_id, path in paths.items()])
    repaired = len(paths) + repair_rows()
    # the newer of two current rows was made because the index hid the older one
    twins = db.execute(_TWINS).fetchall()
    for former, newest in twins:
        former_versions.join(former, newest)
    shared = db.execute(_SHARED_NUMBERS).fetchall()
    for (photo_id,) in shared:
        db.execute("UPDATE photo SET seq = ? WHERE id = ?", (take_next_seq(db), photo_id))
    for _, statement in indexes:
        db.execute(statement)
    for table in ("event", "model", "review", "reviewed_embedding"):
        db.execute(f"REINDEX {table}")
    count_damage(db, len(paths) + len(twins) + len(shared))
    return repaired + len(twins) + len(shared)
