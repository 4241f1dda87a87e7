"""Which pending photos are due, and in which order."""

from dogid.errors import PhotoCode
from dogid.ledger import queries
from dogid.ledger.outcomes import Waiting
from tests.ledger.ledger_folder import NOON, Inbox
from tests.support.photos import put


def test_newest_photos_are_claimed_first_by_default(inbox: Inbox) -> None:
    names = [f"{number}" for number in range(10)]
    for name in names:
        put(inbox.folder / name, b"x")
        inbox.observe(name)

    assert [job.path for job in inbox.ledger.claim(3, ())] == [b"9", b"8", b"7"]
    assert [job.path for job in inbox.ledger.claim(2, (10, 1), oldest=True)] == [b"1", b"2"]
    assert [job.path for job in inbox.ledger.claim(2, (10, 9))] == [b"7", b"6"]


def test_waiting_ends_when_its_time_comes(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    job = inbox.job()
    inbox.ledger.record([Waiting(job, job.version, PhotoCode.UNREADABLE, "EACCES", 1000)])

    assert inbox.ledger.claim(1, ()) == []
    assert inbox.ledger.wake_due() == 1000
    inbox.clock.advance(999)
    assert inbox.ledger.wake_due() == 1
    inbox.clock.advance(1)
    assert inbox.ledger.wake_due() is None
    assert inbox.job().attempts == 1


def test_a_wake_up_ends_waiting_at_once(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    job = inbox.job()
    inbox.ledger.record([Waiting(job, job.version, PhotoCode.UNREADABLE, "EACCES", 300_000)])
    assert inbox.observe("a") == 0
    assert inbox.observe("a", wake=True) == 1

    assert inbox.job().last_error == "unreadable"


def test_restart_retries_waiting_photos_and_keeps_attempts(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    for _ in range(5):
        inbox.clock.advance(1_000_000)
        inbox.ledger.wake_due()
        job = inbox.job()
        inbox.ledger.record([Waiting(job, job.version, PhotoCode.UNREADABLE, "EIO", 300_000)])
    inbox.clock.times[1] = 7  # another boot: the steady clock starts again
    inbox.reopen()

    job = inbox.job()
    assert (job.attempts, job.unchanged_since) == (5, 7)


def test_wall_clock_jumps_change_no_order_and_no_waiting(inbox: Inbox) -> None:
    for number, wall in enumerate((NOON, 0, NOON * 2, -5, NOON)):
        inbox.clock.set_wall(wall)
        put(inbox.folder / str(number), str(number).encode())
        inbox.observe(str(number))
        inbox.classify(inbox.job())
    put(inbox.folder / "waiting", b"w")
    inbox.observe("waiting")
    job = inbox.job()
    inbox.ledger.record([Waiting(job, job.version, PhotoCode.TRUNCATED, "short", 1000)])
    inbox.clock.set_wall(NOON * 3)
    assert inbox.ledger.wake_due() == 1000
    inbox.clock.times[1] += 1000
    assert inbox.ledger.wake_due() is None

    found = queries.list_results_since(inbox.db, 0, 100)
    assert [result["file"] for _, result in found] == ["0", "1", "2", "3", "4"]
    newest = queries.list_results(inbox.db, queries.ResultFilter(limit=2))
    assert [result["file"] for result in newest] == ["waiting", "4"]


def test_photos_in_long_trouble_are_tried_again_together(inbox: Inbox) -> None:
    for number in range(9):
        put(inbox.folder / f"{number}", b"x")
        inbox.observe(f"{number}")
    for delay, job in enumerate(inbox.ledger.claim(9, ())):
        inbox.ledger.record(
            [Waiting(job, job.version, PhotoCode.UNREADABLE, "the inbox is gone", 60_000 + delay * 100)]
        )
    inbox.clock.advance(59_999)
    assert inbox.ledger.wake_due() is not None
    assert inbox.ledger.claim(9, ()) == []

    inbox.clock.advance(1_001)
    assert inbox.ledger.wake_due() is None
    assert len(inbox.ledger.claim(9, ())) == 9


def test_pending_ids_come_in_the_order_of_files(inbox: Inbox) -> None:
    for name in ("1", "2", "3"):
        put(inbox.folder / name, name.encode())
        inbox.observe(name)
        inbox.classify(inbox.job())
        (inbox.folder / name).write_bytes(b"changed " + name.encode())
    put(inbox.folder / "new", b"new")
    found = [inbox.look(name) for name in ("1", "2", "3", "new")]

    ids = inbox.ledger.observe(found, wake=True)
    assert [job.path for at in ids for job in inbox.ledger.claim_these([at])] == [b"1", b"2", b"3", b"new"]


def test_pending_photo_is_returned_again_when_its_event_comes(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    found = [inbox.look("a")]
    (known,) = inbox.ledger.observe(found)

    assert inbox.ledger.observe(found) == []
    assert inbox.ledger.observe(found, wake=True) == [known]
    inbox.classify(inbox.job())
    assert inbox.ledger.observe(found, wake=True) == []


def test_suspects_wait_for_each_other_over_restarts(inbox: Inbox) -> None:
    for name in ("a", "b", "c"):
        put(inbox.folder / name, b"x")
        inbox.observe(name)
    ids = [job.id for job in inbox.ledger.claim(3, (), oldest=True)]

    for first in (0, 5_000):
        inbox.ledger.record_interruptions(ids[:2], ids[:2])
        assert [job.path for job in inbox.ledger.claim(3, ())] == [b"c"]
        assert inbox.ledger.wake_due() == first + 1
        inbox.clock.advance(first + 1)
        inbox.ledger.wake_due()
        assert [job.path for job in inbox.ledger.claim(3, ())] == [b"c", b"a"]
        assert (inbox.ledger.wake_due() or 0) >= 5_000
        inbox.reopen()


def test_only_pending_photos_are_suspects(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    job = inbox.job()
    inbox.classify(job)

    assert inbox.ledger.pending_among([job.id, 99]) == []
