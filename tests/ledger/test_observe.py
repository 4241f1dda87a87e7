"""Bringing the ledger up to files: what becomes pending, what keeps its result, and what the history says."""

import os
from dataclasses import replace
from hashlib import sha256

import pytest

from dogid.errors import PhotoCode
from dogid.ledger.audit import audit
from dogid.ledger.histories import read_history_page
from dogid.ledger.outcomes import Classified, Failed, Job, Timings, Waiting
from tests.ledger.ledger_folder import Inbox
from tests.support.photos import put


def add(inbox: Inbox, name: str) -> Job:
    """Put a photo into the inbox and return its job."""
    put(inbox.folder / name, name.encode())
    inbox.observe(name)
    return job_of(inbox, name)


def add_classified(inbox: Inbox, name: str) -> int:
    """Put a photo into the inbox, give it a result, and return its id."""
    job = add(inbox, name)
    inbox.classify(job)
    return job.id


def job_of(inbox: Inbox, name: str) -> Job:
    (job,) = (job for job in inbox.ledger.claim(9, ()) if job.path == name.encode())
    return job


def moved(inbox: Inbox, old: str, new: str) -> list[int]:
    """Rename a file, and have the ledger note it as the kernel reports it."""
    (inbox.folder / old).rename(inbox.folder / new)
    return inbox.ledger.record_rename(old.encode(), inbox.look(new))


def fail(inbox: Inbox, job: Job, code: PhotoCode) -> None:
    inbox.ledger.record([Failed(job, job.version, code, "bad")])


def events(inbox: Inbox, photo_id: int) -> list[tuple[str, str]]:
    """Return what happened to a photo besides being seen and answered, oldest first."""
    steps = reversed(read_history_page(inbox.db, photo_id).steps)
    own = {"seen", "classified", "failed"}
    return [(step["event"], step["detail"]) for step in steps if step["event"] not in own]


def versions(inbox: Inbox, photo_id: int) -> set[int]:
    """Return the ids of all versions in a photo's history."""
    return {step["result"] for step in read_history_page(inbox.db, photo_id).steps}


def test_renamed_photo_keeps_its_result(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")

    assert moved(inbox, "a", "b") == []
    assert inbox.states() == {"b": "classified"}
    assert events(inbox, photo) == [("renamed", "from a to b")]


def test_renamed_pending_photo_is_due(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.ledger.record([Waiting(job, job.version, PhotoCode.TRUNCATED, "short", 1000)])
    inbox.clock.advance(500)

    assert moved(inbox, "a", "b") == [job.id]
    again = job_of(inbox, "b")
    assert (again.id, again.attempts, again.last_error, again.unchanged_since) == (job.id, 0, None, 5_500)
    assert events(inbox, job.id) == [("waiting", "truncated: short"), ("renamed", "from a to b")]


def test_photo_that_vanished_is_pending_when_it_is_back(inbox: Inbox) -> None:
    job = add(inbox, "a")
    fail(inbox, job, PhotoCode.VANISHED)
    inbox.clock.advance(500)

    assert inbox.observe("a") == 1
    again = inbox.job()
    assert (again.id, again.attempts, again.last_error, again.unchanged_since) == (job.id, 0, None, 5_500)
    assert events(inbox, job.id) == [("returned", "the file is there again")]


def test_photo_that_vanished_is_pending_under_its_new_name(inbox: Inbox) -> None:
    job = add(inbox, "a")
    fail(inbox, job, PhotoCode.VANISHED)

    assert moved(inbox, "a", "b") == [job.id]
    assert job_of(inbox, "b").id == job.id
    assert events(inbox, job.id) == [("renamed", "from a to b"), ("returned", "the file is there again")]


def test_renamed_file_that_was_not_known_is_new(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")

    assert moved(inbox, "a", "b") == [1]
    assert inbox.states() == {"b": "pending"}


def test_file_overwritten_before_its_rename_is_new(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    put(inbox.folder / "a", b"something else")

    assert moved(inbox, "a", "b") == [photo + 1]
    assert inbox.states() == {"a": "classified", "b": "pending"}


def test_second_name_of_a_file_is_noted_as_such(inbox: Inbox) -> None:
    add_classified(inbox, "a")
    os.link(inbox.folder / "a", inbox.folder / "b")

    (second,) = inbox.ledger.record_rename(b"a", inbox.look("b"))
    assert inbox.states() == {"a": "classified", "b": "pending"}
    assert events(inbox, second) == [("linked", "the same file as a")]


@pytest.mark.parametrize("answered", [True, False])
def test_photo_renamed_over_another_supersedes_it(inbox: Inbox, answered: bool) -> None:
    replaced = add_classified(inbox, "b")
    photo = add_classified(inbox, "a") if answered else add(inbox, "a").id

    assert moved(inbox, "a", "b") == ([] if answered else [photo])
    assert inbox.states() == {"b": "classified" if answered else "pending"}
    assert versions(inbox, photo) == {replaced, photo}


def test_photo_renamed_over_another_joins_both_histories(inbox: Inbox) -> None:
    for text in ("first", "second"):
        inbox.overwrite("a", f"{text} of a")
        inbox.overwrite("b", f"{text} of b")

    assert moved(inbox, "a", "b") == []
    assert versions(inbox, 3) == {1, 2, 3, 4}
    inbox.overwrite("b", "third of b")
    assert versions(inbox, 5) == {1, 2, 3, 4, 5}


def test_rename_without_event_is_decided_by_content(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    data = (inbox.folder / "a").read_bytes()
    (inbox.folder / "a").rename(inbox.folder / "b")

    assert inbox.observe("b") == 1
    assert (inbox.folder / "b").read_bytes() == data
    inbox.classify(job_of(inbox, "b"))
    assert inbox.states() == {"b": "classified"}
    assert events(inbox, photo) == [("renamed", "from a to b")]


def test_photo_replaced_by_missed_rename_is_a_former_version(inbox: Inbox) -> None:
    photo, replaced = add_classified(inbox, "a"), add_classified(inbox, "b")
    (inbox.folder / "a").rename(inbox.folder / "b")
    inbox.observe("b")
    inbox.classify(job_of(inbox, "b"))

    assert inbox.states() == {"b": "classified"}
    assert versions(inbox, photo) == {photo, replaced}
    inbox.overwrite("b", "something else")
    assert len(versions(inbox, photo + 3)) == 3


def test_histories_part_where_another_photo_took_a_name(inbox: Inbox) -> None:
    first = add_classified(inbox, "a")
    inbox.overwrite("a", "second version")
    (inbox.folder / "a").rename(inbox.folder / "b")
    put(inbox.folder / "a", b"another photo")
    inbox.observe("a", "b")
    inbox.classify(job_of(inbox, "b"))
    inbox.classify(job_of(inbox, "a"))

    assert inbox.states() == {"a": "classified", "b": "classified"}
    second, other = first + 1, first + 3
    assert versions(inbox, second) == {first, second}
    assert versions(inbox, other) == {other}
    inbox.overwrite("a", "another photo, changed")
    assert versions(inbox, other + 1) == {other, other + 1}
    assert events(inbox, second) == [("renamed", "from a to b")]


def test_pending_photo_renamed_without_event_keeps_its_row(inbox: Inbox) -> None:
    job = add(inbox, "a")
    (inbox.folder / "a").rename(inbox.folder / "b")

    assert inbox.observe("b") == 1
    assert job_of(inbox, "b").id == job.id
    assert inbox.states() == {"b": "pending"}


def test_pending_file_that_changed_settles_again(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.ledger.record([Waiting(job, job.version, PhotoCode.TRUNCATED, "short", 60_000)])
    inbox.clock.advance(500)
    put(inbox.folder / "a", b"longer")

    assert inbox.observe("a") == 1
    assert inbox.ledger.claim(9, ()) == []  # nothing says that its writer has closed it
    assert inbox.observe("a", wake=True) == 1
    again = inbox.job()
    assert (again.id, again.version, again.unchanged_since) == (job.id, inbox.look("a").version, 5_500)


def test_waiting_file_that_changed_is_due_when_woken(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.ledger.record([Waiting(job, job.version, PhotoCode.TRUNCATED, "short", 60_000)])
    put(inbox.folder / "a", b"longer")

    assert inbox.observe("a", wake=True) == 1
    assert inbox.job().version == inbox.look("a").version


def test_overwritten_photo_is_pending_and_keeps_its_history(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    put(inbox.folder / "a", b"something else")
    inbox.clock.advance(500)

    assert inbox.observe("a") == 1
    job = inbox.job()
    assert job == Job(photo + 1, b"a", inbox.look("a").version, 5_500, 0, None)
    assert versions(inbox, job.id) == {photo, job.id}


def test_content_decides_on_answered_photos_only(inbox: Inbox) -> None:
    pending, failed = add(inbox, "pending"), add(inbox, "failed")
    fail(inbox, failed, PhotoCode.VANISHED)
    found = inbox.look("pending")

    assert inbox.ledger.decide(found, sha256(b"other").hexdigest()) == []
    assert inbox.ledger.decide(inbox.look("failed"), sha256(b"other").hexdigest()) == []
    assert inbox.ledger.decide(found._replace(path=b"unknown"), sha256(b"other").hexdigest()) == []
    assert inbox.states() == {"pending": "pending", "failed": "failed"}
    assert job_of(inbox, "pending") == pending


def test_too_large_photo_ignores_a_new_ctime(inbox: Inbox) -> None:
    fail(inbox, add(inbox, "a"), PhotoCode.TOO_LARGE)
    (inbox.folder / "a").chmod(0o600)

    assert inbox.observe("a") == 0
    assert inbox.observe("a", wake=True) == 0
    assert inbox.states() == {"a": "failed"}
    put(inbox.folder / "a", b"smaller")
    assert inbox.observe("a") == 1


def test_missing_ctime_of_older_ledger_is_added(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    inbox.ledger._db.execute("UPDATE photo SET ctime_ns = NULL")

    assert inbox.observe("a") == 0
    (noted,) = inbox.db.execute("SELECT ctime_ns FROM photo WHERE id = ?", (photo,)).fetchone()
    assert noted == inbox.look("a").version.ctime_ns
    assert inbox.states() == {"a": "classified"}


def test_unread_failure_is_retried_for_a_new_ctime(inbox: Inbox) -> None:
    job = add(inbox, "a")
    fail(inbox, job, PhotoCode.UNREADABLE)
    (inbox.folder / "a").chmod(0o600)

    assert inbox.observe("a") == 1
    assert inbox.states() == {"a": "pending"}


def test_waiting_photo_counts_as_changed_when_woken(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.ledger.record([Waiting(job, job.version, PhotoCode.UNREADABLE, "EIO", 60_000)])

    assert inbox.observe("a") == 0
    assert inbox.observe("a", wake=True) == 1
    assert inbox.job() == replace(job, attempts=1, last_error="unreadable")


def rename_unseen(inbox: Inbox, *, link: bool) -> int:
    """Have `a` classified and renamed without an event, with a link to it first or not; return its id."""
    photo = add_classified(inbox, "a")
    if link:
        os.link(inbox.folder / "a", inbox.folder / "b")
    (inbox.folder / "a").rename(inbox.folder / "c")
    return photo


@pytest.mark.parametrize("together", [True, False])
def test_result_goes_to_one_of_two_new_names(inbox: Inbox, together: bool) -> None:
    photo = rename_unseen(inbox, link=True)
    inbox.observe("b", "c")
    jobs = [job_of(inbox, "b"), job_of(inbox, "c")]
    digest = sha256(b"a").hexdigest()
    outcomes = [
        Classified(job, job.version, digest, 1, 1, {"cat": 1.0}, inbox.model_id, Timings(1, 1, 1)) for job in jobs
    ]
    recorded = inbox.ledger.record(outcomes) if together else [*map(inbox.ledger.record, ([one] for one in outcomes))]

    assert recorded == (outcomes[1:] if together else [[], outcomes[1:]])
    assert inbox.states() == {"b": "classified", "c": "classified"}
    assert read_history_page(inbox.db, photo).steps
    assert audit(inbox.db, inbox.folder).is_clean
    (inbox.folder / "b").unlink()
    assert audit(inbox.db, inbox.folder).is_clean


@pytest.mark.parametrize("claimed", [True, False])
def test_photo_that_is_back_keeps_its_result(inbox: Inbox, claimed: bool) -> None:
    photo = rename_unseen(inbox, link=False)
    inbox.observe("c")
    job = job_of(inbox, "c")
    os.link(inbox.folder / "c", inbox.folder / "a")
    inbox.observe("a", "c")
    inbox.classify(job if claimed else job_of(inbox, "c"))
    if inbox.states()["c"] == "pending":  # making a link changed the ctime
        inbox.classify(job_of(inbox, "c"))

    assert inbox.states() == {"a": "classified", "c": "classified"}
    assert events(inbox, photo) == []
    assert audit(inbox.db, inbox.folder).is_clean


def test_renamed_photo_with_another_model_counts_once(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    (inbox.folder / "a").rename(inbox.folder / "b")
    inbox.model_id = inbox.ledger.register_model("other.tflite", "01", ("dog",))
    inbox.observe("b")
    job = job_of(inbox, "b")
    inbox.classify(job, "dog")

    assert inbox.states() == {"b": "classified"}
    assert versions(inbox, job.id) == {photo, job.id}
    assert events(inbox, job.id) == [("renamed", "from a to b")]
    assert audit(inbox.db, inbox.folder).is_clean


def test_renamed_photo_that_changed_has_its_own_history(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    (inbox.folder / "a").rename(inbox.folder / "b")
    inbox.observe("b")
    job = job_of(inbox, "b")
    outcome = Classified(job, job.version, "00", 1, 1, {"cat": 1.0}, inbox.model_id, Timings(1, 1, 1))

    assert inbox.ledger.record([outcome]) == [outcome]
    assert versions(inbox, job.id) == {job.id}
    assert versions(inbox, photo) == {photo}


def test_photo_that_timed_out_is_compared_for_a_new_ctime(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.ledger.record([Failed(job, job.version, PhotoCode.TOO_LARGE, "timed out", sha256(b"a").hexdigest())])
    (inbox.folder / "a").chmod(0o600)

    assert inbox.observe("a") == 0
    assert inbox.doubtful.pop(0) == inbox.look("a")
    assert inbox.ledger.decide(inbox.look("a"), sha256(b"b").hexdigest()) == [job.id + 1]
