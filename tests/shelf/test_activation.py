"""Activating models of the shelf and going back, beside a daemon that runs: by command and over HTTP."""

import hashlib
import json
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dogid.learning_run.last_report import keep_report
from dogid.model.shipped import shipped_model
from dogid.quantities import count_of
from tests.conftest import MakeDaemon
from tests.shelf.models import damage, make_model
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch, fetch_page
from tests.support.own_commands import run_here
from tests.support.photos import photo, put
from tests.support.waiting import eventually

SHIPPED = shipped_model().name


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model `mine.tflite`, and `liar.tflite`, whose golden photo gets another answer than it says."""
    folder = tmp_path_factory.mktemp("models")
    make_model(folder / "mine.tflite")
    liar = make_model(folder / "liar.tflite")
    with warnings.catch_warnings(), zipfile.ZipFile(liar, "a") as archive:
        warnings.simplefilter("ignore")  # it has such a record already: the last one counts
        record = {"golden": {"file": "known.jpg", "scores": [0, 0, 0, 1], "tolerance": 0.01}}
        archive.writestr("known.jpg", photo(1))
        archive.writestr("dogid.json", json.dumps(record))
    return folder


@pytest.fixture
def shipped(shared_daemon: DaemonProcess) -> Iterator[DaemonProcess]:
    """A daemon of this file, by the shipped model."""
    yield shared_daemon
    while post(shared_daemon, "/rollback").status == 200:
        pass


def post(daemon: DaemonProcess, path: str, **headers: str) -> Any:
    return fetch(daemon.url, path, method="POST", headers=headers)


def run_model(daemon: DaemonProcess, *arguments: str) -> tuple[int, str, str]:
    """Run `dogid model ARGUMENTS...` on the daemon's state folder; return exit status, output and errors."""

    done = run_here("model", *arguments, "--state", str(daemon.state))
    return done.returncode, done.stdout, done.stderr


def test_command_has_the_daemon_change_its_model_and_go_back(shipped: DaemonProcess, models: Path) -> None:
    put(shipped.inbox / "before.jpg", photo(1))
    shipped.wait_for_answer("before.jpg")

    status, out, _ = run_model(shipped, "activate", str(models / "mine.tflite"), "--json")

    assert status == 0
    changed = json.loads(out)
    assert (changed["active"]["name"], changed["previous"]["name"]) == ("mine.tflite", SHIPPED)
    put(shipped.inbox / "after.jpg", photo(2))
    assert shipped.wait_for_answer("after.jpg")["model"] == "mine.tflite"
    assert shipped.results_by_name()["before.jpg"]["model"] == SHIPPED
    model = shipped.status()["model"]
    assert (model["name"], model["origin"], model["problem"]) == ("mine.tflite", "activated", None)
    assert "photos" in model["made_from"]
    eventually(
        lambda: "mine.tflite" in json.loads(shipped.command("status", "--json").stdout)["model"],
        "dogid status names the model",
    )
    page, older = fetch_page(shipped.url, "/status"), count_of(shipped.status()["older_answers"], "photo")  # mostly one
    assert "made from" in page
    assert older in page
    assert re.search(rf"older answers\s+{older};", shipped.command("status").stdout)

    assert run_model(shipped, "rollback")[0] == 0
    assert shipped.status()["model"]["origin"] == "shipped"
    status, _, errors = run_model(shipped, "rollback")
    assert (status, "nothing to go back to" in errors) == (2, True)


def test_status_says_which_learned_model_is_still_active(shipped: DaemonProcess) -> None:
    file = make_model(shipped.state / "models" / "learned.tflite")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    keep_report(shipped.state, {"name": file.name, "sha256": sha256, "passed": True, "activated": True})

    def is_said(active: bool, words: str) -> bool:
        last = shipped.status()["learning"]["last"]
        page, printed = fetch_page(shipped.url, "/status"), shipped.command("status").stdout
        assert last["activated"]
        return last["active"] is active and all(words in text for text in (last["summary"], page, printed))

    assert post(shipped, "/models/learned/activate").status == 200
    eventually(lambda: is_said(True, "is active now; the former one: dogid model rollback"), "it is active")
    assert post(shipped, "/rollback").status == 200
    again = "not active any more; again: dogid model activate learned.tflite"
    eventually(lambda: is_said(False, again), "it is not active")
    assert "dogid model rollback" not in shipped.command("status").stdout
    assert "Not active any more" in fetch_page(shipped.url, "/status")
    file.unlink()
    assert is_said(False, "it is not active, and no longer on the shelf")


def test_model_is_activated_and_taken_back_over_http(shipped: DaemonProcess) -> None:
    make_model(shipped.state / "models" / "web.tflite")
    listed = fetch(shipped.url, "/models").document

    assert {model["name"] for model in listed["models"]} >= {"web.tflite", SHIPPED}
    done = post(shipped, "/models/web/activate")
    assert (done.status, done.document["running"]["name"]) == (200, "web.tflite")
    assert done.document["models"][0] | {"active": True, "name": "web.tflite"} == done.document["models"][0]
    assert post(shipped, "/models/web.tflite/activate", Origin="https://evil.example").code == "foreign_origin"
    assert post(shipped, "/rollback", Origin="https://evil.example").status == 403
    assert post(shipped, "/rollback").document["running"]["name"] == SHIPPED
    assert post(shipped, "/rollback").code == "conflict"


@pytest.mark.parametrize("name", ["nothing", "..", "..%2f..%2fmine", "%2e%2e%2fdogid", "active.json", "%00", "a%2fb"])
def test_unknown_name_leads_nowhere(shipped: DaemonProcess, name: str) -> None:
    assert post(shipped, f"/models/{name}/activate").status in (404, 405)
    assert shipped.status()["model"]["origin"] == "shipped"


def test_model_that_fails_its_self_test_is_refused(shipped: DaemonProcess, models: Path) -> None:
    put(shipped.state / "models" / "liar.tflite", (models / "liar.tflite").read_bytes())

    assert post(shipped, "/models/liar/activate").code == "model_refused"
    status, _, errors = run_model(shipped, "activate", "liar")
    assert (status, "fails its self-test" in errors) == (2, True)
    assert shipped.status()["model"]["name"] == SHIPPED


def test_no_photo_is_dropped_while_models_change(shipped: DaemonProcess) -> None:
    make_model(shipped.state / "models" / "web.tflite")
    names = [f"flow{number}.jpg" for number in range(40)]
    for number, name in enumerate(names):
        put(shipped.inbox / name, photo(number))
        if number % 10 == 5:
            assert post(shipped, "/models/web/activate").status == 200
        if number % 10 == 0 and number:
            assert post(shipped, "/rollback").status == 200

    assert {shipped.wait_for_answer(name)["status"] for name in names} == {"classified"}


def test_model_of_the_settings_goes_before_an_activated_one(make_daemon: MakeDaemon, models: Path) -> None:
    daemon = make_daemon("--model", str(models / "mine.tflite")).start()

    assert post(daemon, "/models/dogid/activate").code == "conflict"
    status, _, errors = run_model(daemon, "activate", "dogid")
    assert (status, "the setting `model` names" in errors) == (2, True)
    assert daemon.status()["model"]["origin"] == "set"


def test_damaged_active_model_is_replaced_and_reported(make_daemon: MakeDaemon, models: Path) -> None:
    daemon = make_daemon("--settle", "1")
    for name in ("mine", "web"):
        assert run_model(daemon, "activate", str(make_model(models / f"{name}.tflite")))[0] == 0
    damage(daemon.state / "models" / "web.tflite")
    daemon.start()

    model = daemon.status()["model"]
    assert (model["name"], model["origin"]) == ("mine.tflite", "activated")
    assert "web.tflite: was changed or damaged" in model["problem"]
    assert "mine.tflite runs instead" in daemon.log_text()
    healthy = eventually(lambda: r if (r := fetch(daemon.url, "/healthz")).status == 200 else None, "it is healthy")
    assert "web.tflite" in healthy.document["reason"]
    assert run_model(daemon, "list")[0] == 1
    assert run_model(daemon, "rollback")[0] == 0
    assert daemon.status()["model"]["problem"] is None
