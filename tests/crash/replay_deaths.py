"""Death before each statement by which a replay writes, to the ledger or its own file; then the same command goes on.

What dies is a forked process, by `os._exit` in SQLite's trace, as in `ledger_deaths`.
"""

import os
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from dogid.cli import main as dogid
from dogid.ledger.audit import audit
from dogid.ledger.database import open_for_reading
from dogid.ledger.histories import all_pages
from dogid.ledger.queries import ResultFilter, list_results
from dogid.model.classifier import load_model
from dogid.shelf import open_model
from tests.support.forked import in_another_process

_DEAD = 77
_LEAST_PHOTOS = 3  # in the inbox; others have left it, and keep their answers


def dies_at(statement: int) -> None:
    """Let this process die before so many statements that it gives to SQLite from now on, commits among them."""
    left, connect = statement, sqlite3.connect

    def trace(sql: str) -> None:
        nonlocal left
        left -= not sql.lstrip().startswith(("SELECT", "PRAGMA", "--"))
        if left == 0:
            os._exit(_DEAD)

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(trace)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]


def run_and_die(command: Sequence[str], statement: int) -> int:
    """Run `dogid COMMAND...`, and die before so many statements; return the exit status where there are fewer."""
    dies_at(statement)
    return dogid(command)


def answers(state: Path) -> dict[str, list[tuple[str, Any]]]:
    """Each photo's answers, newest first: the current one, and those in its history."""
    with closing(open_for_reading(state)) as db:
        assert [row[0] for row in db.execute("PRAGMA integrity_check")] == ["ok"]
        found = {}
        for result in list_results(db, ResultFilter(limit=1000)):
            steps = [step for page in all_pages(db, result["id"]) for step in page.steps]
            answered = [(step["detail"].rpartition(" by ")[2], step["scores"]) for step in steps if "scores" in step]
            assert answered[0] == (result["model"], result["scores"])
            found[result["file"]] = answered
    return found


def load_once(model: Path) -> None:
    """Load a model for all forks of this process: that is not what is tried here."""
    loaded = load_model(model)
    vars(open_model)["load_model"] = lambda *_, **__: loaded


def die_at_each_statement(folder: Path, inbox: Path, before: Path, model: Path) -> int:
    """Die at one statement after the other of `dogid replay --apply`, run it again; return how many there were."""
    former = answers(before)
    # without embeddings each photo is read, and its answer kept
    arguments = ["--inbox", str(inbox), "--model", str(model), "--learning", "off"]
    load_once(model)
    undisturbed = folder / "undisturbed"
    shutil.copytree(before, undisturbed)
    assert in_another_process(lambda: dogid(["replay", "--apply", "--state", str(undisturbed), *arguments])) == 0
    expected = answers(undisturbed)
    replaced = [file for file, found in expected.items() if found[0][0] == model.name and found[1:] == former[file]]
    assert len(replaced) >= _LEAST_PHOTOS
    statement = 0
    while True:
        statement += 1
        state = folder / f"state{statement}"
        shutil.copytree(before, state)
        command = ["replay", "--apply", "--state", str(state), *arguments]
        status = in_another_process(lambda: run_and_die(command, statement))  # noqa: B023
        assert status in (0, _DEAD), f"statement {statement}"
        for file, found in answers(state).items():
            assert found in (former[file], expected[file]), f"statement {statement}: {file}: {found}"
        assert in_another_process(lambda: dogid(command)) == 0, f"statement {statement}"  # noqa: B023
        assert answers(state) == expected, f"statement {statement}"
        with closing(open_for_reading(state)) as db:
            assert audit(db, inbox).is_clean
        assert not (state / "replay.db").exists()
        shutil.rmtree(state)
        if status == 0:
            return statement


if __name__ == "__main__":
    print(die_at_each_statement(*map(Path, sys.argv[1:])))  # noqa: T201
