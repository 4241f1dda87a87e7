"""Writing what became of photos: what is reported to readers, noted in histories, and when a photo is tried again."""

import os
import sqlite3
from dataclasses import replace
from hashlib import sha256

import pytest

from dogid.errors import PhotoCode
from dogid.inbox.scan import Version
from dogid.ledger import queries
from dogid.ledger.histories import Step, read_history_page
from dogid.ledger.outcomes import Classified, Failed, Job, Outcome, Timings, Waiting
from dogid.ledger.row_repair import repair_row
from tests.ledger.ledger_folder import Inbox
from tests.support.photos import put


def add(inbox: Inbox, name: str) -> Job:
    """Put a photo into the inbox and return its job."""
    put(inbox.folder / name, name.encode())
    inbox.observe(name)
    (job,) = (job for job in inbox.ledger.claim(9, ()) if job.path == name.encode())
    return job


def classified(inbox: Inbox, job: Job) -> Classified:
    digest = sha256(job.path).hexdigest()
    return Classified(job, job.version, digest, 4, 3, {"cat": 0.75, "dog": 0.25}, inbox.model_id, Timings(1, 2, 4))


def waiting(job: Job, delay_ms: int = 1000, code: PhotoCode = PhotoCode.UNREADABLE) -> Waiting:
    return Waiting(job, job.version, code, "EIO", delay_ms)


def events(inbox: Inbox, photo_id: int, kind: str) -> list[Step]:
    return [step for step in read_history_page(inbox.db, photo_id).steps if step["event"] == kind]


def test_outcomes_that_readers_did_not_know_are_returned(inbox: Inbox) -> None:
    touched, overwritten = add(inbox, "touched"), add(inbox, "overwritten")
    inbox.ledger.record([classified(inbox, touched)])
    os.utime(inbox.folder / "touched", (1, 1))
    inbox.observe("touched")
    (again,) = (job for job in inbox.ledger.claim(9, ()) if job.path == b"touched")
    put(inbox.folder / "overwritten", b"something else")
    inbox.observe("overwritten")
    reported: list[Outcome] = [
        classified(inbox, add(inbox, "a")),
        Failed(job := add(inbox, "b"), job.version, PhotoCode.CORRUPT, "bad"),
        waiting(add(inbox, "c")),
    ]
    seq = queries.read_newest_seq(inbox.db)

    assert inbox.ledger.record([classified(inbox, again), classified(inbox, overwritten), *reported]) == reported
    states = {"touched": "classified", "overwritten": "pending", "a": "classified", "b": "failed", "c": "pending"}
    assert inbox.states() == states
    assert queries.read_newest_seq(inbox.db) == seq + 2


def test_classified_photo_has_all_of_its_result(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.clock.advance(1500)
    inbox.ledger.record([replace(classified(inbox, job), version=Version(7, 8, 9_000_000_000))])

    result = queries.find_result(inbox.db, job.id)
    assert result == {
        "id": job.id,
        "file": "a",
        "status": "classified",
        "label": "cat",
        "score": 0.75,
        "unsure": False,
        "scores": {"cat": 0.75, "dog": 0.25},
        "model": "m.tflite",
        "sha256": sha256(b"a").hexdigest(),
        "width": 4,
        "height": 3,
        "timings_ms": {"decode": 1.0, "invoke": 2.0, "total": 4.0},
        "taken_at": None,
        "modified_at": "1970-01-01T00:00:09.000Z",
        "classified_at": "2023-11-14T22:13:21.500Z",
        "reviewed": None,
        "present": True,
        "folder": "",
        "error": None,
    }


def test_touched_photo_has_the_date_and_place_it_has_now(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.ledger.record([classified(inbox, job)])
    os.utime(inbox.folder / "a", (7, 7))
    inbox.observe("a")
    inbox.ledger.record([classified(inbox, inbox.job())])

    result = queries.find_result(inbox.db, job.id)
    assert result is not None
    assert (result["modified_at"], result["classified_at"]) == ("1970-01-01T00:00:07.000Z", "2023-11-14T22:13:20.000Z")
    (step,) = events(inbox, job.id, "touched")
    assert step["detail"] == "the file's date or place changed, its content did not"
    assert inbox.observe("a") == 0


@pytest.mark.parametrize("code", [PhotoCode.CORRUPT, PhotoCode.UNSUPPORTED])
def test_broken_photo_that_was_touched_is_reported_once(inbox: Inbox, code: PhotoCode) -> None:
    job, digest = add(inbox, "a"), sha256(b"a").hexdigest()
    inbox.ledger.record([Failed(job, job.version, PhotoCode.CORRUPT, "bad", digest)])
    os.utime(inbox.folder / "a", (7, 7))
    inbox.observe("a")
    again = inbox.job()
    outcome = Failed(again, again.version, code, "bad", digest)

    is_known = code is PhotoCode.CORRUPT
    assert inbox.ledger.record([outcome]) == ([] if is_known else [outcome])
    assert inbox.states() == {"a": "failed"}
    assert len(events(inbox, job.id, "touched")) == is_known


def test_photo_that_waits_unchanged_settles_on(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.clock.advance(700)
    inbox.ledger.record([waiting(job)])
    inbox.observe("a", wake=True)

    assert inbox.job().unchanged_since == job.unchanged_since


def test_photo_that_changed_settles_again(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.clock.advance(700)
    grown = job.version._replace(size=100)
    inbox.ledger.record([replace(waiting(job, 1), version=grown)])
    inbox.clock.advance(1)
    inbox.ledger.wake_due()

    again = inbox.job()
    assert (again.version, again.unchanged_since) == (grown, job.unchanged_since + 700)


@pytest.mark.parametrize(("delay", "left"), [(3_999, 3_999), (4_000, 4_999), (4_999, 4_999), (5_000, 5_999)])
def test_long_delays_end_together(inbox: Inbox, delay: int, left: int) -> None:
    job = add(inbox, "a")
    inbox.clock.advance(1)  # past a whole second
    inbox.ledger.record([waiting(job, delay)])

    assert inbox.ledger.wake_due() == left


@pytest.mark.parametrize(
    ("attempts", "last_error", "is_noted"),
    [(0, None, True), (49, "unreadable", True), (50, "unreadable", False), (50, "truncated", True)],
)
def test_fifty_retries_with_one_error_are_noted(
    inbox: Inbox, attempts: int, last_error: str | None, is_noted: bool
) -> None:
    job = replace(add(inbox, "a"), attempts=attempts, last_error=last_error)
    inbox.ledger.record([waiting(job)])

    assert [step["detail"] for step in events(inbox, job.id, "waiting")] == ["unreadable: EIO"] * is_noted


def test_new_ctime_after_reading_keeps_the_outcome(inbox: Inbox) -> None:
    job = add(inbox, "a")
    (inbox.folder / "a").chmod(0o600)
    inbox.observe("a", wake=True)
    outcome = classified(inbox, job)

    assert inbox.ledger.record([outcome]) == [outcome]
    assert inbox.states() == {"a": "classified"}
    assert inbox.doubtful.pop(0) == inbox.look("a")
    assert inbox.ledger.decide(inbox.look("a"), sha256(b"other").hexdigest()) == [job.id + 1]
    assert inbox.states() == {"a": "pending"}


def test_new_ctime_after_reading_keeps_a_failure_of_content(inbox: Inbox) -> None:
    job = add(inbox, "a")
    (inbox.folder / "a").chmod(0o600)
    inbox.observe("a")
    unread = Failed(job, job.version, PhotoCode.VANISHED, "gone")
    broken = Failed(job, job.version, PhotoCode.CORRUPT, "bad", sha256(b"a").hexdigest())

    assert inbox.ledger.record([unread]) == []
    assert inbox.ledger.record([broken]) == [broken]
    assert inbox.states() == {"a": "failed"}


def test_internal_errors_are_counted_by_themselves(inbox: Inbox) -> None:
    add(inbox, "a")
    attempts = []
    for code in [*[PhotoCode.UNREADABLE] * 9, PhotoCode.INTERNAL, PhotoCode.INTERNAL]:
        inbox.ledger.record([waiting(inbox.job(), 1, code)])
        inbox.clock.advance(1)
        inbox.ledger.wake_due()
        attempts.append(inbox.job().attempts)

    assert attempts == [*range(1, 10), 1, 2]


def test_file_written_while_it_was_read_stays_doubtful_after_a_failed_commit(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.ledger.observe([inbox.look("a")], wake=True, written=[b"a"])
    db = inbox.ledger.connection.db  # a constraint that is checked at the end fails the commit, as a full disk does
    db.execute("CREATE TABLE later (id INTEGER REFERENCES photo (id) DEFERRABLE INITIALLY DEFERRED)")
    db.execute("CREATE TRIGGER fail AFTER UPDATE OF seq ON photo BEGIN INSERT INTO later VALUES (-1); END")
    with pytest.raises(sqlite3.IntegrityError):
        inbox.ledger.record([classified(inbox, job)])
    db.execute("DROP TRIGGER fail")

    inbox.ledger.record([classified(inbox, job)])

    assert inbox.doubtful == [inbox.look("a")]


def test_date_of_taking_is_kept_and_shown_in_utc(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.ledger.record([replace(classified(inbox, job), taken_at="2024-05-01T12:34:56+02:00")])

    result = queries.find_result(inbox.db, job.id)
    assert result is not None
    assert result["taken_at"] == "2024-05-01T10:34:56.000Z"


def test_damaged_date_of_taking_damages_the_row(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.ledger.record([replace(classified(inbox, job), taken_at="2024-05-01T12:34:56+02:00")])
    inbox.ledger.connection.db.execute("UPDATE photo SET taken_at = '2024-05-01T12:94:56+02:00'")
    assert queries.find_result(inbox.db, job.id) is None

    repaired = repair_row(dict(inbox.db.execute("SELECT * FROM photo").fetchone()), {})
    assert repaired is not None
    assert (repaired["taken_at"], repaired["label"]) == (None, "cat")
