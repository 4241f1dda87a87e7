"""A daemon with a broker: photos reach subscribers at once, and the death of neither side loses one."""

import json
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outputs.mqtt.mosquitto import Mosquitto
from tests.outputs.mqtt.subscriber import Subscriber
from tests.support.daemon import ROOT, DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually

PAGE = (ROOT / "daemon" / "OUTPUTS.md").read_text()
HOME_ASSISTANT = PAGE.split("\n### Home Assistant\n")[1].split("\n### ")[0]
NODE_RED = PAGE.split("\n### Node-RED by MQTT\n")[1].split("\n### ")[0]
PASSWORD = "the password of the user dogid"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker that knows the user dogid."""
    folder = tmp_path_factory.mktemp("mosquitto")
    made = Mosquitto(folder / "broker", f"password_file {folder}/passwords")
    passwords = str(folder / "passwords")
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "dogid", PASSWORD], check=True, capture_output=True)
    yield made.start()
    made.kill()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto) -> Iterator[DaemonProcess]:
    """A daemon named barn, set up as the page says for Home Assistant."""
    folder = tmp_path_factory.mktemp("daemon")
    (folder / "inbox").mkdir()
    for commands in _blocks(HOME_ASSISTANT, "console"):
        _type(commands, folder)
    (settings,) = _blocks(HOME_ASSISTANT, "toml")
    settings = settings.replace("homeassistant.local:1883", f"127.0.0.1:{broker.port}").replace('"pug"', '"other"')
    password = f'password_file = "{folder}/etc/dogid/credentials/mqtt-password"'  # systemd passes it to the service
    (folder / "dogid.toml").write_text(settings.replace("\n\n[[rule]]", f"\n{password}\n\n[[rule]]"))
    config = str(folder / "dogid.toml")
    made = DaemonProcess(folder / "inbox", folder / "state", "--name", "barn", "--config", config)
    try:
        yield made.start()
    finally:
        made.close()


def _blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def _type(commands: str, folder: Path) -> None:
    typed = "\n".join(line.removeprefix("$ ") for line in commands.splitlines()).replace("/etc/", f"{folder}/etc/")
    subprocess.run(["bash", "-ec", 'sudo() { "$@"; }\n' + typed], check=True, cwd=folder)


def _subscribe(broker: Mosquitto) -> Subscriber:
    return Subscriber(broker.port, "dogid", PASSWORD)


def test_photo_reaches_all_topics(daemon: DaemonProcess, broker: Mosquitto) -> None:
    subscriber = _subscribe(broker)
    put(daemon.inbox / "yard" / "a.jpg", photo(1))
    result = subscriber.wait_for("dogid/barn/results")[-1].json["result"]
    assert result["file"] == "yard/a.jpg"
    event = subscriber.wait_for("dogid/barn/event")[-1].json
    assert (event["rule"], event["event_type"], event["result"]["id"]) == ("rule-1", "other", result["id"])
    assert subscriber.wait_for("dogid/barn/image")[-1].payload.startswith(b"\xff\xd8\xff")
    state = subscriber.wait_for_last(
        "dogid/barn/state", lambda last: last.json["healthy"] and last.json["file"] == "yard/a.jpg"
    ).json
    assert state["today"][result["label"]] == 1
    types = subscriber.wait_for("homeassistant/device/barn/config")[-1].json["components"]["event"]["event_types"]
    assert set(types) == {*daemon.status()["model"]["labels"], "failed"}
    subscriber.close()


def test_node_red_and_terminals_read_results(daemon: DaemonProcess, broker: Mosquitto) -> None:
    (command,) = _blocks(NODE_RED, "console")
    command = command.removeprefix("$ ").replace("homeassistant.local -p 1883", f"127.0.0.1 -d -p {broker.port}")
    if shutil.which("mosquitto_sub") is None:
        pytest.skip("needs mosquitto_sub: sudo apt install mosquitto-clients")
    by_line = ["stdbuf", "-oL", *shlex.split(command)]
    with subprocess.Popen(by_line, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            assert any("received SUBACK" in line for line in lines)
            put(daemon.inbox / "gate" / "n.jpg", photo(9))
            message = json.loads(next(line for line in lines if line.startswith("{")))
        finally:
            process.kill()
    assert message["result"]["file"] == "gate/n.jpg"
    for path in re.findall(r"`msg\.payload\.([\w.]+)`", NODE_RED):
        found = message
        for key in path.split("."):
            found = found[key]


def test_deaths_of_either_side_lose_nothing(daemon: DaemonProcess, broker: Mosquitto) -> None:
    broker.kill()
    put(daemon.inbox / "b.jpg", photo(2))
    daemon.wait_for_answer("b.jpg")
    refused = f"127.0.0.1 port {broker.port}: Connection refused"
    eventually(lambda: refused in str(daemon.status()["outputs"][0]["error"]), "the state of the output has the reason")
    assert not daemon.status()["outputs"][0]["ok"]
    daemon.kill()
    put(daemon.inbox / "c.jpg", photo(3))
    broker.start()
    subscriber = _subscribe(broker)
    daemon.start()
    eventually(lambda: _files(subscriber) >= {"b.jpg", "c.jpg"}, lambda: f"both come: {_files(subscriber)}")
    ids = {message.json["id"] for message in subscriber.on("dogid/barn/results")}
    assert len(ids) == len(_files(subscriber))  # also of one that comes twice, as its PUBACK was lost
    subscriber.wait_for_last("dogid/barn/availability", lambda last: last.payload == b"online")
    daemon.kill()
    subscriber.wait_for_last("dogid/barn/availability", lambda last: last.payload == b"offline")  # its last will
    daemon.start()
    eventually(lambda: daemon.status()["outputs"][0]["ok"], "it is connected")
    broker.send(signal.SIGSTOP)
    put(daemon.inbox / "d.jpg", photo(4))
    daemon.wait_for_answer("d.jpg")  # a broker that hangs keeps no photo from its answer, and no daemon from its stop
    daemon.stop()
    broker.send(signal.SIGCONT)
    daemon.start()
    eventually(lambda: "d.jpg" in _files(subscriber), "what the broker did not acknowledge comes")
    subscriber.close()


def _files(subscriber: Subscriber) -> set[str]:
    return {message.json["result"]["file"] for message in subscriber.on("dogid/barn/results")}
