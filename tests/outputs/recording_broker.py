"""A real MQTT broker, to be killed at any moment, with a client that keeps what comes."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.outputs.mqtt.mosquitto import Mosquitto
from tests.support.waiting import eventually

_LINES = (
    "allow_anonymous true",
    # what comes before the client is back after a kill is kept for it, and saved at once
    "persistence true",
    "persistence_location {folder}/",
    "autosave_interval 1",
    "autosave_on_changes true",
    "max_inflight_messages 0",
    "max_queued_messages 0",
)


class RecordingBroker:
    """mosquitto, and a client whose subscription outlives it. What the broker acknowledges reaches the client."""

    def __init__(self, folder: Path) -> None:
        self._broker = Mosquitto(folder, *_LINES)
        self.port = self._broker.port
        self._messages: list[dict[str, Any]] = []
        self._times = 0
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="recorder", clean_session=False)
        self._client.reconnect_delay_set(0.05, 0.05)  # type: ignore[arg-type]  # of seconds, also parts of one
        self._client.on_connect = lambda client, *_: client.subscribe("dogid/+/results", qos=1)
        self._client.on_subscribe = lambda *_: setattr(self, "_times", self._times + 1)
        self._client.on_message = self._note

    def describe_output(self) -> Sequence[str]:
        """Return the keys of the output that sends to it, as lines of TOML."""
        return ('type = "mqtt"', f'url = "mqtt://127.0.0.1:{self.port}"')

    def start(self) -> None:
        """Start it, and wait until the client is there again."""
        before = self._times
        self._broker.start()
        if before == 0:
            self._client.connect("127.0.0.1", self.port)
            self._client.loop_start()
        eventually(lambda: self._times > before, "the client has subscribed")

    def kill(self) -> None:
        """End it as a power cut does."""
        self._broker.kill()

    def close(self) -> None:
        """End both."""
        with contextlib.suppress(OSError):
            self._client.disconnect()
        self._client.loop_stop()
        self._broker.kill()

    def messages(self) -> list[dict[str, Any]]:
        """Return what was received, in order."""
        return list(self._messages)

    def _note(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        event = json.loads(message.payload)
        result = event["result"]
        self._messages.append({"id": event["id"], "file": result["file"], "result": result["id"]})
