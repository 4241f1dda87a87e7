"""Every place that shows a model has one line on what it is fed and how that is known."""

import json
from pathlib import Path

import pytest

from dogid.cli import main
from dogid.model.model_file import read_model_file
from dogid.model.shipped import shipped_model
from dogid.model.stated_input import read_input_kind
from tests.model.small_models import with_labels
from tests.support.daemon import DaemonProcess, dogid
from tests.support.http_client import fetch, fetch_page

GUESS = "32 x 32 RGB, (pixel - 127.5) / 127.5 = -1..1, unchecked: the file does not define it (guessed)"


@pytest.fixture
def guessed(float_model: bytes, tmp_path: Path) -> Path:
    return with_labels(float_model, tmp_path / "foreign.tflite")


def test_check_and_show_have_the_line_and_the_warning(guessed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--model", str(guessed), "--json", "--inbox", str(guessed.parent), "--state", str(guessed.parent)])
    check = next(item for item in json.loads(capsys.readouterr().out)["checks"] if item["name"] == "model")
    assert f"fed {GUESS}" in check["detail"]
    assert "; warning: the model's normalisation is guessed" in check["detail"]
    main(["check", "--model", str(guessed), "--inbox", str(guessed.parent), "--state", str(guessed.parent)])
    line = next(line for line in capsys.readouterr().out.splitlines() if " model " in line)
    assert line.startswith("warning  model")
    assert line.count("does not define it") == 1

    assert main(["model", "show", str(guessed)]) == 0
    assert "warning        the model's normalisation is guessed" in capsys.readouterr().out


def test_line_is_read_without_an_interpreter(guessed: Path) -> None:
    assert read_input_kind(read_model_file(guessed)).describe() == GUESS
    assert read_input_kind(read_model_file(shipped_model())).describe() == "224 x 224 RGB, pixels as they are (file)"


def test_running_daemon_shows_the_line_everywhere(guessed: Path, tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path / "inbox", tmp_path / "state", "--model", str(guessed)).start()
    try:
        model = fetch(daemon.url, "/status").document["model"]
        page = fetch_page(daemon.url, "/status")
        flags = ["--inbox", str(daemon.inbox), "--state", str(daemon.state), "--model", str(guessed)]
        status = json.loads(dogid("status", *flags, "--json").stdout)
    finally:
        daemon.stop()
    log = daemon.log.read_text()

    assert (model["input"]["origin"], model["input"]["setting"], model["input"]["channels"]) == (
        "guessed",
        "-1..1",
        "rgb",
    )
    assert "normalisation is guessed" in model["warnings"][0]
    assert status["model"] == f"foreign.tflite, fed {GUESS}"
    assert f"model foreign.tflite is fed {GUESS}" in log
    assert "foreign.tflite: the model's normalisation is guessed" in log
    assert "does not define it (guessed)" in page
