"""The other side of a broker: a client that notes what comes."""

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.waiting import eventually


class Received(NamedTuple):
    """One message."""

    topic: str
    payload: bytes
    retained: bool
    at: float
    """Seconds since 1970."""

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


class Subscriber:
    """A client that has subscribed to all topics, and comes back after each restart of the broker."""

    def __init__(self, port: int, user: str | None = None, password: str | None = None) -> None:
        self.received: list[Received] = []
        self._subscribed = 0
        self._client = Client(CallbackAPIVersion.VERSION2)
        if user is not None:
            self._client.username_pw_set(user, password)
        self._client.reconnect_delay_set(0.05, 0.05)  # type: ignore[arg-type]  # of seconds, also parts of one
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: setattr(self, "_subscribed", self._subscribed + 1)
        self._client.on_message = self._note
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.wait_subscribed(1)

    def _note(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.received.append(Received(message.topic, bytes(message.payload), message.retain, time.time()))

    def wait_subscribed(self, times: int) -> None:
        """Wait until it has subscribed so many times: once more after each restart of the broker."""
        eventually(lambda: self._subscribed >= times, f"the subscriber has subscribed {times} times")

    def on(self, topic: str) -> list[Received]:
        """All that came on a topic."""
        return [message for message in list(self.received) if message.topic == topic]

    def wait_for(self, topic: str, count: int = 1) -> list[Received]:
        """Wait until so many messages came on a topic; return them."""

        def ask() -> list[Received] | None:
            found = self.on(topic)
            return found if len(found) >= count else None

        return eventually(ask, lambda: f"{count} on {topic}; there are {[message.topic for message in self.received]}")

    def wait_for_last(self, topic: str, is_it: Callable[[Received], object]) -> Received:
        """Wait until the last message on a topic is the one; return it."""

        def ask() -> Received | None:
            found = self.on(topic)
            return found[-1] if found and is_it(found[-1]) else None

        return eventually(ask, lambda: f"the last on {topic} is another: {self.on(topic)[-1:]}")

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
