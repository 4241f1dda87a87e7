"""A daemon with a broker: photos reach subscribers at once, and the death of neither side loses one."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.outputs.mqtt.mosquitto import Mosquitto
from tests.outputs.mqtt.subscriber import Subscriber
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually

RULE = """
name = "barn"
[[rule]]
name = "all"
to = ["mqtt"]
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path_factory.mktemp("mosquitto") / "broker").start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto) -> Iterator[DaemonProcess]:
    """A daemon named barn, whose broker a variable names, with a rule that all photos pass."""
    folder = tmp_path_factory.mktemp("daemon")
    (folder / "inbox").mkdir()
    (folder / "dogid.toml").write_text(RULE)
    environ = {"DOGID_MQTT_URL": broker.url}
    made = DaemonProcess(folder / "inbox", folder / "state", "--config", str(folder / "dogid.toml"), environ=environ)
    try:
        yield made.start()
    finally:
        made.close()


def test_photo_reaches_all_topics(daemon: DaemonProcess, broker: Mosquitto) -> None:
    subscriber = Subscriber(broker.port)
    put(daemon.inbox / "yard" / "a.jpg", photo(1))
    result = subscriber.wait_for("dogid/barn/results")[-1].json["result"]
    assert result["file"] == "yard/a.jpg"
    assert subscriber.wait_for("dogid/barn/image")[-1].payload.startswith(b"\xff\xd8\xff")
    eventually(lambda: subscriber.on("dogid/barn/state")[-1].json["file"] == "yard/a.jpg", "the state has it")
    state = subscriber.on("dogid/barn/state")[-1].json
    assert (state["healthy"], state["today"][result["label"]]) == (True, 1)
    types = subscriber.wait_for("homeassistant/device/barn/config")[-1].json["components"]["event"]["event_types"]
    assert set(types) == {*daemon.status()["model"]["labels"], "failed"}
    subscriber.close()


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
    subscriber = Subscriber(broker.port)
    daemon.start()
    eventually(lambda: _files(subscriber) >= {"b.jpg", "c.jpg"}, lambda: f"both come: {_files(subscriber)}")
    ids = [message.json["id"] for message in subscriber.on("dogid/barn/results")]
    assert len(set(ids)) == 2
    eventually(lambda: subscriber.on("dogid/barn/availability")[-1].payload == b"online", "it is online")
    daemon.kill()
    eventually(lambda: subscriber.on("dogid/barn/availability")[-1].payload == b"offline", "the last will has come")
    daemon.start()
    eventually(lambda: daemon.status()["outputs"][0]["ok"], "it is connected")
    broker.send(signal.SIGSTOP)
    put(daemon.inbox / "d.jpg", photo(4))
    daemon.wait_for_answer("d.jpg")  # a broker that hangs keeps no photo from its answer, and no daemon from its stop
    began = time.monotonic()
    daemon.stop()
    assert time.monotonic() - began < 10
    broker.send(signal.SIGCONT)
    daemon.start()
    eventually(lambda: "d.jpg" in _files(subscriber), "what the broker did not acknowledge comes")
    subscriber.close()


def _files(subscriber: Subscriber) -> set[str]:
    return {message.json["result"]["file"] for message in subscriber.on("dogid/barn/results")}
