"""When the daemon judges the active model: again where the ledger could not be read meanwhile."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dogid.daemon.learning_keeper import LearningKeeper, LearningTarget
from dogid.ledger.review_writer import say_label
from dogid.settings import LEARNING_AUTO
from tests.ledger.ledger_folder import Inbox, add_classified
from tests.support.clocks import SetClock


@pytest.mark.parametrize("error", [sqlite3.OperationalError("database is locked"), ValueError("damaged")])
def test_judging_is_tried_again_after_an_error(tmp_path: Path, error: Exception) -> None:
    inbox, asked, noted = Inbox(tmp_path), list[Callable[[], None]](), list[Exception]()
    inbox.ledger.review([add_classified(inbox, "a")], say_label("wolf", "anna"))

    def fail() -> sqlite3.Connection:
        raise error

    file = SimpleNamespace(network=1, name="m", sha256="ab", record={"provenance": {"corrections": ["ab"]}})
    target = SimpleNamespace(
        settings=lambda: SimpleNamespace(learns=True, learning=LEARNING_AUTO),
        model=lambda: SimpleNamespace(file=file),
        found_model=lambda: SimpleNamespace(entry=1),
        reader=lambda: inbox.db,
        note_ledger_error=noted.append,
        is_idle=lambda: False,
        run_soon=asked.append,
    )
    process: Any = SimpleNamespace(is_running=lambda: False)
    keeper = LearningKeeper(inbox.state, process, SetClock([0, 0]), cast(LearningTarget, target))
    keeper._find_worse = fail  # type: ignore[assignment,method-assign]
    keeper.look()
    keeper.look()
    asked.pop()()
    assert not asked

    keeper.look()
    assert len(asked) == 1
    assert noted == [error] * isinstance(error, sqlite3.Error)
    inbox.close()
