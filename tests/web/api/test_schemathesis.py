"""schemathesis asks a running daemon all that its OpenAPI document allows, and much that it does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import DaemonProcess, environment
from tests.support.photos import photo, put

_CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
_EXAMPLES = 10  # for each operation, besides those that follow from the document; always the same ones
_MANY_EXAMPLES = 200  # in `make fuzz`


@pytest.mark.parametrize(
    "examples", [_EXAMPLES, pytest.param(_MANY_EXAMPLES, marks=[pytest.mark.long, pytest.mark.timeout(1200)])]
)
def test_responses_pass_schemathesis(daemon: DaemonProcess, inbox: Path, tmp_path: Path, examples: int) -> None:
    for number in range(3):
        put(inbox / f"{number}.jpg", photo(number, size=(64, 64)))
    put(inbox / "text.jpg", b"no photo")
    daemon.wait_for_all_answers(4)

    # /events is left out: its answer has no end, and schemathesis waits for one
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(_CONFIGURATION),
        "run", f"{daemon.url}openapi.json", "--exclude-path", "/events",
        "--mode", "all", "--max-examples", str(examples), "--generation-deterministic", "--request-timeout", "20",
        "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " 0 passed" not in done.stdout
    assert "Traceback" not in daemon.log_text()
    assert daemon.status()["counts"]["classified"] == 3
