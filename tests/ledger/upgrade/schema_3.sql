BEGIN TRANSACTION;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "counter" VALUES('reserved',8);
INSERT INTO "counter" VALUES('schema',3);
INSERT INTO "counter" VALUES('seq',7);
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    photo_id INTEGER NOT NULL REFERENCES photo (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
INSERT INTO "event" VALUES(1,5,1700000002000,'left','the file has left the inbox');
INSERT INTO "event" VALUES(2,6,1700000002000,'renamed','from old-name.jpg to new-name.jpg');
CREATE TABLE model (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    labels TEXT NOT NULL,                    -- a JSON list
    UNIQUE (sha256, name)
) STRICT;
INSERT INTO "model" VALUES(1,'m.tflite','00','["cat"]');
INSERT INTO "model" VALUES(2,'second.tflite','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','["cat", "dog", "fox"]');
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
    seq INTEGER, history_id INTEGER, ctime_ns INTEGER, maybe_former_id INTEGER, absent_at INTEGER,                             -- order of results; grows with every result

    CHECK ((superseded_by IS NULL) OR state = 'superseded'),
    CHECK (state != 'pending' OR (label IS NULL AND seq IS NULL)),
    CHECK (state != 'classified' OR (label IS NOT NULL AND seq IS NOT NULL AND error_code IS NULL)),
    CHECK (state != 'failed' OR (label IS NULL AND seq IS NOT NULL AND error_code IS NOT NULL))
) STRICT;
INSERT INTO "photo" VALUES(1,X'706C61696E2E6A7067',2925802,9,1795933427917749855,'classified',1700000000000,NULL,5000,0,1,1700000000000,1,'cat',1.0,'{"cat": 1.0}','1c1aa07d2d9925c137170ffa48f48d8865af632068a07747c244448b44699cd4',1,1,1.0,1.0,1.0,NULL,NULL,1,NULL,1795933427917749855,NULL,NULL);
INSERT INTO "photo" VALUES(2,X'6F7665727772697474656E2E6A7067',2925805,15,1795933427944263070,'superseded',1700000000000,3,5000,0,1,1700000000000,1,'cat',1.0,'{"cat": 1.0}','5ce490415398cbf406defcf6c6c70178b600964daa0e7e4bac211f12df800b3c',1,1,1.0,1.0,1.0,NULL,NULL,2,2,1795933427944263070,NULL,NULL);
INSERT INTO "photo" VALUES(3,X'6F7665727772697474656E2E6A7067',2925805,6,1795933427947346862,'classified',1700000001000,NULL,6000,0,1,1700000001000,1,'cat',1.0,'{"cat": 1.0}','16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4',1,1,1.0,1.0,1.0,NULL,NULL,3,2,1795933427947346862,NULL,NULL);
INSERT INTO "photo" VALUES(4,X'62726F6B656E2E6A7067',2925806,10,1795933427956659078,'failed',1700000001000,NULL,6000,0,1,1700000001000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'corrupt','bad',4,NULL,1795933427956659078,NULL,NULL);
INSERT INTO "photo" VALUES(5,X'676F6E652E6A7067',2925807,8,1795933427964443775,'classified',1700000001000,NULL,6000,0,1,1700000001000,1,'cat',1.0,'{"cat": 1.0}','9b6171f2cfda0d9013f90ef6e256652b98b18d74443792203e2ae8021f90d1a2',1,1,1.0,1.0,1.0,NULL,NULL,5,NULL,1795933427964443775,NULL,1700000002000);
INSERT INTO "photo" VALUES(6,X'6E65772D6E616D652E6A7067',2925807,12,1795933427974768993,'classified',1700000002000,NULL,7000,0,1,1700000002000,1,'cat',1.0,'{"cat": 1.0}','895cc90c2ccc302dc3e125c6caee7159995ab327c992e03e062167f641072050',1,1,1.0,1.0,1.0,NULL,NULL,6,NULL,1795933427974768993,NULL,NULL);
INSERT INTO "photo" VALUES(7,X'666F782E6A7067',2925810,7,1795933427981343293,'classified',1700000003000,NULL,8000,0,1,1700000003000,2,'fox',1.0,'{"fox": 1.0}','f036575a9e01d7e40596255ce078f56d1892c3eaa643579fbecd0070aea0a715',1,1,1.0,1.0,1.0,NULL,NULL,7,NULL,1795933427981343293,NULL,NULL);
INSERT INTO "photo" VALUES(8,X'70656E64696E672E6A7067',2925811,11,1795933427982214373,'pending',1700000003000,NULL,8000,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1795933427982214373,NULL,NULL);
CREATE TABLE tally (state TEXT PRIMARY KEY, rows INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "tally" VALUES('absent',1);
INSERT INTO "tally" VALUES('classified',5);
INSERT INTO "tally" VALUES('failed',1);
INSERT INTO "tally" VALUES('pending',1);
INSERT INTO "tally" VALUES('superseded',1);
CREATE UNIQUE INDEX photo_current ON photo (path) WHERE state != 'superseded';
CREATE INDEX photo_ready ON photo (id) WHERE state = 'pending' AND due = 0;
CREATE INDEX photo_waiting ON photo (due) WHERE state = 'pending' AND due > 0;
CREATE INDEX photo_inode ON photo (inode) WHERE state != 'superseded';
CREATE INDEX photo_state ON photo (state, id);
CREATE INDEX photo_label ON photo (label, id) WHERE state = 'classified';
CREATE UNIQUE INDEX photo_seq ON photo (seq) WHERE seq IS NOT NULL;
CREATE INDEX photo_successor ON photo (superseded_by) WHERE superseded_by IS NOT NULL;
CREATE INDEX event_photo ON event (photo_id);
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
CREATE INDEX photo_history ON photo (history_id, id) WHERE history_id IS NOT NULL;
CREATE INDEX photo_present ON photo (id) WHERE state != 'superseded' AND absent_at IS NULL;
CREATE INDEX photo_absent ON photo (id) WHERE absent_at IS NOT NULL;
CREATE INDEX photo_maybe_former ON photo (maybe_former_id) WHERE maybe_former_id IS NOT NULL;
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('photo',8);
COMMIT;
PRAGMA user_version = 3;
