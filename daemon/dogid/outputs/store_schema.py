"""The tables of what outputs remember."""

FILE_NAME = "outputs.db"
"""In the state folder."""

VERSION = 4
"""Of the schema, in SQLite's user_version."""

UPGRADES = {
    1: """
ALTER TABLE outbox ADD COLUMN kind TEXT NOT NULL DEFAULT 'event';
ALTER TABLE parked ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE parked ADD COLUMN kind TEXT NOT NULL DEFAULT 'event';
ALTER TABLE parked ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
ALTER TABLE parked ADD COLUMN happened INTEGER NOT NULL DEFAULT 0;
ALTER TABLE test_request ADD COLUMN action TEXT NOT NULL DEFAULT 'test';
ALTER TABLE open_burst ADD COLUMN is_new INTEGER NOT NULL DEFAULT 0;
CREATE TABLE unsent_label (rule TEXT NOT NULL, label TEXT NOT NULL, PRIMARY KEY (rule, label)) STRICT, WITHOUT ROWID;
UPDATE parked SET kind = 'result' WHERE rule IS NULL;
UPDATE parked SET happened = at;
""",
    2: "ALTER TABLE outbox ADD COLUMN decided INTEGER;",
    3: "ALTER TABLE state ADD COLUMN missed INTEGER NOT NULL DEFAULT 0;",
}
"""By the version of a database, the statements that make it one of the next version."""

SCHEMA = """
-- Of which ids of deliveries begin: drawn anew where the ledger is another one.
CREATE TABLE stream (id TEXT NOT NULL) STRICT;

-- The outputs of the daemon's settings, in their order: commands beside it need not have its settings.
CREATE TABLE configured (output TEXT NOT NULL, type TEXT NOT NULL, enabled INTEGER NOT NULL) STRICT;

-- How far the rules ('') and each output have read the ledger.
CREATE TABLE cursor (reader TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- Events for outputs, in the order of their numbers; and what they refused that a person has them sent again.
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    output TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    rule TEXT NOT NULL,                      -- '' of what is no event
    count INTEGER NOT NULL,                  -- photos that the event stands for
    result_id INTEGER NOT NULL,
    at INTEGER NOT NULL,                     -- milliseconds since 1970, as all `at`
    kind TEXT NOT NULL DEFAULT 'event',      -- as of a Delivery
    decided INTEGER                          -- when, by the results' times; NULL: at `at`
) STRICT;
CREATE INDEX outbox_output ON outbox (output, number);

-- What an output refused.
CREATE TABLE parked (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    output TEXT NOT NULL,
    id TEXT NOT NULL,
    result_id INTEGER,
    rule TEXT,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,                     -- of the refusal
    seq INTEGER NOT NULL DEFAULT 0,
    kind TEXT NOT NULL DEFAULT 'event',
    count INTEGER NOT NULL DEFAULT 1,
    happened INTEGER NOT NULL DEFAULT 0      -- `at` of the delivery
) STRICT;
CREATE INDEX parked_output ON parked (output, number);

-- How each output is doing.
CREATE TABLE state (
    output TEXT PRIMARY KEY,
    sent INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,       -- attempts
    parked INTEGER NOT NULL DEFAULT 0,       -- ever
    sent_at INTEGER,
    error TEXT,                              -- of the last attempt; NULL where that was right
    error_since INTEGER,
    next_try INTEGER,
    missed INTEGER NOT NULL DEFAULT 0        -- events whose results the ledger had no more when they were due
) STRICT, WITHOUT ROWID;

-- What rules remember. Rules are known by their names.
CREATE TABLE known_label (label TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE unsent_label (rule TEXT NOT NULL, label TEXT NOT NULL, PRIMARY KEY (rule, label)) STRICT, WITHOUT ROWID;
CREATE TABLE last_event (
    rule TEXT NOT NULL, folder TEXT NOT NULL, label TEXT NOT NULL,
    at INTEGER NOT NULL,
    day TEXT NOT NULL,                       -- local
    PRIMARY KEY (rule, folder, label)
) STRICT, WITHOUT ROWID;
CREATE TABLE open_burst (
    rule TEXT NOT NULL, folder TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL,              -- times of the photos
    opened INTEGER NOT NULL, joined INTEGER NOT NULL,           -- times of the first and the last result
    count INTEGER NOT NULL,
    seq INTEGER NOT NULL, result_id INTEGER NOT NULL, label TEXT NOT NULL, score REAL NOT NULL,
    taken INTEGER NOT NULL, at INTEGER NOT NULL,
    is_new INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (rule, folder)
) STRICT, WITHOUT ROWID;
CREATE TABLE suppressed (rule TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (rule, reason))
    STRICT, WITHOUT ROWID;

-- What commands ask the daemon for, such as test messages, and the outcomes.
CREATE TABLE test_request (
    id TEXT PRIMARY KEY,
    output TEXT NOT NULL,
    at INTEGER NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0,
    ok INTEGER,                              -- NULL: not known yet
    detail TEXT,
    action TEXT NOT NULL DEFAULT 'test'      -- or 'retry', 'discard'
) STRICT, WITHOUT ROWID;

INSERT INTO cursor VALUES ('', -1);
"""
