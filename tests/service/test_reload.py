"""SIGHUP on a plain daemon: new settings and model, or a refusal; no systemd is needed."""

import dataclasses
import json
import signal
import threading
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.daemon.daemon import Daemon
from dogid.errors import DogidError
from dogid.ledger import queries
from dogid.model.reference_photo import ReferencePhoto, make_reference_photo
from dogid.settings import Settings
from dogid.system.reload import main, record_reload_outcome
from tests.conftest import MakeDaemon
from tests.support.daemon import ROOT, DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually

MODEL = ROOT / "models" / "dogid.tflite"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return put(tmp_path / "dogid.toml", b"workers = 1\n")


@pytest.fixture
def configured(make_daemon: MakeDaemon, config: Path) -> DaemonProcess:
    return make_daemon("--config", str(config)).start()


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that goes on as it is: each test has it refuse a reload. Its settings are beside its inbox."""
    folder = tmp_path_factory.mktemp("refusing")
    (folder / "inbox").mkdir()
    config = put(folder / "dogid.toml", b"workers = 1\n")
    shared = DaemonProcess(folder / "inbox", folder / "state", "--config", str(config))
    try:
        yield shared.start()
    finally:
        shared.close()


def reload(daemon: DaemonProcess, said: str) -> None:
    before = daemon.log_text().count(said)
    daemon.send(signal.SIGHUP)
    eventually(lambda: daemon.log_text().count(said) > before, f"{said!r} is logged")


def refuse(daemon: DaemonProcess, settings: str, said: str, name: str) -> None:
    """Have it refuse these settings, and say so; it must classify a photo of this name as before."""
    (daemon.inbox.parent / "dogid.toml").write_text(settings)
    reload(daemon, said)
    put(daemon.inbox / f"{name}.jpg", photo(2))

    assert daemon.wait_for_answer(f"{name}.jpg")["model"] == MODEL.name
    assert daemon.running


def test_reload_changes_model_for_next_photo(
    configured: DaemonProcess, config: Path, inbox: Path, tmp_path: Path
) -> None:
    put(inbox / "before.jpg", photo(1))
    configured.wait_for_answer("before.jpg")
    other = put(tmp_path / "other.tflite", MODEL.read_bytes())
    config.write_text(f'model = "{other}"\nworkers = 3\n')
    reload(configured, "reloaded: model other.tflite")
    put(inbox / "after.jpg", photo(2))

    assert configured.wait_for_answer("after.jpg")["model"] == "other.tflite"
    assert configured.results_by_name()["before.jpg"]["model"] == MODEL.name
    assert configured.status()["model"]["name"] == "other.tflite"
    assert len(configured.get("/?file=after.jpg")[0]) == len(configured.status()["model"]["labels"])


@pytest.mark.parametrize("text", ["workers = 'many'", "model = '/nowhere.tflite'", "not toml"])
def test_invalid_settings_are_rejected_on_reload(refusing: DaemonProcess, tmp_path: Path, text: str) -> None:
    refuse(refusing, text, "reload rejected; keeping current settings", tmp_path.name)


def test_model_failing_its_golden_photo_is_rejected(refusing: DaemonProcess, tmp_path: Path) -> None:
    liar = put(tmp_path / "liar.tflite", MODEL.read_bytes())
    labels = len(refusing.status()["model"]["labels"])
    scores = [1.0 if number == labels - 1 else 0.0 for number in range(labels)]
    record = {"golden": {"file": "known.jpg", "scores": scores, "tolerance": 0.01}}
    with warnings.catch_warnings(), zipfile.ZipFile(liar, "a") as archive:
        warnings.simplefilter("ignore")  # it may have such a record already: the last one counts
        archive.writestr("known.jpg", photo(1))
        archive.writestr("dogid.json", json.dumps(record))
    refuse(refusing, f'model = "{liar}"\n', "the model fails its self-test", "liar")


def test_model_failing_in_workers_is_rejected(inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Settings(inbox=inbox, state=tmp_path / "state", workers=2)
    service = Daemon(before)
    known = make_reference_photo(service.model).photo
    wrong = ReferencePhoto(
        dataclasses.replace(known, scores=tuple(score + 0.5 for score in known.scores)), is_golden=True
    )
    other = put(tmp_path / "other.tflite", MODEL.read_bytes())
    monkeypatch.setattr("dogid.daemon.running_model.make_reference_photo", lambda _: wrong)
    with service.running():
        with pytest.raises(DogidError, match=r"other.tflite: the model does not work in every worker: worker \d fails"):
            service.reload(dataclasses.replace(before, model=other, workers=3))
        put(inbox / "after.jpg", photo(1))
        wanted = queries.ResultFilter(status="classified")
        (found,) = eventually(lambda: queries.list_results(service.reader(), wanted), "the photo is classified")

        assert service.settings == before
        assert service.model.file.name == MODEL.name
        assert service.status_line().endswith(f"model {MODEL.name}")
        assert found["model"] == MODEL.name
        assert "worker-2" not in eventually(lambda: _workers(2), "the third worker has left")


def _workers(count: int) -> list[str] | None:
    """The names of the worker threads, once there are so many."""
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("worker-")]
    return names if len(names) == count else None


def test_reload_names_settings_that_need_restart(configured: DaemonProcess, config: Path, tmp_path: Path) -> None:
    config.write_text("workers = 2\nhost = '127.0.0.2'\n")
    reload(configured, "host stays 127.0.0.1 until a restart")

    assert configured.status()["model"]["name"] == MODEL.name
    configured.wait_for_log("reloaded")
    assert tmp_path.exists()


def test_outcome_of_each_reload_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"RUNTIME_DIRECTORY": str(tmp_path)}
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["reload", "123"])
    for refusal, status in ((None, 0), ("no such model", 1), (None, 0)):
        monkeypatch.setattr("os.kill", lambda *_, said=refusal: record_reload_outcome(said, environ))

        assert main() == status
    assert (tmp_path / "reload.json").stat().st_mode & 0o777 == 0o640
