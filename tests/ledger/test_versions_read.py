"""A result stands only for the version of the photo that was read."""

import os
from dataclasses import replace
from hashlib import sha256

from dogid.ledger.outcomes import Classified, Job, Timings
from tests.ledger.ledger_folder import Inbox
from tests.support.photos import put


def add(inbox: Inbox, name: str) -> Job:
    """Put a photo into the inbox; return its job."""
    put(inbox.folder / name, name.encode())
    inbox.observe(name)
    return inbox.job()


def read(inbox: Inbox, job: Job) -> Classified:
    """Return the outcome of reading the file that is under the job's name now."""
    name = os.fsdecode(job.path)
    digest = sha256((inbox.folder / name).read_bytes()).hexdigest()
    return Classified(job, inbox.look(name).version, digest, 1, 1, {"cat": 1.0}, inbox.model_id, Timings(1, 1, 1))


def write_dated(inbox: Inbox, name: str, text: str) -> None:
    """Overwrite a file in place, and give it an old date."""
    with (inbox.folder / name).open("r+") as file:
        file.write(text)
    os.utime(inbox.folder / name, (7, 7))


def test_photo_renamed_in_the_queue_gets_no_answer_of_its_successor(inbox: Inbox) -> None:
    job = add(inbox, "latest")
    (inbox.folder / "latest").rename(inbox.folder / "0001")
    renamed = inbox.look("0001")._replace(version=job.version)  # as on file systems that keep a renamed file's ctime
    inbox.ledger.record_rename(b"latest", renamed)
    put(inbox.folder / "latest", b"another")

    assert inbox.ledger.record([read(inbox, job)]) == []
    assert inbox.states() == {"0001": "pending"}
    assert inbox.job().path == b"0001"


def test_content_overwritten_before_a_rename_is_no_answer_for_the_new_name(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"one")
    write_dated(inbox, "a", "one")
    inbox.observe("a")
    outcome = read(inbox, inbox.job())
    write_dated(inbox, "a", "two")
    (inbox.folder / "a").rename(inbox.folder / "b")
    inbox.ledger.record_rename(b"a", inbox.look("b"))

    assert inbox.ledger.record([outcome]) == []
    assert inbox.states() == {"b": "pending"}


def test_photo_closed_after_writing_while_it_is_read_is_compared(inbox: Inbox) -> None:
    outcome = read(inbox, add(inbox, "a"))
    inbox.ledger.observe([inbox.look("a")], wake=True, written={b"a"})

    assert inbox.ledger.record([outcome]) == [outcome]
    assert inbox.doubtful == [inbox.look("a")]


def test_photo_closed_before_it_is_read_is_not_compared(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    inbox.ledger.observe([inbox.look("a")], wake=True, written={b"a"})
    inbox.ledger.record([read(inbox, inbox.job())])

    assert inbox.doubtful == []


def test_answered_photo_closed_after_writing_is_compared(inbox: Inbox) -> None:
    inbox.classify(add(inbox, "a"))
    inbox.ledger.observe([inbox.look("a")], wake=True, written={b"a"})

    assert inbox.doubtful == [inbox.look("a")]
    assert inbox.states() == {"a": "classified"}


def test_photo_overwritten_with_its_date_kept_loses_its_result_at_once(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"one")
    write_dated(inbox, "a", "one")
    inbox.observe("a")
    inbox.classify(inbox.job())
    write_dated(inbox, "a", "two")
    inbox.ledger.observe([inbox.look("a")], wake=True, written={b"a"})

    assert inbox.states() == {"a": "pending"}


def test_links_to_a_file_that_was_written_are_named(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"one")
    os.link(inbox.folder / "a", inbox.folder / "b")
    inbox.observe("a", "b")
    for job in inbox.ledger.claim(2, ()):
        inbox.classify(job)
    before = inbox.look("a")
    (inbox.folder / "a").write_bytes(b"two!")

    assert inbox.ledger.names_of_changed([before]) == set()
    assert inbox.ledger.names_of_changed([inbox.look("a")]) == {b"b"}


def test_outcome_of_a_version_that_the_ledger_does_not_know_yet_stands(inbox: Inbox) -> None:
    job = add(inbox, "a")
    put(inbox.folder / "a", b"newer and longer")
    outcome = read(inbox, job)

    assert inbox.ledger.record([outcome]) == [outcome]
    assert inbox.observe("a") == 0
    assert inbox.ledger.record([replace(outcome, sha256="00")]) == []
