"""The output `mqtt`: all results in order, events of rules, a retained state and image, and Home Assistant's discovery.

What is published where: `topics.py`. A result counts as sent when the broker has acknowledged it.
"""

import importlib.util
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dogid.outputs.mqtt import home_assistant
from dogid.outputs.mqtt.broker import Broker, MessageRefusedError, TopicRefusedError
from dogid.outputs.mqtt.configuration import read_mqtt_table
from dogid.outputs.mqtt.connection import Message
from dogid.outputs.mqtt.state import StateReader, find_newest, is_old
from dogid.outputs.mqtt.tls import make_tls
from dogid.outputs.mqtt.topics import Topics, make_id
from dogid.outputs.output import Delivery, OutputConfigError, OutputContext
from dogid.result_document import Result
from dogid.system.extras import make_install_command

log = logging.getLogger(__name__)

_TEND_SECONDS = 10.0  # between two looks at the connection: how late a restart of Home Assistant is noticed
_STATE_SECONDS = 2.0  # at least, between two states; less costs more processor time under load
_COST_FACTOR = 200  # ... and this multiple of the processor time that the last one took, within the next limit
_MOST_STATE_SECONDS = 10.0
_IDLE_STATE_SECONDS = 60.0  # at most, until health and disk are read again though no photo came
_IMAGE_SECONDS = 10.0  # at least, between two images: each costs the decoding of a photo
_EVENT_IMAGE_SECONDS = 1.0  # the same for images of events; less costs more where all photos are events
_IMAGE_COST_FACTOR = 100  # ... and this multiple of the processor time that the last one took: one per cent
_COMPONENTS = "components.json"


class MqttOutput:
    """One broker."""

    wants_all = True
    wants_events = True
    batch = 100

    def __init__(self, table: Mapping[str, Any], context: OutputContext) -> None:
        """Check the table; connect later. Raise OutputConfigError."""
        self._table, self._address = read_mqtt_table(table)
        if self._address.tls:
            make_tls(self._table)  # its files are missing, or wrong: known at once
        self._context = context
        self._topics = Topics(self._table.topic, make_id(context.daemon_name))
        offline = Message(self._topics.availability, home_assistant.OFFLINE, retain=True)
        self._offline = offline
        self._broker = self._make_broker(f"dogid-{self._topics.id}", offline)
        self._labels: tuple[str, ...] = ()
        self._other_types: dict[str, None] = {}  # labels of events that the model does not have, in their order
        self._state_reader = StateReader(context)
        self._state: bytes | None = None
        self._state_due = 0.0  # monotonic seconds; 0: as soon as there is something new
        self._image_at = self._image_cost = 0.0  # when the last image was made, and seconds of processor time it took
        self._result_of_event: Result | None = None  # of which an image is to be published
        self._state_seen = False  # whether the newest results are in the state
        self._image_of: int | None = None
        """Id of the result whose image was published last."""
        self._refused: set[str] = set()
        """Topics that are not published to during this connection."""
        self._warned: set[str] = set()
        """Topics of which it was logged during this connection that a message was refused."""

    def _make_broker(self, client_id: str, will: Message | None) -> Broker:
        prefix = self._table.discovery
        topic = home_assistant.status_topic(prefix) if prefix else None
        return Broker(
            self._table, self._address, client_id, will=will, listen_to=topic, stopping=self._context.stopping
        )

    def send(self, deliveries: Sequence[Delivery], acknowledged: Callable[[int], None]) -> None:
        """Publish results, reviews and young events; see `Output`."""
        self._keep_connected()
        messages: list[Message] = []
        owners: list[int] = []  # of each message, which delivery
        for at, delivery in enumerate(deliveries):
            own = self._make_messages(delivery)
            messages += own
            owners += [at] * len(own)
        self._state_seen = False

        def pass_on(number: int) -> None:
            acknowledged(len(deliveries) if number == len(messages) else owners[number])

        if not messages:
            acknowledged(len(deliveries))
        else:
            self._broker.publish(messages, pass_on)

    def tend(self) -> float | None:
        """Keep the connection, and what is retained, up to date."""
        self._keep_connected()
        self._broker.tend()
        if self._broker.received:
            is_birth = home_assistant.STATUS_ONLINE in self._broker.received
            self._broker.received.clear()
            if is_birth:
                self._announce()
        if tuple(self._context.list_labels()) != self._labels:
            self._announce_device()
        self._publish_state()
        self._publish_image()
        now = time.monotonic()
        waiting = [] if self._state_seen else [self._state_due, self._next_image(_IMAGE_SECONDS)]
        if self._result_of_event is not None:
            waiting.append(self._next_image(_EVENT_IMAGE_SECONDS))
        return max(0.1, min([_TEND_SECONDS, *(due - now for due in waiting if due > now)]))

    def check(self) -> str:
        """Connect and disconnect, beside a daemon that may be connected by its own name."""
        if self._broker.is_connected:
            self._broker.tend()
        else:
            probe = self._make_broker(f"dogid-{self._topics.id}-check", will=None)
            try:
                probe.connect()
            finally:
                probe.disconnect()
        secured = "by TLS" if self._address.tls else "without encryption"
        topics = f"{self._topics.prefix}/{self._topics.id}/"
        return f"broker {self._address} accepts the connection {secured}; topics begin with {topics}"

    def close(self) -> None:
        """Publish that the daemon is offline, and disconnect."""
        self._broker.close(self._offline)

    def _keep_connected(self) -> None:
        if not self._broker.is_connected:
            self._broker.connect()
            self._refused.clear()
            self._warned.clear()
            self._announce()

    def _make_messages(self, delivery: Delivery) -> list[Message]:
        if delivery.kind != "event":
            return [Message(self._topics.results, _encode(delivery.describe()))]
        decided_ms = delivery.at_ms if delivery.decided_ms is None else delivery.decided_ms
        if is_old(decided_ms, self._table.max_event_age) and not delivery.is_test:
            return []
        label = delivery.result["label"]
        kind = home_assistant.FAILED if label is None else label
        if kind not in (*self._labels, home_assistant.FAILED, *self._other_types):
            self._other_types[kind] = None
            self._announce_device()
        self._result_of_event = delivery.result
        return [Message(self._topics.event, _encode({"event_type": kind, **delivery.describe()}))]

    def _announce(self) -> None:
        """Publish all that is retained: also a broker that restarted without its memory has it then."""
        self._state = None
        self._state_reader.forget()
        self._image_of = None
        self._state_due = self._image_at = 0.0
        self._state_seen = False
        self._announce_device()
        self._publish_aside([Message(self._topics.availability, home_assistant.ONLINE, retain=True)])

    def _announce_device(self) -> None:
        self._labels = tuple(self._context.list_labels())
        prefix = self._table.discovery
        if not prefix:
            return
        types = dict.fromkeys((*self._labels, home_assistant.FAILED, *self._other_types))
        file = self._context.folder / _COMPONENTS
        former = _read_keys(file)
        document = home_assistant.describe_device(
            self._topics, self._context.daemon_name, self._context.page_url, self._labels, types, former
        )
        if not self._table.image:
            document["components"]["image"] = {"platform": "image"}
        _write_keys(file, document["components"])
        topic = home_assistant.discovery_topic(prefix, self._topics)
        self._publish_aside([Message(topic, _encode(document), retain=True)])

    def _publish_state(self) -> None:
        now = time.monotonic()
        if now < self._state_due or (self._state_seen and now < self._state_due + _IDLE_STATE_SECONDS):
            return
        try:
            state = _encode(self._state_reader.read(self._labels))
        except sqlite3.Error as error:  # the ledger hangs, or is damaged; who reads the results will say so
            log.debug("the state for MQTT cannot be read: %s", error)
            return
        self._state_seen = True
        self._state_due = now + min(max(_STATE_SECONDS, _COST_FACTOR * self._state_reader.cost), _MOST_STATE_SECONDS)
        if state != self._state:
            self._publish_aside([Message(self._topics.state, state, retain=True)])
            self._state = state

    def _publish_image(self) -> None:
        """Publish the picture of the newest event soon, else that of the newest photo now and then.

        After what it belongs to, which would have to wait for its decoding otherwise.
        """
        now = time.monotonic()
        if not self._table.image or now < self._next_image(_EVENT_IMAGE_SECONDS):
            return
        result, self._result_of_event = self._result_of_event, None
        if result is None and now >= self._next_image(_IMAGE_SECONDS):
            try:
                result = find_newest(self._context.reader())
            except sqlite3.Error:
                return
        if result is None or result["id"] == self._image_of:
            return
        used = time.thread_time()
        data = self._context.make_thumbnail(result)
        self._image_of, self._image_at, self._image_cost = result["id"], now, time.thread_time() - used
        if data is not None:
            self._publish_aside([Message(self._topics.image, data, retain=True)])

    def _next_image(self, seconds: float) -> float:
        """Return from when on an image may be made, in monotonic seconds: at least so many after the last one."""
        return self._image_at + max(seconds, _IMAGE_COST_FACTOR * self._image_cost)

    def _publish_aside(self, messages: Sequence[Message]) -> None:
        """Publish what no cursor goes by. What the broker refuses is logged, and does not keep results from it.

        A topic that is not allowed is left out from then on; after a message that is too large, the next may pass.
        """
        for message in messages:
            if message.topic in self._refused:
                continue
            try:
                self._broker.publish([message])
            except (TopicRefusedError, MessageRefusedError) as error:
                if message.topic not in self._warned:
                    log.warning("output %s: %s", self._context.name, error)
                self._warned.add(message.topic)
                if isinstance(error, TopicRefusedError):
                    self._refused.add(message.topic)


def make_output(table: Mapping[str, Any], context: OutputContext) -> MqttOutput:
    """Return the output that a table of the settings describes. Raise OutputConfigError."""
    if importlib.util.find_spec("paho") is None:
        raise OutputConfigError(f"type: mqtt needs the package paho-mqtt: {make_install_command('mqtt')}")
    return MqttOutput(table, context)


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _read_keys(file: Path) -> list[str]:
    """Return the keys of the components that were ever announced."""
    try:
        keys = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return []
    return [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []


def _write_keys(file: Path, components: Mapping[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(list(components)), encoding="utf-8")
    except OSError as error:  # what a former model had then stays in Home Assistant until it is removed there
        log.debug("%s cannot be written: %s", file, error)
