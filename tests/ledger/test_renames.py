"""Renamed and linked files: whose result is whose, and what the history says."""

import os
from hashlib import sha256

import pytest

from dogid.errors import PhotoCode
from dogid.inbox.scan import FoundFile, find_file
from dogid.ledger.audit import audit
from dogid.ledger.histories import read_history_page
from dogid.ledger.outcomes import Classified, Failed, Timings, Waiting
from tests.ledger.ledger_folder import Inbox, add, add_classified, events, fail, job_of, moved, versions
from tests.support.photos import put


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


def test_failure_at_old_name_leaves_renamed_photo_pending(inbox: Inbox) -> None:
    path = put(inbox.folder / "a", b"a")
    inbox.observe("a")
    job = inbox.job()
    path.rename(inbox.folder / "b")
    inbox.observe("b")
    inbox.ledger.record([Failed(job, job.version, PhotoCode.VANISHED, "gone")])

    assert inbox.states() == {"b": "pending"}


def test_outcome_recorded_during_a_look_still_allows_rename(inbox: Inbox) -> None:
    """A worker read the file before it was renamed: the row is that file's only once its outcome is written."""
    digest = sha256(b"written on").hexdigest()
    path = put(inbox.folder / "a.jpg", b"a")
    inbox.observe("a.jpg")
    job = inbox.job()
    path.write_bytes(b"written on")
    outcome = Failed(job, inbox.look("a.jpg").version, PhotoCode.CORRUPT, "bad", digest)
    path.rename(inbox.folder / "b.jpg")
    put(inbox.folder / "link.jpg", b"other")
    inbox.observe("link.jpg")
    os.link(inbox.folder / "link.jpg", inbox.folder / "linked.jpg")

    def record_first(path: bytes) -> FoundFile | None:
        inbox.ledger.record([outcome])
        return find_file(inbox.folder, path)

    inbox.find = record_first
    inbox.observe("linked.jpg", "b.jpg")
    (renamed,) = (job for job in inbox.ledger.claim(9, ()) if job.path == b"b.jpg")
    inbox.ledger.record([Failed(renamed, renamed.version, PhotoCode.CORRUPT, "bad", digest)])

    assert inbox.states() == {"b.jpg": "failed", "link.jpg": "pending", "linked.jpg": "pending"}


def test_many_names_of_one_file_are_looked_at_together(inbox: Inbox) -> None:
    put(inbox.folder / "0.jpg", b"x")
    names = [f"{number}.jpg" for number in range(100)]
    for name in names[1:]:
        os.link(inbox.folder / "0.jpg", inbox.folder / name)
    changes = inbox.ledger.changes
    inbox.observe(*names)

    assert inbox.ledger.changes - changes <= 3
    assert set(inbox.states()) == set(names)


def test_renames_do_not_wait_for_the_disk(inbox: Inbox) -> None:
    put(inbox.folder / "0.jpg", b"x")
    inbox.observe("0.jpg")
    statements: list[str] = []
    inbox.ledger.connection.db.set_trace_callback(statements.append)
    for number in range(10):
        (inbox.folder / f"{number}.jpg").rename(inbox.folder / f"{number + 1}.jpg")
        inbox.ledger.record_rename(f"{number}.jpg".encode(), inbox.look(f"{number + 1}.jpg"))

    assert set(inbox.states()) == {"10.jpg"}
    assert "PRAGMA synchronous = FULL" not in statements


def test_copy_of_a_photo_that_left_brings_it_back(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    (inbox.folder / "a").unlink()
    inbox.ledger.note_left([b"a"])
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    inbox.classify(job_of(inbox, "a"))

    assert inbox.states() == {"a": "classified"}
    assert events(inbox, photo)[1:] == [("returned", "the file is there again")]


def test_photo_that_left_is_back(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    inbox.ledger.note_left([b"a"])

    assert inbox.observe("a") == 0
    assert events(inbox, photo)[1:] == [("returned", "the file is there again")]
    assert inbox.observe("a") == 0
    assert len(events(inbox, photo)) == 2


def test_photo_that_left_is_back_under_another_name(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    inbox.ledger.note_left([b"a"])

    assert moved(inbox, "a", "b") == []
    assert inbox.states() == {"b": "classified"}
    assert events(inbox, photo)[1:] == [("renamed", "from a to b")]
