"""Death at each statement that the ledger gives to SQLite, commits among them; then a fresh process takes over.

What dies is a forked process, by `os._exit` in SQLite's trace: no handler runs, no buffer is flushed, nothing is
rolled back.
"""

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from dogid.clock import Clock
from dogid.errors import PhotoCode
from dogid.inbox.scan import find_file, scan
from dogid.ledger.audit import audit
from dogid.ledger.database import open_for_reading
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Failed, Job, Outcome, Timings, Waiting
from dogid.ledger.retention import Retention, forget_departed
from tests.support.forked import in_another_process
from tests.support.photos import put

_DEAD = 77
_DAY_MS = 86_400_000


def outcome(inbox: Path, job: Job, model_id: int) -> Outcome:
    """The outcome that the file's text asks for."""
    found = find_file(inbox, job.path)
    if found is None:
        return Failed(job, job.version, PhotoCode.VANISHED, "gone")
    data = (inbox / os.fsdecode(job.path)).read_bytes()
    if data.startswith(b"bad"):
        return Failed(job, found.version, PhotoCode.CORRUPT, "bad")
    if data.startswith(b"wait") and job.attempts == 0:
        return Waiting(job, found.version, PhotoCode.UNREADABLE, "EACCES", 1)
    scores = {"dog": 0.75, "cat": 0.25} if b"dog" in data else {"cat": 0.5, "dog": 0.5}
    return Classified(job, found.version, sha256(data).hexdigest(), 1, 1, scores, model_id, Timings(1, 1, 1))


def work(ledger: Ledger, inbox: Path) -> None:
    """Bring the ledger up to the folder, and answer all that is pending, as the daemon does."""
    model_id = ledger.register_model("m.tflite", "00", ("cat", "dog"))
    ledger.observe(list(scan(inbox)))
    while True:
        waits = ledger.wake_due()
        jobs = ledger.claim(5, ())
        if jobs:
            ledger.record([outcome(inbox, job, model_id) for job in jobs])
        elif waits is None:
            return


def first_files(inbox: Path) -> None:
    for name, text in (("a", "dog a"), ("b", "cat b"), ("c", "dog c"), ("bad", "bad"), ("wait", "wait dog")):
        put(inbox / name, text.encode())


def then_changes(inbox: Path) -> None:
    """May be cut off by a death and is done again: each step holds where it is done already."""
    put(inbox / "a", b"cat, and no other animal")
    if (inbox / "b").exists():
        (inbox / "sub").mkdir(exist_ok=True)
        (inbox / "b").rename(inbox / "sub" / "b")
    os.utime(inbox / "c", (1, 1))
    (inbox / "bad").unlink(missing_ok=True)
    if not (inbox / "link").exists():
        os.link(inbox / "c", inbox / "link")


def life(inbox: Path, state: Path, watch: Callable[[sqlite3.Connection], None]) -> None:
    """All that happens to a ledger; watch is given its connection."""
    ledger = Ledger(state, lambda path: find_file(inbox, path), Clock())
    watch(ledger.connection.db)
    first_files(inbox)
    work(ledger, inbox)
    then_changes(inbox)
    work(ledger, inbox)
    forget(ledger, inbox, state)
    ledger.close()


def forget(ledger: Ledger, inbox: Path, state: Path) -> None:
    """Forget the results of photos that have left the inbox."""
    db = open_for_reading(state)
    forget_departed(ledger, db, inbox, Retention(days=1, rows=0), Clock().wall_ms() + 2 * _DAY_MS)
    db.close()


def dies_at(number: int) -> Callable[[sqlite3.Connection], None]:
    """Watch a connection, and die before its number-th statement."""
    seen = 0

    def watch(connection: sqlite3.Connection) -> None:
        def on_statement(_statement: str) -> None:
            nonlocal seen
            seen += 1
            if seen == number:
                os._exit(_DEAD)

        connection.set_trace_callback(on_statement)

    return watch


def results(state: Path) -> dict[str, tuple[str, str | None]]:
    """The current answers by name."""
    db = open_for_reading(state)
    rows = db.execute("SELECT path, state, label FROM photo WHERE state != 'superseded'").fetchall()
    db.close()
    assert len({bytes(row["path"]) for row in rows}) == len(rows)
    return {bytes(row["path"]).decode(): (row["state"], row["label"]) for row in rows}


def takes_over(inbox: Path, state: Path) -> None:
    """What a fresh process does, and what must hold afterwards."""
    first_files_missing = not (inbox / "wait").exists()
    if first_files_missing:
        first_files(inbox)
    then_changes(inbox)
    ledger = Ledger(state, lambda path: find_file(inbox, path), Clock())
    assert ledger.moved_aside is None
    work(ledger, inbox)
    forget(ledger, inbox, state)
    ledger.close()
    db = open_for_reading(state)
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert audit(db, inbox).is_clean
    counted = dict(db.execute("SELECT state, count(*) FROM photo GROUP BY state").fetchall())
    assert {state: rows for state, rows in db.execute("SELECT state, rows FROM tally") if rows} == counted
    db.close()


UNDISTURBED = {
    "a": ("classified", "cat"),
    "sub/b": ("classified", "cat"),
    "c": ("classified", "dog"),
    "link": ("classified", "dog"),
    "wait": ("classified", "dog"),
}


def die_at_each_statement(folder: Path) -> int:
    """Die at one statement after the other until a life has no more; return how many there were."""
    statement = 0
    while True:
        statement += 1
        inbox, state = folder / f"inbox{statement}", folder / f"state{statement}"
        inbox.mkdir()
        state.mkdir()
        status = in_another_process(lambda: life(inbox, state, dies_at(statement)))  # noqa: B023
        assert status in (0, _DEAD)
        assert in_another_process(lambda: takes_over(inbox, state)) == 0, f"statement {statement}"  # noqa: B023
        assert results(state) == UNDISTURBED, f"statement {statement}"
        shutil.rmtree(state)
        if status == 0:
            return statement


def die_while_the_ledger_is_made(folder: Path, *, before: bool) -> None:
    """Die before anything is written to a ledger, or right after it was made."""
    inbox, state = folder / "inbox", folder / "state"
    inbox.mkdir()
    state.mkdir()
    if before:
        (state / "ledger.db").touch()
    else:
        in_another_process(lambda: life(inbox, state, lambda _: os._exit(_DEAD)))

    assert in_another_process(lambda: takes_over(inbox, state)) == 0
    assert results(state) == UNDISTURBED


if __name__ == "__main__":
    # in a process of its own: a fork of one that has loaded TensorFlow takes longer than the rest
    print(die_at_each_statement(Path(sys.argv[1])))  # noqa: T201
