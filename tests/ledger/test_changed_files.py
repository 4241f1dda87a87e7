"""Files that changed, or may have: what becomes pending, and what keeps its result."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from dogid.errors import PhotoCode
from dogid.inbox.scan import find_file
from dogid.ledger.database import open_for_reading
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Failed, Job, Waiting
from tests.ledger.ledger_folder import Inbox, add, add_classified, events, fail, job_of, versions
from tests.support.photos import put


def test_new_inode_numbers_do_not_make_files_new(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    put(inbox.folder / "a.jpg", b"one")
    inbox.observe("a.jpg")
    inbox.classify(inbox.job())
    inbox.close()
    ledger = Ledger(inbox.state, lambda path: find_file(inbox.folder, path), inbox.clock, stable_inodes=False)
    found = inbox.look("a.jpg")

    assert ledger.observe([found._replace(version=found.version._replace(inode=found.version.inode + 1))]) == []
    assert len(ledger.observe([found._replace(version=found.version._replace(size=found.version.size + 1))])) == 1
    ledger.close()


def test_file_of_another_ctime_is_doubtful_and_not_pending(inbox: Inbox) -> None:
    path = put(inbox.folder / "a", b"a")
    inbox.observe("a")
    inbox.classify(inbox.job())
    path.chmod(0o600)

    assert inbox.observe("a") == 0
    assert inbox.doubtful.pop(0) == inbox.look("a")
    assert inbox.ledger.decide(inbox.look("a"), sha256(b"a").hexdigest()) == []
    assert inbox.observe("a") == 0
    assert inbox.states() == {"a": "classified"}


def test_doubtful_file_of_other_content_becomes_pending(inbox: Inbox) -> None:
    path = put(inbox.folder / "a", b"a")
    inbox.observe("a")
    inbox.classify(inbox.job())
    path.chmod(0o600)

    assert inbox.ledger.decide(inbox.look("a"), sha256(b"b").hexdigest()) == [2]
    assert inbox.states() == {"a": "pending"}


def test_unstable_inodes_leave_no_file_doubtful_at_a_scan(inbox: Inbox) -> None:
    """Such file systems invent the ctime, too: asked at every scan, every file would be read again and again."""
    inbox.close()
    inbox.ledger = Ledger(inbox.state, lambda path: find_file(inbox.folder, path), inbox.clock, stable_inodes=False)
    inbox.ledger.on_doubtful = inbox.doubtful.extend
    inbox.db = open_for_reading(inbox.state)
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    inbox.classify(inbox.job())
    found = inbox.look("a")
    invented = found._replace(version=found.version._replace(inode=1, ctime_ns=1))

    assert inbox.ledger.observe([invented]) == []
    inbox.ledger.observe([invented], wake=True)
    assert inbox.doubtful.pop(0) == invented
    assert inbox.doubtful == []


def test_photo_that_vanished_is_pending_when_it_is_back(inbox: Inbox) -> None:
    job = add(inbox, "a")
    fail(inbox, job, PhotoCode.VANISHED)
    inbox.clock.advance(500)

    assert inbox.observe("a") == 1
    again = inbox.job()
    assert (again.id, again.attempts, again.last_error, again.unchanged_since) == (job.id, 0, None, 5_500)
    assert events(inbox, job.id) == [("returned", "the file is there again")]


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
    inbox.ledger.connection.db.execute("UPDATE photo SET ctime_ns = NULL")

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


def test_photo_that_timed_out_is_compared_for_a_new_ctime(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.ledger.record([Failed(job, job.version, PhotoCode.TOO_LARGE, "timed out", sha256(b"a").hexdigest())])
    (inbox.folder / "a").chmod(0o600)

    assert inbox.observe("a") == 0
    assert inbox.doubtful.pop(0) == inbox.look("a")
    assert inbox.ledger.decide(inbox.look("a"), sha256(b"b").hexdigest()) == [job.id + 1]
