"""`dogid replay`: what another model answers to stored photos, beside a daemon that works and without one."""

import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dogid.cli import main
from dogid.ledger.database import open_for_changes, open_for_reading
from dogid.ledger.queries import list_results_since, read_newest_seq
from dogid.ledger.review_writer import add_reviews, say_label
from dogid.ledger.reviews import find_standing_review
from dogid.model.shipped import shipped_model
from tests.shelf.models import make_model
from tests.support.daemon import ROOT, DaemonProcess, dogid, environment
from tests.support.http_client import fetch, fetch_page
from tests.support.photos import photo, put
from tests.support.terminal import show_terminal
from tests.support.waiting import eventually

SHIPPED = shipped_model().name
LABELS = ("a", "b", "c", "d")
"""Of the new model: each photo's label is another, and its scores are the same."""
NAMES = [f"{number}.jpg" for number in range(4)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models of other labels: `new.tflite` and `next.tflite`."""
    folder = tmp_path_factory.mktemp("models")
    make_model(folder / "new.tflite", labels=LABELS)
    make_model(folder / "next.tflite", labels=[f"next {label}" for label in LABELS])
    return folder


@pytest.fixture(scope="module")
def daemon(shared_daemon: DaemonProcess) -> DaemonProcess:
    """A daemon with four answered photos."""
    for number, name in enumerate(NAMES):
        put(shared_daemon.inbox / name, photo(number))
    shared_daemon.wait_for_all_answers(len(NAMES))
    return shared_daemon


def replay(daemon: DaemonProcess, *arguments: str) -> dict[str, Any]:
    done = daemon.command("replay", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def answers(daemon: DaemonProcess, name: str) -> list[tuple[str, str]]:
    """A photo's labels and models by its history, newest first."""
    steps = daemon.history(daemon.results_by_name()[name])
    found = [step["detail"].rpartition(" by ") for step in steps if step["event"] == "classified"]
    return [(answer.rpartition(" ")[0], model) for answer, _, model in found]


def renamed(label: str) -> str:
    """A label of the shipped model as the new one calls it."""
    return LABELS[("dachshund", "other", "poodle", "pug").index(label)]


def test_dry_run_shows_changes_and_makes_none(daemon: DaemonProcess, models: Path) -> None:
    before = daemon.results_by_name()
    for _ in range(2):
        found = replay(daemon, "--model", str(models / "new.tflite"))
        assert (found["photos"], found["answered"], found["changed"], found["replaced"]) == (4, 4, 4, 0)
    expected = {(result["label"], renamed(result["label"])) for result in before.values()}

    assert {(change["from"], change["to"]) for change in found["changes"]} == expected
    assert sum(len(change["examples"]) for change in found["changes"]) == 4
    assert daemon.results_by_name() == before


def test_text_shows_the_changes_and_what_to_do(
    daemon: DaemonProcess, models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = show_terminal(monkeypatch)
    command = ["replay", "--state", str(daemon.state), "--inbox"]

    assert main([*command, str(daemon.inbox), "--model", str(models / "next.tflite")]) == 0
    printed = capsys.readouterr().out
    for result in daemon.results_by_name().values():
        assert f"{result['label']} -> next {renamed(result['label'])}: " in printed
    assert "4 of 4 photos would get another label by next.tflite" in printed
    assert "run it again with --apply" in printed
    assert "answering photos again" in terminal.getvalue()
    assert main([*command, str(daemon.inbox)]) == 0
    assert f"no photo in the inbox has the answer of another model than {SHIPPED}" in capsys.readouterr().out
    assert main([*command, str(daemon.inbox / "none")]) == 2
    assert "the inbox is missing; is a disk not mounted?" in terminal.getvalue()


@pytest.mark.parametrize("learning", ["propose", "off"])
def test_applied_answers_are_current_and_former_ones_in_the_history(
    daemon: DaemonProcess, models: Path, learning: str
) -> None:
    # from stored embeddings first, then by reading the photos
    model, labels = ("new.tflite", LABELS) if learning == "propose" else ("next.tflite", [f"next {a}" for a in LABELS])
    before = daemon.results_by_name()
    with contextlib.closing(open_for_reading(daemon.state)) as db:
        seq = read_newest_seq(db)
    former = {name: answers(daemon, name) for name in NAMES}

    found = replay(daemon, "--model", str(models / model), "--apply", "--learning", learning)

    assert (found["changed"], found["replaced"]) == (4, 4)
    with contextlib.closing(open_for_reading(daemon.state)) as db:
        assert {result["file"] for _, result in list_results_since(db, seq, 100)} == set(NAMES)  # for /events
    eventually(lambda: daemon.results_by_name()[NAMES[0]]["model"] == model, "the daemon shows the new answers")
    for name, result in daemon.results_by_name().items():
        scores = list(before[name]["scores"].values())
        assert result["id"] == before[name]["id"]
        assert list(result["scores"].values()) == pytest.approx(scores, abs=1e-5)
        assert set(result["scores"]) == set(labels)
        assert answers(daemon, name) == [(result["label"], model), *former[name]]
    assert daemon.audit()["clean"]
    assert replay(daemon, "--model", str(models / model))["photos"] == 0


def test_status_and_page_name_photos_with_older_answers(daemon: DaemonProcess) -> None:
    make_model(daemon.state / "models" / "active.tflite", "an active one")
    fetch(daemon.url, "/models/active/activate", method="POST")

    assert daemon.status()["older_answers"] == 4
    page, printed = fetch_page(daemon.url, "/status"), daemon.command("status").stdout
    assert all("with another model" in text and "dogid replay" in text for text in (page, printed))
    assert re.search(r"older answers\s+4 photos; with", printed)
    assert json.loads(daemon.command("status", "--json").stdout)["older_answers"] == 4
    assert replay(daemon, "--apply")["model"]["name"] == "active.tflite"
    assert "older answers" not in daemon.command("status").stdout


def test_photos_that_are_gone_changed_or_reviewed_stay_right(
    daemon: DaemonProcess, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone, changed, kept, said = NAMES
    result = daemon.results_by_name()[said]
    with contextlib.closing(open_for_changes(daemon.state)) as db, db:
        add_reviews(db, [daemon.results_by_name()[said]["id"]], say_label("my own", "me"), 0)
    with paused(daemon):
        (daemon.inbox / gone).rename(daemon.inbox.parent / gone)
        put(daemon.inbox / changed, photo(50))
        folders = ["--state", str(daemon.state), "--inbox", str(daemon.inbox)]
        main(["replay", *folders, "--model", str(models / "new.tflite"), "--learning", "off"])
        printed = capsys.readouterr().out
        assert "1 of them have a person's label, which stays" in printed
        assert "left as they are: 1 gone, 1 changed" in printed
        found = replay(daemon, "--model", str(models / "new.tflite"), "--apply", "--learning", "off")

    assert found["skipped"] == {"gone": 1, "changed": 1, "failed": 0}
    assert (found["replaced"], found["reviewed"]["photos"]) == (2, 1)
    eventually(lambda: daemon.results_by_name()[changed]["sha256"] != result["sha256"], "it is answered by the daemon")
    eventually(lambda: daemon.results_by_name()[said]["model"] == "new.tflite", "the daemon shows the new answer")
    with contextlib.closing(open_for_reading(daemon.state)) as db:
        review = find_standing_review(db, result["sha256"])
    assert review is not None
    assert review.label == "my own"
    assert daemon.results_by_name()[kept]["model"] == "new.tflite"
    eventually(lambda: daemon.audit()["clean"], "nothing is lost")


@contextlib.contextmanager
def paused(daemon: DaemonProcess) -> Iterator[None]:
    """Let the daemon do nothing while the context lasts."""
    daemon.send(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.send(signal.SIGCONT)


@pytest.mark.timeout(1200)  # dozens of runs, one after the other; under coverage beside other work it took ten minutes
def test_kill_at_any_statement_loses_no_answer(
    daemon: DaemonProcess, models: Path, tmp_path: Path, memory_folder: Path
) -> None:
    before, backup, model = tmp_path / "before", tmp_path / "dogid.zip", models / "next.tflite"
    before.mkdir()
    assert daemon.command("backup", str(backup)).returncode == 0
    assert dogid("restore", str(backup), "--state", str(before)).returncode == 0
    paths = map(str, (memory_folder, daemon.inbox, before, model))
    command = [sys.executable, "-m", "tests.crash.replay_deaths", *paths]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20  # each of them was tried, to the last
