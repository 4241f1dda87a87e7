"""Changing the active model: only from the one that is expected, past files that are gone, for each command."""

from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.commands.model_shelf import print_older_answers
from dogid.daemon.model_switch import ModelSwitch
from dogid.errors import ConflictError
from dogid.model.shipped import shipped_model
from dogid.settings import Settings
from dogid.shelf.folder import hash_file
from dogid.shelf.pointer import read_pointer
from dogid.shelf.requests import read_outcome, write_request
from tests.ledger.ledger_folder import Inbox, add_classified
from tests.shelf.models import make_model
from tests.support.daemon import dogid


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with two models on its shelf: `a.tflite` and `b.tflite`."""
    for name in ("a", "b"):
        make_model(tmp_path / "models" / f"{name}.tflite")
    return tmp_path


@pytest.fixture
def switch(state: Path) -> ModelSwitch:
    return ModelSwitch(state, Clock(), lambda: Settings(state=state), lambda _, commit: commit())


def active(state: Path) -> str | None:
    entry = read_pointer(state).active
    return None if entry is None else entry.name


def test_model_learned_from_another_is_not_activated(state: Path, switch: ModelSwitch) -> None:
    shipped = hash_file(shipped_model())
    switch.activate("a", parent=shipped)

    with pytest.raises(ConflictError, match="learn again"):
        switch.activate("b", parent=shipped)
    assert active(state) == "a.tflite"
    switch.activate("b", parent=hash_file(state / "models" / "a.tflite"))
    assert active(state) == "b.tflite"


def test_rollback_passes_models_whose_files_are_gone(state: Path, switch: ModelSwitch) -> None:
    switch.activate("a")
    switch.activate("b")
    (state / "models" / "a.tflite").unlink()

    done = dogid("model", "rollback", "--state", str(state))

    assert done.returncode == 0
    assert "a.tflite is gone or damaged, and was skipped" in done.stderr
    assert active(state) is None
    with pytest.raises(ConflictError, match="nothing to go back to"):
        switch.roll_back()


def test_requests_of_two_commands_are_both_answered(state: Path, switch: ModelSwitch) -> None:
    wrong = write_request(state, "b", hash_file(state / "models" / "b.tflite"))
    right = write_request(state, "a")

    assert switch.answer_requests()
    assert not switch.answer_requests()

    outcomes = [read_outcome(state, request) for request in (wrong, right)]
    assert [outcome is not None and outcome.refusal is not None for outcome in outcomes] == [True, False]
    assert None not in outcomes
    assert active(state) == "a.tflite"


def test_next_step_after_activation_names_older_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_older_answers(tmp_path, "ff")  # no ledger yet
    inbox = Inbox(tmp_path)
    for name in ("a", "b"):
        add_classified(inbox, name)
    inbox.close()
    print_older_answers(inbox.state, "ff")

    assert capsys.readouterr().out == ("2 of 2 answers are of the former model; what this one answers: dogid replay\n")
