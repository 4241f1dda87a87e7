"""Photos that wait for memory, that never get it, and those that may have killed the daemon."""

import contextlib
import dataclasses
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.daemon.daemon import Daemon
from dogid.decoding import decoder as decoder_module
from dogid.inbox.scan import find_file
from dogid.ledger import pending, queries
from dogid.ledger.database import open_for_reading
from dogid.ledger.histories import Step, read_history_page
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified
from dogid.model.classifier import Model
from dogid.photo.decode import DEFAULT_MAX_PIXELS, limit_pixels
from dogid.photo.pixels import DecodedPhoto
from dogid.pipeline.in_progress import InProgress
from dogid.result_document import Result
from dogid.settings import Settings
from tests.support.engines import Pool, engine
from tests.support.photos import photo, put
from tests.support.waiting import eventually

LARGE = (2400, 1800)  # of a PNG: more than what needs no turn, and less than what needs a process


@pytest.fixture(autouse=True)
def _pixels() -> Iterator[None]:
    yield
    limit_pixels(DEFAULT_MAX_PIXELS)


def results(daemon: Daemon, *statuses: str) -> dict[str, Result]:
    """Wait until both photos of a test have one of these statuses; return their results."""
    db = open_for_reading(daemon.state)

    def ask() -> dict[str, Result] | None:
        found = {item["file"]: item for item in queries.list_results(db, queries.ResultFilter(limit=100))}
        return found if len(found) == 2 and all(item["status"] in statuses for item in found.values()) else None

    try:
        return eventually(ask, f"all are {statuses}")
    finally:
        db.close()


def histories_of(state: Path, photo_id: int) -> list[Step]:
    with contextlib.closing(open_for_reading(state)) as db:
        return read_history_page(db, photo_id).steps


def test_photo_beyond_the_budget_fails_and_others_go_on(inbox: Path, tmp_path: Path) -> None:
    daemon = Daemon(Settings(inbox=inbox, state=tmp_path / "state", memory=15))
    put(inbox / "large.png", photo(1, "PNG", size=LARGE))
    put(inbox / "small.jpg", photo(1))

    with daemon.running():
        found = results(daemon, "classified", "failed")

    assert found["small.jpg"]["status"] == "classified"
    error = found["large.png"]["error"]
    assert error is not None
    assert error["code"] == "too_large"
    assert "15 MB are there for that (memory)" in error["message"]


def test_photo_too_large_before_is_tried_again_once(inbox: Path, tmp_path: Path) -> None:
    settings = Settings(inbox=inbox, state=tmp_path / "state", memory=15)
    put(inbox / "large.png", photo(1, "PNG", size=LARGE))
    put(inbox / "text.jpg", b"no photo")
    daemon = Daemon(dataclasses.replace(settings, settle=0.0))
    with daemon.running():
        refused = results(daemon, "failed")
        daemon.reload(dataclasses.replace(settings, memory=16))  # not enough
        eventually(lambda: results(daemon, "failed") != refused, "it is tried again")
        still_refused = results(daemon, "failed")
    assert still_refused["text.jpg"] == refused["text.jpg"]

    with (same := Daemon(dataclasses.replace(settings, memory=16))).running():
        eventually(lambda: same.health.ok, "it is healthy")
        assert results(same, "failed") == still_refused
    with (roomy := Daemon(dataclasses.replace(settings, memory=200))).running():
        eventually(
            lambda: results(roomy, "classified", "failed")["large.png"]["status"] == "classified", "it is classified"
        )
        found = results(roomy, "classified", "failed")["large.png"]
    assert found["id"] == refused["large.png"]["id"]
    retries = [step["detail"] for step in histories_of(tmp_path / "state", found["id"]) if step["event"] == "retried"]
    assert [detail.partition("; ")[0] for detail in retries] == ["a limit was raised: memory"] * 2


def test_worker_that_waits_for_memory_is_healthy(model: Model, inbox: Path) -> None:
    chosen = engine(model, inbox)
    put(inbox / "large.png", photo(1, "PNG", size=LARGE))
    pool = Pool(chosen, 1)
    try:
        assert pool.check() is None
        with chosen.processor.decoder.budget.reserve(1 << 30):
            pool.add(1, b"large.png")
            (worker,) = pool.workers._workers
            eventually(lambda: worker.waits_for_memory, "the worker waits")
            assert pool.check() is None
            pool.workers.fail_timed_out()
        assert isinstance(pool.next_outcome(), Classified)
        assert pool.check() is None
    finally:
        pool.workers.stop(0)


def test_suspects_are_tried_in_a_process_by_one_worker(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(inbox=inbox, state=tmp_path / "state", workers=3)
    settings.state.mkdir()
    ledger = Ledger(settings.state, lambda path: find_file(inbox, path), Clock())
    in_progress = InProgress(settings.state)
    tracks = []  # kept, since they end when they are dropped
    for name in ("a.jpg", "b.jpg"):
        put(inbox / name, photo(1))
        found = find_file(inbox, name.encode())
        assert found is not None
        (photo_id,) = ledger.observe([found])
        tracks.append(in_progress.track(photo_id))
        tracks[-1].__enter__()  # and then it dies
    ledger.close()
    monkeypatch.setattr(pending, "_AFTER_DEATH_MS", 20)

    def refuse(*_: object) -> DecodedPhoto:
        raise RuntimeError("decoded in the daemon itself")

    daemon = Daemon(settings)
    counts: list[int] = []
    acquit = daemon.in_progress.acquit

    def acquit_and_count(_: object, ids: Collection[int]) -> None:
        counts.append(daemon.pipeline._workers.count)
        acquit(ids)

    monkeypatch.setattr(decoder_module, "decode", refuse)
    monkeypatch.setattr(InProgress, "acquit", acquit_and_count)
    with daemon.running():
        results(daemon, "classified")
        eventually(lambda: daemon.pipeline._workers.count == 3, "all workers are back")
    assert set(counts) == {1}
    assert not Daemon(settings).in_progress.suspects
