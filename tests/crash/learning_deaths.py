"""Death before each step by which a learning run changes the shelf's folder; then the same run goes through.

The mathematics is left out: what is tried is what the run leaves behind. What dies is a forked process, as in
`shelf_deaths`.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dogid.clock import Clock
from dogid.commands import learn
from dogid.daemon.model_switch import ModelSwitch
from dogid.learning_run import run
from dogid.learning_run.last_report import keep_report, read_report
from dogid.ledger.database import open_for_writing
from dogid.settings import Settings
from dogid.shelf.folder import models_on_shelf, put_on_shelf
from dogid.shelf.open_model import find_model
from tests.crash.shelf_deaths import Watch, check_shelf, dies_at, load_only_models
from tests.support.forked import in_another_process

_DEAD = 77
_MODELS = 7  # more than are kept
_KEPT = 6  # the newest ones, and the active one, which is the oldest
_EARLIER = {"passed": True, "name": "earlier.tflite", "activated": True}


def write_model(parent: object, target: Path, new: object) -> Any:  # noqa: ARG001
    """Write something that differs each time where a model would be written."""
    target.write_bytes(os.urandom(64))
    return SimpleNamespace(path=target, sha256="")


def find_parent(chosen: Settings, **_: object) -> Any:
    """Return the active model, as far as a run needs it."""
    entry = find_model(chosen).entry
    assert entry is not None
    path = chosen.state / "models" / entry.name
    return SimpleNamespace(file=SimpleNamespace(path=path, name=entry.name, sha256=entry.sha256))


def leave_mathematics_out() -> None:
    """Have runs of this process learn nothing."""
    learned = SimpleNamespace(
        **dict.fromkeys(("head", "labels", "embeddings", "learned_from", "learned_labels", "kept", "dropped"), ()),
        gate=SimpleNamespace(passed=True),
    )
    gathered = SimpleNamespace(parent=None, reviewed=(), read_recent=tuple, unreadable=())
    vars(run).update(
        open_model=find_parent,
        gather=lambda *_, **__: gathered,
        learn=lambda *_, **__: learned,
        describe_learned=lambda *_: {"passed": True},
        write_head=write_model,
    )


def prepare(state: Path) -> None:
    """Make a state folder whose active model is the oldest of seven, with the report of an earlier run."""
    open_for_writing(state).connection.close()
    switch = ModelSwitch(state, Clock(), lambda: Settings(state=state), lambda _, commit: commit())
    switch.activate(put_on_shelf(state, "m0", b"model 0", "a test").name)
    for number in range(1, _MODELS):
        put_on_shelf(state, f"m{number}", f"model {number}".encode(), "a test")
    keep_report(state, _EARLIER)


def life(state: Path, watch: Watch, *, activate: bool) -> None:
    """A learning run, by `learning = "propose"` or `"auto"`."""
    watch()
    learn._learn(
        argparse.Namespace(state=state, inbox=state, activate=activate, precision=0.95), Settings(state=state), state
    )


def die_at_each_step(before: Path, state: Path, *, activate: bool) -> int:
    """Die at one step after the other until a run has no more; return how many there were."""
    step = 0
    while True:
        step += 1
        shutil.copytree(before, state)
        status = in_another_process(lambda: life(state, dies_at(step, state / "models"), activate=activate))  # noqa: B023
        assert status in (0, _DEAD)
        check_shelf(state)
        names = {path.name for path in models_on_shelf(state)}
        assert "m0.tflite" in names
        is_new = any(name.startswith("learned") for name in names)
        assert not is_new or read_report(state) != _EARLIER, f"step {step}"
        assert in_another_process(lambda: life(state, lambda: None, activate=activate)) == 0, f"step {step}"
        check_shelf(state)
        report = read_report(state)
        assert report is not None
        assert report["name"].startswith("learned"), f"step {step}"
        assert report["activated"] == activate, f"step {step}"
        assert (find_parent(Settings(state=state)).file.name == report["name"]) == activate, f"step {step}"
        assert activate or len(list(models_on_shelf(state))) == _KEPT, f"step {step}"
        assert not list((state / "models").glob(".learning-*")), f"step {step}"
        shutil.rmtree(state)
        if status == 0:
            return step


if __name__ == "__main__":
    load_only_models()
    leave_mathematics_out()
    prepared = Path(sys.argv[1], "before")
    prepared.mkdir()
    prepare(prepared)
    print(*(die_at_each_step(prepared, Path(sys.argv[1], "state"), activate=each) for each in (False, True)))  # noqa: T201
