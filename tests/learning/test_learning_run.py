"""Learning with a real daemon: reviewed over HTTP, learned, activated, classified; and what refuses."""

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dogid.learning_run.lock import is_learning, learning_alone
from dogid.ledger.database import open_for_reading
from tests.support.collection import PHOTOS, needs
from tests.support.daemon import DaemonProcess
from tests.support.http_client import Reply, fetch
from tests.support.waiting import eventually

ROTTWEILERS = PHOTOS.parent / "extra" / "rottweiler"
pytestmark = [needs(ROTTWEILERS), pytest.mark.timeout(900)]
PATIENCE = 240  # seconds, for what learns at the least priority beside a daemon on a busy machine

LEARNED, OTHERS = range(12), range(12, 24)


def send(daemon: DaemonProcess, path: str, body: Any) -> Reply:
    headers = {"Content-Type": "application/json"}
    return fetch(daemon.url, path, method="POST", body=json.dumps(body).encode(), headers=headers)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A daemon that has classified rottweilers, of which twelve were reviewed."""
    folder = tmp_path_factory.mktemp("learning")
    (folder / "inbox").mkdir()
    for number in (*LEARNED, *OTHERS):
        shutil.copy(ROTTWEILERS / f"rottweiler_{number:03}.jpg", folder / "inbox" / f"{number}.jpg")
    process = DaemonProcess(folder / "inbox", folder / "state").start()
    process.wait_for_all_answers(len(LEARNED) + len(OTHERS))
    ids = [process.wait_for_answer(f"{number}.jpg")["id"] for number in LEARNED]
    assert send(process, "/labels", {"ids": ids, "label": "rottweiler"}).status == 200
    yield process
    process.close()


def report_of(daemon: DaemonProcess) -> dict[str, Any]:
    """Wait for the end of a learning run, and return what became of it."""

    def ended() -> dict[str, Any] | None:
        document: dict[str, Any] = daemon.get("/learn")
        return None if document["running"] else document

    return eventually(ended, "the learning run ends", timeout=PATIENCE)


def test_contradictions_are_listed_without_learning(daemon: DaemonProcess) -> None:
    done = daemon.command("learn", "--check", "--json", timeout=PATIENCE)
    found = json.loads(done.stdout)["contradictions"]

    assert done.returncode == 0
    assert {one["other"] for one in found} == {"rottweiler"}
    assert len(found) >= 10
    assert daemon.get("/learn") == {"running": False, "report": None, "error": None}
    kept = next(one["sha256"] for one in found if one["name"] is None)
    done = daemon.command("learn", "--keep", kept[:12], "--by", "anna", "--json", timeout=PATIENCE)
    answered = json.loads(done.stdout)
    assert [(one["sha256"], one["answer"], one["by"]) for one in answered["answered"]] == [(kept, "keep", "anna")]
    assert kept not in {one["sha256"] for one in answered["contradictions"]}
    assert "begins with 'abc'" in daemon.command("learn", "--drop", "abc", timeout=PATIENCE).stderr
    # another network, by which nothing is embedded yet: looking keeps nothing
    assert daemon.command("learn", "--check", "--channels", "bgr", timeout=PATIENCE).returncode == 0
    with contextlib.closing(open_for_reading(daemon.state)) as db:
        assert db.execute("SELECT count(DISTINCT network) FROM reviewed_embedding").fetchone()[0] == 1


@pytest.fixture(scope="module")
def learned(daemon: DaemonProcess) -> tuple[Reply, Reply, dict[str, Any]]:
    """A learning run over HTTP: its answer, that to a second one meanwhile, and the report."""
    begun = send(daemon, "/learn", {"activate": True})
    second = send(daemon, "/learn", {})
    return begun, second, report_of(daemon)["report"]


def test_reviewed_photos_become_a_label_that_is_answered(
    daemon: DaemonProcess, learned: tuple[Reply, Reply, dict[str, Any]]
) -> None:
    begun, second, report = learned

    assert (begun.status, begun.document["running"]) == (202, True)
    assert (second.status, second.code) == (409, "conflict")
    assert (report["passed"], report["activated"]) == (True, True)
    assert report["gate"]["better"]["gained"] >= 8
    assert report["replay"]["photos"] == len(OTHERS)
    assert report["precision"] == 0.95
    assert all(0 < one["threshold"] <= 1 and one["precision"] >= 0.95 for one in report["thresholds"])
    running = daemon.get("/models")["running"]
    assert running["name"] == report["name"]
    assert "rottweiler" in daemon.get("/status")["model"]["labels"]
    shutil.copy(ROTTWEILERS / "rottweiler_030.jpg", daemon.inbox / "new.jpg")
    assert daemon.wait_for_answer("new.jpg")["label"] == "rottweiler"
    again = daemon.command("learn", timeout=PATIENCE)
    assert (again.returncode, again.stdout) == (1, "")
    assert "learned all reviewed photos already" in again.stderr
    assert "learned all reviewed photos" in daemon.get("/learn")["error"]["message"]


def test_contradictions_of_the_run_are_answered_over_http(
    daemon: DaemonProcess, learned: tuple[Reply, Reply, dict[str, Any]]
) -> None:
    asked = daemon.get("/learn/contradictions")["contradictions"]
    own = {one["sha256"] for one in learned[2]["contradictions"] if one["name"] is None}
    first = asked[0]
    path = f"/learn/contradictions/{first['sha256']}"
    answered = send(daemon, path, {"answer": "relabel", "by": "ben"}).document
    listed = daemon.get("/learn/contradictions")["contradictions"]

    assert {one["sha256"] for one in asked if one["answer"] is None} == own
    kept = [one for one in asked if one["answer"] == "keep"]  # by the command
    assert learned[2]["learned_from"]["confirmed"] == len(kept) == len(asked) - len(own)
    assert (answered["answer"], answered["answer_label"], answered["by"]) == ("relabel", "rottweiler", "ben")
    assert answered in listed
    assert send(daemon, path, {"answer": "drop"}).document["answer"] == "drop"
    assert fetch(daemon.url, path, method="DELETE").document == first
    assert daemon.get("/learn/contradictions")["contradictions"] == asked
    assert send(daemon, path, {"answer": "burn"}).status == 400
    assert send(daemon, f"/learn/contradictions/{'0' * 64}", {"answer": "drop"}).status == 404


def test_two_learning_runs_at_once_are_refused(daemon: DaemonProcess) -> None:
    with learning_alone(daemon.state):
        assert is_learning(daemon.state)
        refused = daemon.command("learn")
    assert refused.returncode == 2
    assert "another learning run is under way" in refused.stderr
    assert not is_learning(daemon.state)


def test_run_that_a_command_forestalled_says_so(daemon: DaemonProcess) -> None:
    assert send(daemon, "/learn", {}).status == 202
    with learning_alone(daemon.state):  # long before the daemon's process has loaded what it needs
        reason = "another learning run was under way"  # in the place of what an earlier run has left
        eventually(lambda: reason in str(daemon.get("/learn")["error"]), "the run has ended", timeout=60)


def test_without_a_daemon_it_learns_the_same_model(
    daemon: DaemonProcess,
    learned: tuple[Reply, Reply, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same model byte by byte, also where reviewed photos have gone: their embeddings serve.

    Two threads of numpy would give other last bits than one.
    """
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    state = tmp_path / "state"
    shutil.copytree(daemon.state, state)
    for model in (state / "models").iterdir():
        model.unlink()
    done = DaemonProcess(tmp_path / "gone", state).command("learn", "--json", timeout=PATIENCE)
    document = json.loads(done.stdout)

    assert document["learned_from"]["reviewed"] == len(LEARNED)
    assert document["learned_from"]["without_embedding"] == 0
    assert document["sha256"] == learned[2]["sha256"]
    assert not document["activated"]
