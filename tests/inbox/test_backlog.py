"""Many photos that are pending at the start."""

from contextlib import closing
from pathlib import Path

import pytest

from dogid.ledger import queries
from dogid.ledger.database import open_for_reading
from tests.benchmarks.backlog import fill, is_answered, peak_mib
from tests.conftest import MakeDaemon
from tests.support.photos import photo, put
from tests.support.waiting import eventually

MANY = 5_000  # `make backlog` is the long form, with up to 100,000
FLAT_MIB = 40


@pytest.mark.timeout(300)
def test_memory_does_not_grow_with_the_backlog(make_daemon: MakeDaemon, inbox: Path, tmp_path: Path) -> None:
    daemon = make_daemon(state=tmp_path / "small").start()
    put(inbox / "one.jpg", photo(1))
    daemon.wait_for_classified("one.jpg", photo(1))
    few = peak_mib(daemon.pid)
    daemon.stop()
    fill(inbox / "many", MANY)
    daemon = make_daemon(state=tmp_path / "large").start()
    eventually(lambda: sum(daemon.status()["counts"].values()) > MANY, "all photos are known", 200)

    assert peak_mib(daemon.pid) < few + FLAT_MIB


def count_answered_before(state: Path, photo_id: int | None) -> int:
    """How many photos had their answer before one did that has it."""
    with closing(open_for_reading(state)) as db:
        earlier = "state = 'classified' AND seq < (SELECT seq FROM photo WHERE id = ?)"
        return int(db.execute(f"SELECT count(*) FROM photo WHERE {earlier}", (photo_id,)).fetchone()[0])


@pytest.mark.timeout(300)
def test_new_photo_precedes_the_backlog(make_daemon: MakeDaemon, inbox: Path) -> None:
    fill(inbox / "many", MANY)
    daemon = make_daemon().start()
    eventually(lambda: daemon.status()["counts"]["classified"], "the first result is there")
    put(inbox / "new.jpg", photo(2))
    eventually(lambda: is_answered(daemon.state, "new.jpg"), "the new photo is answered")
    with closing(open_for_reading(daemon.state)) as db:
        new = queries.find_photo(db, "new.jpg")

    assert count_answered_before(daemon.state, new) < MANY
    eventually(lambda: daemon.get("/results/1")["status"] == "classified", "the oldest photos have their turn too")
    assert count_answered_before(daemon.state, 1) < MANY // 2
