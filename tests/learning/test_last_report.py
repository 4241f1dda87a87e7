"""A learning run that fails in any way leaves its failure, and never the report of an earlier run."""

import argparse
import contextlib
import fcntl
import os
import resource
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from dogid.commands import learn, model_shelf
from dogid.errors import ConflictError
from dogid.learning_run import end_with_daemon, run
from dogid.learning_run.child import LearningProcess
from dogid.learning_run.last_report import keep_beginning, keep_failure, keep_report, read_contradictions, read_report
from dogid.learning_run.lock import is_learning, learning_alone
from dogid.ledger.database import open_for_writing
from dogid.settings import Settings

EARLIER = {"passed": True, "name": "earlier.tflite"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with the report of an earlier run."""
    keep_report(tmp_path, EARLIER)
    return tmp_path


def test_run_that_was_killed_has_no_earlier_report(state: Path) -> None:
    with learning_alone(state):
        keep_beginning(state)
        assert read_report(state) is None
    report = read_report(state)

    assert report is not None
    assert report["interrupted"]
    assert "was ended before it had a report" in report["error"]["message"]


def test_damaged_contradictions_are_left_out(state: Path) -> None:
    whole = {"sha256": "ab" * 32, "name": None, "label": "pug", "other": "wolf", "reason": "looks like it"}
    damaged = [{key: value for key, value in whole.items() if key != left_out} for left_out in whole]
    keep_report(state, {"contradictions": ["", *damaged, whole | {"sha256": []}, whole, whole | {"label": None}]})

    assert read_contradictions(state) == [whole]


def test_run_that_is_stopped_at_once_leaves_no_earlier_report(state: Path) -> None:
    process = LearningProcess(state, state)
    process.start(Settings(inbox=state, state=state), activate=False)
    starting = process.last_run()
    process.request_stop()
    process.join(time.monotonic() + 60)

    assert (starting.running, starting.report, starting.error) == (True, None, None)
    assert EARLIER not in (read_report(state), process.last_run().report)
    assert process.last_run().error is not None
    process._forget_last()  # closes its files


def test_end_of_the_daemon_is_no_error_of_the_run(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def swallow(*_: object) -> run.LearningRun:
        with contextlib.suppress(Exception):
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        return run.LearningRun(state, {"passed": True})

    monkeypatch.setattr(run, "learn_model", swallow)
    before = signal.signal(signal.SIGTERM, end_with_daemon._end)
    try:
        with pytest.raises(end_with_daemon.DaemonEndedError):
            begin(state, activate=False)
        with pytest.raises(end_with_daemon.DaemonEndedError):  # where it was printed, and the run went on
            end_with_daemon.check_daemon()
    finally:
        signal.signal(signal.SIGTERM, before)
        end_with_daemon._has_ended.clear()

    report = read_report(state)
    assert report is not None
    assert report["error"]["message"].startswith("the daemon that had begun")


def test_full_disk_leaves_no_earlier_report(state: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # no file can be written
    try:
        keep_failure(state, "no room")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert read_report(state) is None


def begin(state: Path, **arguments: Any) -> dict[str, Any]:
    open_for_writing(state).connection.close()
    args = argparse.Namespace(state=state, inbox=state, precision=0.95, **arguments)
    return learn._learn(args, Settings(inbox=state, state=state), state)


def test_any_error_is_in_the_report(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no room for 7 GB")

    monkeypatch.setattr(run, "learn_model", fail)
    with pytest.raises(MemoryError):
        begin(state, activate=False)
    report = read_report(state)

    assert report is not None
    assert report["error"]["message"] == "MemoryError: no room for 7 GB"


def test_refused_activation_is_in_the_report(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"passed": True, "activated": False, "name": "new.tflite", "parent": {"sha256": "ab"}}

    def refuse(*_: object, parent: str) -> None:
        raise ConflictError(f"{parent} is not active")

    monkeypatch.setattr(run, "learn_model", lambda *_: run.LearningRun(state, document))
    monkeypatch.setattr(model_shelf, "change_model", refuse)
    with pytest.raises(ConflictError):
        begin(state, activate=True)

    assert read_report(state) == document | {"activation_error": {"message": "ab is not active"}}


def test_asking_whether_a_run_is_under_way_refuses_none(state: Path) -> None:
    with learning_alone(state):
        pass  # the lock's file is there
    asking = os.open(state / "models" / ".learning.lock", os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)  # as who asks holds it for a moment
    threading.Timer(0.02, os.close, [asking]).start()

    with learning_alone(state):
        assert is_learning(state)
