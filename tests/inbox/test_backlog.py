"""Many photos that are pending at the start."""

from pathlib import Path

import pytest

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

    assert daemon.status()["counts"]["pending"] > 0
    assert peak_mib(daemon.pid) < few + FLAT_MIB


@pytest.mark.timeout(300)
def test_new_photo_precedes_the_backlog(make_daemon: MakeDaemon, inbox: Path) -> None:
    fill(inbox / "many", MANY)
    daemon = make_daemon().start()
    eventually(lambda: daemon.status()["counts"]["classified"], "the first result is there")
    put(inbox / "new.jpg", photo(2))
    eventually(lambda: is_answered(daemon.state, "new.jpg"), "the new photo is answered")

    assert daemon.status()["counts"]["pending"] > 0
    eventually(lambda: daemon.get("/results/1")["status"] == "classified", "the oldest photos have their turn too")
    assert daemon.status()["counts"]["pending"] > 0
