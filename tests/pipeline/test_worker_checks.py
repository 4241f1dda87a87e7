"""Every worker classifies the reference photo; a new engine is tried in each before any switches to it."""

import dataclasses
import math
import threading
from pathlib import Path

from dogid.ledger.outcomes import Classified
from dogid.model.classifier import Model
from dogid.model.reference_photo import ReferencePhoto, make_reference_photo
from dogid.photo.decode import decode
from tests.support.engines import Hanging, Pool, engine, wrong
from tests.support.photos import photo, put
from tests.support.waiting import TIMEOUT


def test_reference_photo_is_made_where_the_model_has_none(model: Model) -> None:
    plain = dataclasses.replace(model, file=dataclasses.replace(model.file, golden=None))
    made = make_reference_photo(plain)

    assert not made.is_golden
    assert made.find_deviation(model.classifier()) is None
    assert decode(made.photo.data, model.size).pixels.shape == (model.size[1], model.size[0], 3)


def test_nan_scores_are_a_deviation(model: Model) -> None:
    good = make_reference_photo(model).photo
    broken = ReferencePhoto(dataclasses.replace(good, scores=tuple(math.nan for _ in good.scores)), is_golden=False)

    assert broken.find_deviation(model.classifier()) is not None


def test_sound_workers_pass_a_round(pool: Pool) -> None:
    assert pool.check() is None


def test_wrong_answer_fails_the_round(pool: Pool, model: Model, inbox: Path) -> None:
    number = pool.checks.switch_engine(wrong(engine(model, inbox)))

    assert "fails on the reference photo" in (pool.wait_for_health_round(number, TIMEOUT) or "")
    pool.checks.switch_engine(engine(model, inbox))
    assert pool.check() is None


def test_rejected_engine_classifies_no_photo(pool: Pool, model: Model, inbox: Path) -> None:
    put(inbox / "a.jpg", photo(1, size=(64, 64)))
    other = wrong(engine(model, inbox, model_id=2))
    for number in range(200):
        pool.add(number, b"a.jpg")

    assert "fails on the reference photo" in (pool.checks.validate_engine(other, TIMEOUT) or "")
    outcomes = [pool.next_outcome() for _ in range(200)]
    assert {outcome.model_id for outcome in outcomes if isinstance(outcome, Classified)} == {1}
    assert len({outcome.job.id for outcome in outcomes}) == 200
    assert pool.check() is None


def test_no_worker_switches_before_all_have_tried(pool: Pool, model: Model, inbox: Path, hanging: Hanging) -> None:
    other = engine(model, inbox, model_id=2)
    put(inbox / "a.jpg", photo(1, size=(64, 64)))
    pool.add(0, b"hangs.jpg")
    hanging.wait()
    problems: list[str | None] = []
    trial = threading.Thread(target=lambda: problems.append(pool.checks.validate_engine(other, TIMEOUT)))
    trial.start()
    for number in range(1, 51):
        pool.add(number, b"a.jpg")
    during = [pool.next_outcome() for _ in range(50)]
    hanging.release()
    trial.join(TIMEOUT)

    assert {outcome.model_id for outcome in during if isinstance(outcome, Classified)} == {1}
    assert problems == [None]
    pool.checks.switch_engine(other)
    pool.next_outcome()
    pool.add(60, b"a.jpg")
    after = pool.next_outcome()
    assert isinstance(after, Classified)
    assert after.model_id == 2


def test_validated_engine_changes_nothing_until_switched_to(pool: Pool, model: Model, inbox: Path) -> None:
    assert pool.checks.validate_engine(engine(model, inbox), TIMEOUT) is None
    assert pool.check() is None


def test_stopping_ends_the_wait_for_a_trial(pool: Pool, model: Model, inbox: Path, hanging: Hanging) -> None:
    pool.add(0, b"hangs.jpg")
    hanging.wait()
    problems: list[str | None] = []
    other = engine(model, inbox)
    trial = threading.Thread(target=lambda: problems.append(pool.checks.validate_engine(other, 10 * TIMEOUT)))
    trial.start()
    pool.workers.stop(0)
    trial.join(TIMEOUT)

    assert problems == ["the daemon is stopping"]


def test_switching_engines_drops_no_photo(pool: Pool, model: Model, inbox: Path) -> None:
    put(inbox / "a.jpg", photo(1, size=(64, 64)))
    for number in range(200):
        pool.add(number, b"a.jpg")
        if number % 50 == 0:
            pool.checks.switch_engine(engine(model, inbox))
            pool.workers.resize(1 + number % 3)
    outcomes = [pool.next_outcome() for _ in range(200)]

    assert all(isinstance(outcome, Classified) for outcome in outcomes)
    assert {outcome.job.id for outcome in outcomes} == set(range(200))
