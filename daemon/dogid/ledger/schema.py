"""The ledger's tables, and how an older ledger becomes a newer one."""

import contextlib
import itertools
import sqlite3

from dogid import __version__
from dogid.clock import Clock
from dogid.inbox.scan import Version
from dogid.ledger.damage import DamagedLedgerError

_FIRST = """
CREATE TABLE model (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    labels TEXT NOT NULL,                    -- a JSON list
    UNIQUE (sha256, name)
) STRICT;

-- A row is one version of one photo.
CREATE TABLE photo (
    id INTEGER PRIMARY KEY AUTOINCREMENT,    -- only grows, also after rows were deleted
    path BLOB NOT NULL,                      -- relative to the inbox, the file system's own bytes
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,                   -- bytes
    mtime_ns INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'classified', 'failed', 'superseded')),
    seen_at INTEGER NOT NULL,                -- milliseconds since 1970, as all `_at`
    superseded_by INTEGER REFERENCES photo (id) ON DELETE SET NULL,

    -- while pending, on the steady clock of the process that runs, in milliseconds
    still_since INTEGER NOT NULL DEFAULT 0,  -- the version has not changed since
    due INTEGER NOT NULL DEFAULT 0,          -- not to be tried before; 0: now
    attempts INTEGER NOT NULL DEFAULT 0,

    classified_at INTEGER,                   -- when it was classified or failed
    model_id INTEGER REFERENCES model (id),
    label TEXT,
    score REAL,
    scores TEXT,                             -- a JSON object, best first
    sha256 TEXT,
    width INTEGER,                           -- pixels, upright
    height INTEGER,
    decode_ms REAL,
    invoke_ms REAL,
    total_ms REAL,
    error_code TEXT,                         -- failed: why; pending: what it waits for
    error_message TEXT,
    seq INTEGER,                             -- order of results; grows with every result

    CHECK ((superseded_by IS NULL) OR state = 'superseded'),
    CHECK (state != 'pending' OR (label IS NULL AND seq IS NULL)),
    CHECK (state != 'classified' OR (label IS NOT NULL AND seq IS NOT NULL AND error_code IS NULL)),
    CHECK (state != 'failed' OR (label IS NULL AND seq IS NOT NULL AND error_code IS NOT NULL))
) STRICT;

-- One current row for each photo: what makes a photo impossible to count twice.
CREATE UNIQUE INDEX photo_current ON photo (path) WHERE state != 'superseded';
CREATE INDEX photo_ready ON photo (id) WHERE state = 'pending' AND due = 0;
CREATE INDEX photo_waiting ON photo (due) WHERE state = 'pending' AND due > 0;
CREATE INDEX photo_inode ON photo (inode) WHERE state != 'superseded';
CREATE INDEX photo_state ON photo (state, id);
CREATE INDEX photo_label ON photo (label, id) WHERE state = 'classified';
CREATE UNIQUE INDEX photo_seq ON photo (seq) WHERE seq IS NOT NULL;
CREATE INDEX photo_successor ON photo (superseded_by) WHERE superseded_by IS NOT NULL;

-- What happened to a photo besides being seen and answered, which the photo's own row holds.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    photo_id INTEGER NOT NULL REFERENCES photo (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX event_photo ON event (photo_id);

-- How many rows are in each state: counting a million rows would take longer than an answer may.
CREATE TABLE tally (state TEXT PRIMARY KEY, rows INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO tally VALUES ('pending', 0), ('classified', 0), ('failed', 0), ('superseded', 0);
CREATE TRIGGER photo_inserted AFTER INSERT ON photo BEGIN
    UPDATE tally SET rows = rows + 1 WHERE state = new.state;
END;
CREATE TRIGGER photo_moved AFTER UPDATE OF state ON photo WHEN old.state != new.state BEGIN
    UPDATE tally SET rows = rows - 1 WHERE state = old.state;
    UPDATE tally SET rows = rows + 1 WHERE state = new.state;
END;
CREATE TRIGGER photo_deleted AFTER DELETE ON photo BEGIN
    UPDATE tally SET rows = rows - 1 WHERE state = old.state;
END;

CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counter VALUES ('seq', 0);
"""

_HISTORIES = """
-- Shared by all versions of one photo; NULL while there is but one, as there is of most.
ALTER TABLE photo ADD COLUMN history_id INTEGER;
WITH RECURSIVE version (id, history_id) AS (
    SELECT DISTINCT photo.id, photo.id FROM photo JOIN photo AS former ON former.superseded_by = photo.id
    WHERE photo.superseded_by IS NULL
    UNION ALL
    SELECT photo.id, version.history_id FROM photo JOIN version ON photo.superseded_by = version.id
)
UPDATE photo SET history_id = version.history_id FROM version WHERE version.id = photo.id;
CREATE INDEX photo_history ON photo (history_id, id) WHERE history_id IS NOT NULL;

-- No id is given above `reserved`, which is on disk before: no id is given twice, whatever a power cut takes.
-- Before, a ledger that was not closed went on 100000 higher.
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'photo', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'photo');
UPDATE sqlite_sequence SET seq = seq + 100000
    WHERE name = 'photo' AND EXISTS (SELECT 1 FROM counter WHERE name = 'closed' AND value = 0);
DELETE FROM counter WHERE name = 'closed';
INSERT INTO counter SELECT 'reserved', seq FROM sqlite_sequence WHERE name = 'photo';
"""

_PRESENCE = """
ALTER TABLE photo ADD COLUMN ctime_ns INTEGER;           -- NULL: of an older dogid, to be noted without a question
ALTER TABLE photo ADD COLUMN maybe_former_id INTEGER;    -- pending: the row of the same file, if its content agrees
ALTER TABLE photo ADD COLUMN absent_at INTEGER;          -- since when the file is known not to be in the inbox
CREATE INDEX photo_present ON photo (id) WHERE state != 'superseded' AND absent_at IS NULL;
CREATE INDEX photo_absent ON photo (id) WHERE absent_at IS NOT NULL;
CREATE INDEX photo_maybe_former ON photo (maybe_former_id) WHERE maybe_former_id IS NOT NULL;
INSERT INTO tally VALUES ('absent', 0);                  -- classified rows whose file is not in the inbox
CREATE TRIGGER photo_presence AFTER UPDATE OF absent_at, state ON photo BEGIN
    UPDATE tally SET rows = rows - 1
        WHERE state = 'absent' AND old.state = 'classified' AND old.absent_at IS NOT NULL;
    UPDATE tally SET rows = rows + 1
        WHERE state = 'absent' AND new.state = 'classified' AND new.absent_at IS NOT NULL;
END;
CREATE TRIGGER photo_absent_deleted AFTER DELETE ON photo
    WHEN old.state = 'classified' AND old.absent_at IS NOT NULL BEGIN
    UPDATE tally SET rows = rows - 1 WHERE state = 'absent';
END;
"""

_REVIEWS = """
-- What people said about contents. Rows are added and never changed; the newest of a content stands.
CREATE TABLE review (
    id INTEGER PRIMARY KEY,                  -- counted together with the results' `seq`: no two share a number
    sha256 TEXT NOT NULL,
    photo_id INTEGER NOT NULL,               -- the result that was looked at, and its path then; both may be gone
    path BLOB NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('labelled', 'confirmed', 'unsure', 'withdrawn')),
    label TEXT,
    reviewer TEXT NOT NULL,
    at INTEGER NOT NULL,
    model_id INTEGER REFERENCES model (id),  -- whose answer it was about, and that answer; NULL: there was none
    model_label TEXT,
    model_score REAL,
    CHECK ((label IS NOT NULL) = (verdict IN ('labelled', 'confirmed')))
) STRICT;
CREATE INDEX review_content ON review (sha256, id);
CREATE INDEX review_label ON review (label) WHERE label IS NOT NULL;
-- a third of the size of one of whole hashes, and as good: no two photos of a ledger share 64 bits
CREATE INDEX photo_content ON photo (substr(sha256, 1, 16)) WHERE sha256 IS NOT NULL;

-- What the network before the model's last layer made of the newest photos. Rows come in the order of their numbers,
-- so that they need no index, and three of 1,280 bytes fit into a page.
CREATE TABLE recent_embedding (
    photo_id INTEGER PRIMARY KEY REFERENCES photo (id) ON DELETE CASCADE,
    network TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;

-- The same of all contents that were reviewed, also where the photo has gone.
CREATE TABLE reviewed_embedding (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL,
    network TEXT NOT NULL,
    data BLOB NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (sha256, network)
) STRICT;
"""

_TAKEN_AT = """
ALTER TABLE photo ADD COLUMN taken_at TEXT;              -- by its EXIF: ISO 8601, with an offset where it has one
"""

_FOLDERS = """
-- By the first folder with its slash, which is a camera's: which there are, and the photos of one, newest first.
-- Photos that lie in the inbox itself cost nothing.
CREATE INDEX photo_folder ON photo (substr(path, 1, instr(path, x'2f')), id)
    WHERE state != 'superseded' AND instr(path, x'2f') > 0;
"""

MIGRATIONS = (_FIRST, _HISTORIES, _PRESENCE, _REVIEWS, _TAKEN_AT, _FOLDERS)
"""Each brings a ledger from the version of its position to the next. Published ones are never edited."""

_MOST_VERSION = 10_000  # no dogid ever has as many; lower refuses fewer ledgers of unknown origin
_COUNTERS = frozenset({"seq", "reserved"})
_TALLIED = frozenset({"pending", "classified", "failed", "superseded", "absent"})

RETURNED = "the file is there again"
"""Detail of the event of that name."""

MOST_EVENTS = 100
"""Events that are kept of one result. More make the pages of its history longer, which no page may become at will."""

REPLACED = "replaced"
"""Kind of an event that holds an answer before the present one: `ledger/replays` writes and reads it."""

_DELETE_OLD_EVENTS = """DELETE FROM event
    WHERE photo_id = :photo AND kind != 'linked' AND (kind = :replaced) = :is_replaced AND id <= (
        SELECT id FROM event WHERE photo_id = :photo AND (kind = :replaced) = :is_replaced
        ORDER BY id DESC LIMIT 1 OFFSET :most
    )"""


_NOTE_VERSION = "INSERT OR REPLACE INTO counter VALUES ('schema', {})"
"""The version a second time, beside SQLite's `user_version`: one of the two alone may be damaged."""


class NewerLedgerError(Exception):
    """The ledger was written by a later version of dogid."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest schema, a transaction for each step.

    Raise NewerLedgerError, or DamagedLedgerError where the database is not one that dogid made.
    """
    version = _check_version(connection)
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        note = _NOTE_VERSION.format(number)
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\n{note};\nPRAGMA user_version = {number};\nCOMMIT;")


def _check_version(connection: sqlite3.Connection) -> int:
    """Return the version of the schema. Raise NewerLedgerError, or DamagedLedgerError."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
            raise DamagedLedgerError("the tables are not dogid's")
        return 0
    noted = connection.execute("SELECT value FROM counter WHERE name = 'schema'").fetchone()
    expected = len(MIGRATIONS) if noted is None else noted[0]
    is_certain = noted is not None and version == expected
    if version > len(MIGRATIONS) and (is_certain or _is_deliberate(version, expected)):
        raise NewerLedgerError(f"its format is number {version}, and dogid {__version__} knows up to {len(MIGRATIONS)}")
    if not 0 < version <= len(MIGRATIONS) or (noted is not None and version != expected):
        raise DamagedLedgerError(f"the ledger is of version {expected}, and its header says {version}")
    return int(version)


def _is_deliberate(version: int, expected: int) -> bool:
    """Whether a version can hardly come of damage, as it differs in more than one byte from the one expected."""
    changed = (version ^ expected).to_bytes(4)
    return version < _MOST_VERSION and sum(byte != 0 for byte in changed) > 1


def check_tables(connection: sqlite3.Connection) -> None:
    """Raise DamagedLedgerError where a migrated database lacks something that dogid's has."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as sound:
        migrate(sound)
        missing = _describe_tables(sound) - _describe_tables(connection)
    if missing:
        raise DamagedLedgerError(f"the tables are not dogid's: {min(missing)[1]}")
    counters = {name for (name,) in connection.execute("SELECT name FROM counter")}
    states = {state for (state,) in connection.execute("SELECT state FROM tally")}
    if not counters >= _COUNTERS or not states >= _TALLIED:
        raise DamagedLedgerError("a counter is missing")


def _describe_tables(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Return each index and trigger with its statement, and each column of each table."""
    tables = connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master WHERE type != 'table'")
    columns = connection.execute(
        "SELECT 'column', sqlite_master.name, info.name, info.type, info.pk"
        " FROM sqlite_master, pragma_table_info(sqlite_master.name) AS info WHERE sqlite_master.type = 'table'"
    )
    return {tuple(map(str, row)) for row in itertools.chain(tables, columns)}


def version_of(row: sqlite3.Row) -> Version:
    """Return the version of the file that a row of photos is about."""
    return Version(row["inode"], row["size"], row["mtime_ns"], row["ctime_ns"])


def note(db: sqlite3.Connection, clock: Clock, photo_id: int, kind: str, detail: str) -> None:
    """Add an event to a photo's history; the oldest is deleted where a result has more than MOST_EVENTS.

    A file that is touched every minute has one result, and half a million events a year. That a file has several names
    is kept: the audit needs it; and so are as many former answers.
    """
    db.execute(
        "INSERT INTO event (photo_id, at, kind, detail) VALUES (?, ?, ?, ?)",
        (photo_id, clock.wall_ms(), kind, detail),
    )
    values = {"photo": photo_id, "most": MOST_EVENTS, "replaced": REPLACED, "is_replaced": kind == REPLACED}
    db.execute(_DELETE_OLD_EVENTS, values)
