"""The setting `learning`: runs that the daemon begins, activation, and the way back, with a real daemon."""

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import threading
from glob import glob
from pathlib import Path
from typing import Any

import pytest

from dogid.daemon.learning_keeper import NEEDED_CORRECTIONS, QUIET_MS
from dogid.learning_run.last_report import read_report
from dogid.learning_run.lock import is_learning
from dogid.ledger.database import FILE_NAME
from tests.support.collection import PHOTOS, needs
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch, fetch_page
from tests.support.waiting import eventually

ROTTWEILERS = PHOTOS.parent / "extra" / "rottweiler"
pytestmark = [needs(ROTTWEILERS), pytest.mark.timeout(600)]  # it learns at the lowest priority

CORRECTED, LATER = range(12), range(12, 24)
LONG = 240  # seconds


def say(daemon: DaemonProcess, numbers: range, label: str) -> None:
    ids = [daemon.wait_for_answer(f"{number}.jpg")["id"] for number in numbers]
    body = json.dumps({"ids": ids, "label": label}).encode()
    headers = {"Content-Type": "application/json"}
    assert fetch(daemon.url, "/labels", method="POST", body=body, headers=headers).status == 200


def let_words_age(state: Path) -> None:
    """Let all reviews have been said so long ago that nobody seems to correct any more; the daemon is stopped."""
    db = sqlite3.connect(state / FILE_NAME)
    with db:
        db.execute("UPDATE review SET at = at - ?", (QUIET_MS,))
    db.close()


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an inbox and a state folder, in which rottweilers were corrected a while ago."""
    folder = tmp_path_factory.mktemp("corrected")
    (folder / "inbox").mkdir()
    for number in (*CORRECTED, *LATER):
        shutil.copy(ROTTWEILERS / f"rottweiler_{number:03}.jpg", folder / "inbox" / f"{number}.jpg")
    daemon = DaemonProcess(folder / "inbox", folder / "state").start()
    daemon.wait_for_all_answers(len(CORRECTED) + len(LATER))
    say(daemon, CORRECTED, "rottweiler")
    assert len(CORRECTED) >= NEEDED_CORRECTIONS
    assert not daemon.get("/learn")["running"]  # someone may still be at it
    daemon.stop()
    let_words_age(folder / "state")
    return folder


def report_of(daemon: DaemonProcess) -> dict[str, Any]:
    """Wait for the report of a run that the daemon began."""
    return eventually(
        lambda: None if (answer := daemon.get("/learn"))["running"] else answer["report"], "a report", timeout=LONG
    )


def test_enough_corrections_become_a_proposal(corrected: Path, tmp_path: Path) -> None:
    shutil.copytree(corrected / "state", tmp_path / "state")
    daemon = DaemonProcess(corrected / "inbox", tmp_path / "state").start()
    try:
        report = report_of(daemon)
        hint = f"dogid model activate {report['name']}"
        daemon.wait_for_log(f"have it classify: {hint}")
        learning = daemon.status()["learning"]
        printed = daemon.command("status").stdout

        assert (report["passed"], report["activated"]) == (True, False)
        assert daemon.get("/models")["running"]["origin"] == "shipped"
        assert learning["mode"] == "propose"
        assert learning["last"]["name"] == report["name"]
        assert hint in printed
        assert hint in fetch_page(daemon.url, "/status")
    finally:
        daemon.close()


def learning_child(daemon: DaemonProcess) -> int | None:
    """The process in which the daemon learns, once it has begun."""
    with contextlib.suppress(OSError):  # a thread or process that has ended meanwhile
        children = (Path(path).read_text() for path in glob(f"/proc/{daemon.pid}/task/*/children"))
        command_lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in "".join(children).split()}
        learning = (pid for pid, words in command_lines.items() if b"learn" in words)
        return next(learning, None) if is_learning(daemon.state) else None
    return None


def test_run_ends_with_its_daemon(corrected: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    shutil.copytree(corrected / "state", state)
    daemon = DaemonProcess(corrected / "inbox", state)
    try:
        for end in (daemon.kill, daemon.stop):
            daemon.start()
            if end == daemon.stop:  # the first run is begun unasked
                assert fetch(daemon.url, "/learn", method="POST").status == 202
            run = eventually(lambda: learning_child(daemon), "a run")
            os.kill(run, signal.SIGSTOP)  # else it may have done all before the daemon ends
            threading.Timer(0.3, os.kill, [run, signal.SIGCONT]).start()
            end()
            eventually(lambda: not is_learning(state), "it ends")

            report = read_report(state)
            assert report is not None
            assert re.search("was (stopped|ended)", report["error"]["message"])  # on a busy machine it is killed
            assert not list((state / "models").glob("*.tflite"))
            assert end == daemon.stop or not list((state / "models").glob(".learning-*"))
    finally:
        daemon.close()


def test_auto_activates_and_goes_back_from_a_worse_model(corrected: Path, tmp_path: Path) -> None:
    shutil.copytree(corrected / "state", tmp_path / "state")
    daemon = DaemonProcess(corrected / "inbox", tmp_path / "state", "--learning", "auto").start()
    try:
        name = eventually(
            lambda: running["name"] if (running := daemon.get("/models")["running"])["origin"] != "shipped" else None,
            "the learned model runs",
            timeout=LONG,
        )
        daemon.wait_for_log("passed the gate and is active now")
        # people find that what the model before said was right
        before = {f"{number}.jpg": daemon.wait_for_answer(f"{number}.jpg") for number in LATER}
        for number in LATER:
            say(daemon, range(number, number + 1), before[f"{number}.jpg"]["label"])
        eventually(lambda: daemon.get("/models")["running"]["origin"] == "shipped", "it goes back", timeout=120)
        learning = eventually(lambda: daemon.status()["learning"]["rolled_back"], "the rollback is noted")

        daemon.wait_for_log(f"model {name} is worse than the one before")
        assert learning["name"] == name
        assert "answered correctly by the model before alone" in learning["reason"]
        assert "Went back" in fetch_page(daemon.url, "/status")
    finally:
        daemon.close()


def test_off_learns_nothing(corrected: Path, tmp_path: Path) -> None:
    shutil.copytree(corrected / "state", tmp_path / "state")
    daemon = DaemonProcess(corrected / "inbox", tmp_path / "state", "--learning", "off").start()
    try:
        eventually(lambda: fetch(daemon.url, "/healthz").status == 200, "a health check, after which it would begin")
        assert daemon.get("/learn") == {"running": False, "report": None, "error": None}
        assert daemon.status()["learning"]["mode"] == "off"
    finally:
        daemon.close()
