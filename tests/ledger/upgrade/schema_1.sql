BEGIN TRANSACTION;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "counter" VALUES('closed',1);
INSERT INTO "counter" VALUES('seq',13);
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    photo_id INTEGER NOT NULL REFERENCES photo (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
INSERT INTO "event" VALUES(1,4,1700000011000,'renamed','from before.jpg to after.jpg');
INSERT INTO "event" VALUES(2,6,1700000015000,'touched','the file''s date or place changed, its content did not');
INSERT INTO "event" VALUES(3,10,1700000020000,'linked','the same file as one.jpg');
INSERT INTO "event" VALUES(4,11,1700000024000,'returned','the file is there again');
INSERT INTO "event" VALUES(5,12,1700000027000,'waiting','unreadable: EACCES');
INSERT INTO "event" VALUES(6,13,1700000029000,'interrupted','the daemon ended without stopping while it worked on this photo');
INSERT INTO "event" VALUES(7,13,1700000030000,'interrupted','the daemon ended without stopping while it worked on this photo');
CREATE TABLE model (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    labels TEXT NOT NULL,                    -- a JSON list
    UNIQUE (sha256, name)
) STRICT;
INSERT INTO "model" VALUES(1,'first.tflite','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','["cat", "dog"]');
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
    seq INTEGER,                             -- order of results; grows with every result

    CHECK ((superseded_by IS NULL) OR state = 'superseded'),
    CHECK (state != 'pending' OR (label IS NULL AND seq IS NULL)),
    CHECK (state != 'classified' OR (label IS NOT NULL AND seq IS NOT NULL AND error_code IS NULL)),
    CHECK (state != 'failed' OR (label IS NULL AND seq IS NOT NULL AND error_code IS NOT NULL))
) STRICT;
INSERT INTO "photo" VALUES(1,X'6C61746573742E6A7067',101,10,1700000000000000000,'superseded',1700000001000,2,6000,0,1,1700000002000,1,'cat',0.9,'{"cat": 0.9, "dog": 0.1}','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b',640,480,1.25,2.5,4.0,NULL,NULL,1);
INSERT INTO "photo" VALUES(2,X'6C61746573742E6A7067',102,11,1700000002000000000,'superseded',1700000003000,3,8000,0,1,1700000004000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'corrupt','the photo is damaged: bad',2);
INSERT INTO "photo" VALUES(3,X'6C61746573742E6A7067',103,12,1700000004000000000,'classified',1700000005000,NULL,10000,0,1,1700000006000,2,'fox',0.7,'{"fox": 0.7, "cat": 0.2, "dog": 0.1}','4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce',640,480,1.25,2.5,4.0,NULL,NULL,3);
INSERT INTO "photo" VALUES(4,X'61667465722E6A7067',104,20,1700000006000000000,'classified',1700000007000,NULL,12000,0,1,1700000008000,1,'dog',0.8,'{"dog": 0.8, "cat": 0.2}','4b227777d4dd1fc61c6f884f48641d02b4d121d3fd328cb08b5531fcacdabf8a',640,480,1.25,2.5,4.0,NULL,NULL,4);
INSERT INTO "photo" VALUES(5,X'61667465722E6A7067',105,21,1700000008000000000,'superseded',1700000009000,4,14000,0,1,1700000010000,1,'cat',0.6,'{"cat": 0.6, "dog": 0.4}','ef2d127de37b942baad06145e54b0c619a1f22327b2ebbcfbec78f5564afe39d',640,480,1.25,2.5,4.0,NULL,NULL,5);
INSERT INTO "photo" VALUES(6,X'746F75636865642E6A7067',107,30,1700000013000000000,'classified',1700000012000,NULL,17000,0,1,1700000013000,2,'dog',1.0,'{"dog": 1.0}','e7f6c011776e8db7cd330b54174fd76f7d0216b612387a5ffcfb81e6f0919683',640,480,1.25,2.5,4.0,NULL,NULL,6);
INSERT INTO "photo" VALUES(8,X'636166E92F62726F6B656E2E6A7067',108,0,1700000015000000000,'failed',1700000016000,NULL,21000,0,1,1700000017000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'empty','the file is empty',7);
INSERT INTO "photo" VALUES(9,X'6F6E652E6A7067',109,40,1700000017000000000,'classified',1700000018000,NULL,23000,0,1,1700000019000,2,'cat',0.5,'{"cat": 0.5, "dog": 0.5}','7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451',640,480,1.25,2.5,4.0,NULL,NULL,8);
INSERT INTO "photo" VALUES(10,X'74776F2E6A7067',109,40,1700000017000000000,'classified',1700000020000,NULL,25000,0,1,1700000021000,2,'cat',0.5,'{"cat": 0.5, "dog": 0.5}','7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451',640,480,1.25,2.5,4.0,NULL,NULL,9);
INSERT INTO "photo" VALUES(11,X'676F6E652E6A7067',110,50,1700000021000000000,'classified',1700000022000,NULL,29000,0,1,1700000025000,2,'cat',1.0,'{"cat": 1.0}','2c624232cdd221771294dfbb310aca000a0df6ac8b66b696d90ef06fdefb64a3',640,480,1.25,2.5,4.0,NULL,NULL,11);
INSERT INTO "photo" VALUES(12,X'77616974732E6A7067',111,60,1700000025000000000,'pending',1700000026000,NULL,31000,332000,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'unreadable','EACCES',NULL);
INSERT INTO "photo" VALUES(13,X'696E7465727275707465642E6A7067',112,70,1700000027000000000,'pending',1700000028000,NULL,33000,40000,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "photo" VALUES(14,X'7265706C616365642E6A7067',113,80,1700000030000000000,'superseded',1700000031000,15,36000,0,1,1700000032000,2,'dog',0.9,'{"dog": 0.9, "cat": 0.1}','19581e27de7ced00ff1ce50b2047e7a567c76b1cbaebabe5ef03f7c3017bb5b7',640,480,1.25,2.5,4.0,NULL,NULL,12);
INSERT INTO "photo" VALUES(15,X'7265706C616365642E6A7067',114,81,1700000032000000000,'pending',1700000033000,NULL,38000,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "photo" VALUES(16,X'6475652E6A7067',115,90,1700000033000000000,'pending',1700000034000,NULL,39000,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE tally (state TEXT PRIMARY KEY, rows INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "tally" VALUES('classified',6);
INSERT INTO "tally" VALUES('failed',1);
INSERT INTO "tally" VALUES('pending',4);
INSERT INTO "tally" VALUES('superseded',4);
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('photo',17);
COMMIT;
PRAGMA user_version = 1;
