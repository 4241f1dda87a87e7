"""Death before each step that changes the shelf's folder, while models are activated; then it is looked what is active.

What dies is a forked process, by `os._exit` in an audit hook, which Python calls before each such step: no handler
runs and no buffer is flushed. What a process has written the kernel keeps, so that nothing differs between two steps.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dogid.clock import Clock
from dogid.daemon.daemon import Daemon
from dogid.daemon.model_switch import ModelSwitch
from dogid.learning_run.learning_state import note_rollback
from dogid.model.classifier import Model, load_model
from dogid.model.shipped import shipped_model
from dogid.settings import Settings
from dogid.shelf import open_model
from dogid.shelf.folder import hash_file, put_on_shelf
from dogid.shelf.open_model import find_model
from dogid.shelf.pointer import read_pointer
from dogid.shelf.requests import read_outcome, take_requests, withdraw_request, write_request
from tests.shelf.models import make_model
from tests.support.forked import in_another_process

_DEAD = 77
_STEPS = frozenset({"os.rename", "os.remove", "os.chmod", "os.mkdir"})
_WRITING = os.O_WRONLY | os.O_RDWR
_LEAST_BYTES = 100  # of a model
_MODELS = 7  # more than are kept, so that some are removed

Watch = Callable[[], None]
Life = Callable[[Path, Watch], None]


def dies_at(step: int, folder: Path) -> Watch:
    """Return what lets a process die at so many steps on files in folder, counted from the call."""

    def watch() -> None:
        left = step

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            opens = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
            if event not in _STEPS and not opens:
                return
            paths = [os.fsdecode(each) for each in arguments if isinstance(each, str | bytes | os.PathLike)]
            if any(path.startswith(str(folder)) for path in paths):
                left -= 1
                if left == 0:
                    os._exit(_DEAD)

        sys.addaudithook(hook)

    return watch


def life_without_daemon(state: Path, watch: Watch) -> None:
    """Models are put on the shelf and activated, the oldest removed, and two rollbacks made."""
    switch = ModelSwitch(state, Clock(), lambda: Settings(state=state), lambda _, commit: commit())
    watch()
    for number in range(_MODELS):
        switch.activate(put_on_shelf(state, f"m{number}", f"model {number}".encode(), "a test").name)
    switch.roll_back()
    switch.roll_back()


def life_with_daemon(state: Path, watch: Watch) -> None:
    """A daemon gets another model, and goes back to the one before."""
    inbox = state.parent / "inbox"
    inbox.mkdir(exist_ok=True)
    put_on_shelf(state, "other", make_model(state.parent / "other.tflite").read_bytes(), "a test")
    daemon = Daemon(Settings(inbox=inbox, state=state, workers=1))
    with daemon.running():
        watch()
        daemon.activate_model("other")
        daemon.roll_back_model()


def life_by_request(state: Path, watch: Watch) -> None:
    """Commands ask for models and a rollback, as `dogid learn --activate` does; a rollback unasked is noted."""
    switch = ModelSwitch(state, Clock(), lambda: Settings(state=state), lambda _, commit: commit())
    for name in ("m0", "m1"):
        put_on_shelf(state, name, f"model {name}".encode(), "a test")
    switch.activate("m0")
    watch()
    for wanted in ("m1", None):
        request = write_request(state, wanted)
        assert switch.answer_requests()
        outcome = read_outcome(state, request)
        assert outcome is not None
        assert outcome.refusal is None, outcome.refusal
        withdraw_request(state, request)
    note_rollback(state, "m1.tflite", "", "a test", 0)


def check_shelf(state: Path) -> None:
    """What must hold after a death: one active model, whole, and the ones to go back to as well."""
    found = find_model(Settings(state=state))
    assert found.problem is None, found.problem
    pointer = read_pointer(state)
    assert found.entry == pointer.active
    for entry in (pointer.active, *pointer.former):
        assert entry is None or hash_file(state / "models" / entry.name) == entry.sha256


def die_at_each_step(folder: Path, life: Life) -> int:
    """Die at one step after the other until a life has no more; return how many there were."""
    step = 0
    while True:
        step += 1
        state = folder / f"{life.__name__}{step}" / "state"
        state.mkdir(parents=True)
        status = in_another_process(lambda: life(state, dies_at(step, state / "models")))  # noqa: B023
        assert status in (0, _DEAD)
        check_shelf(state)
        assert life is not life_by_request or read_pointer(state).active is not None, f"step {step}"
        after = life_by_request if life is life_by_request else life_without_daemon
        assert in_another_process(lambda: after(state, lambda: None)) == 0, f"step {step}"  # noqa: B023
        check_shelf(state)
        take_requests(state)  # a command that has died waits for no outcome
        assert not list((state / "models").glob(".request-*"))
        shutil.rmtree(state.parent)
        if status == 0:
            return step


def load_only_models() -> None:
    """Load the shipped model in place of files that are too small to be one: steps on files are what is tried."""
    os.fsync = lambda fd: None  # noqa: ARG005 - a process that dies leaves all to the kernel
    shipped, load = load_model(shipped_model()), load_model

    def load_large(path: Path, *rest: Any, **options: Any) -> Model:
        return shipped if path.stat().st_size < _LEAST_BYTES else load(path, *rest, **options)

    vars(open_model)["load_model"] = load_large


def main(folder: Path) -> None:
    """Print how many deaths were died without a daemon, with one, and where commands ask it."""
    load_only_models()
    print(*(die_at_each_step(folder, life) for life in (life_without_daemon, life_with_daemon, life_by_request)))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
