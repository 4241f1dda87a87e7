"""One connection to an MQTT broker, driven by the thread that uses it: nothing runs in other threads.

paho-mqtt keeps what it could not send in memory and sends it again; here, the ledger is the queue, so that each
connection has a client of its own, and what it had not sent is forgotten with it.
"""

import contextlib
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from dogid.outputs.mqtt.configuration import Address, MqttTable
from dogid.outputs.mqtt.tls import make_tls
from dogid.outputs.network_faults import explain_fault
from dogid.outputs.output import OutputError
from dogid.outputs.secret_files import read_secret

if TYPE_CHECKING:
    from paho.mqtt.client import Client, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

_CONNECT_SECONDS = 5.0  # for TCP, TLS and the broker's answer, each; more makes a stop wait where the broker hangs
SLICE_SECONDS = 0.5  # until it is looked whether to stop
_KEEPALIVE_SECONDS = 30  # the broker publishes the last will after 1.5 times as long without a sign of life
_WINDOW = 20  # messages on the way; more are faster over slow links, and come twice after a lost connection
_MOST_PACKETS = 1000  # read at once; a broker that sends without end does not keep the thread
_MOST_HEADER = 12  # bytes of a PUBLISH packet beside topic and payload


class Message(NamedTuple):
    """What is published, by QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


class Connection:
    """A connection from its first packet to its loss."""

    def __init__(
        self,
        table: MqttTable,
        address: Address,
        client_id: str,
        *,
        version: int,
        will: Message | None,
        received: deque[bytes],
    ) -> None:
        """Prepare without connecting.

        version: 5 or 4, of the protocol; will: what the broker publishes when this client is lost; received: takes the
        payloads that come in. Raise OutputError where a file that the table names cannot be used.
        """
        self._table = table
        self._address = address
        self._client_id = client_id
        self._received = received
        self.answer: ReasonCode | None = None
        """What the broker says to the connection."""
        self.lost: str | None = None
        """Why the connection is no more."""
        self.is_confused = False
        """Whether it is no more since the broker sent what the protocol does not know: some refuse a message so."""
        self.made_at = 0.0
        """When the broker answered, in monotonic seconds."""
        self.acknowledged: deque[tuple[int, ReasonCode]] = deque()
        """Ids of packets, with what the broker says to them."""
        self.window = _WINDOW
        """How many messages may be on the way."""
        self._most_bytes: int | None = None
        """Of a packet, that the broker takes: it ends the connection at a larger one."""
        self._client = self._make_client(version, will)

    def open(self, listen_to: str | None, stopping: threading.Event) -> None:
        """Connect, and subscribe to a topic; wait until the broker has answered, or closed the connection.

        stopping: is set when nothing is to be waited for any more. Raise OutputError.
        """
        try:
            self._client.connect(self._address.host, self._address.port, keepalive=_KEEPALIVE_SECONDS)
        except OSError as error:
            if self._address.tls and isinstance(error, ConnectionResetError):
                raise OutputError(
                    f"broker {self._address}: it closes the connection when TLS begins; does it speak TLS on this"
                    " port? Else write mqtt://"
                ) from error
            raise OutputError(f"broker {explain_fault(error, self._address.host, self._address.port)}") from error
        deadline = time.monotonic() + _CONNECT_SECONDS
        while self.answer is None and self.lost is None:
            left = deadline - time.monotonic()
            if left <= 0 or stopping.is_set():
                raise OutputError(
                    f"broker {self._address}: it accepts the connection and does not answer; the broker hangs, or it"
                    " is none"
                )
            self.process(min(left, SLICE_SECONDS))
        self.made_at = time.monotonic()
        if self.answer is not None and not self.answer.is_failure and listen_to is not None:
            self._client.subscribe(listen_to, qos=0)

    def disconnect(self) -> None:
        """End the connection by a packet that says so: the broker publishes no last will."""
        with contextlib.suppress(OSError, ValueError):
            self._client.disconnect()
            self._client.loop_write()

    def drop(self) -> None:
        """Close the socket: where the connection was not ended, the broker publishes the last will."""
        sock = self._client.socket()
        self._client.on_disconnect = None
        if sock is not None:
            sock.close()

    def publish(self, message: Message) -> int:
        """Give a message to the network; return the packet id by which it is acknowledged."""
        info = self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)
        if self._client.socket() is None and self.lost is None:
            self.lost = "the connection was lost"
        return info.mid

    def process(self, seconds: float) -> None:
        """Wait at most so long for the network, then send and read what there is."""
        from paho.mqtt.enums import MQTTErrorCode

        for _ in range(_MOST_PACKETS):
            if self.lost is not None:
                return
            received = len(self.acknowledged) + len(self._received)
            try:
                code = self._client.loop(seconds)
            except (ValueError, LookupError, AssertionError):  # of paho before 2.2, for the same
                code = MQTTErrorCode.MQTT_ERR_PROTOCOL
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self.is_confused = code not in (
                    MQTTErrorCode.MQTT_ERR_CONN_LOST,
                    MQTTErrorCode.MQTT_ERR_NO_CONN,
                    MQTTErrorCode.MQTT_ERR_KEEPALIVE,
                )
                self.lost = self.lost or "the connection was lost"
                return
            seconds = 0
            if len(self.acknowledged) + len(self._received) == received:
                return

    def is_too_large(self, message: Message) -> bool:
        """Return whether the broker does not take messages of this size."""
        return self._most_bytes is not None and size_of(message) > self._most_bytes

    def limit_packets(self, most_bytes: int) -> None:
        """Note that the broker takes no larger packets, though it does not say so."""
        self._most_bytes = most_bytes if self._most_bytes is None else min(self._most_bytes, most_bytes)

    def _make_client(self, version: int, will: Message | None) -> "Client":
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        protocol = MQTTProtocolVersion.MQTTv5 if version == 5 else MQTTProtocolVersion.MQTTv311
        client = Client(CallbackAPIVersion.VERSION2, self._client_id, protocol=protocol, reconnect_on_failure=False)
        client.connect_timeout = _CONNECT_SECONDS
        client.max_inflight_messages_set(0)  # `Broker.publish` keeps the window
        if self._address.user is not None:
            file = self._table.password_file
            client.username_pw_set(self._address.user, None if file is None else read_secret("password_file", file))
        if self._address.tls:
            client.tls_set_context(make_tls(self._table))
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        client.on_connect = self._note_answer
        client.on_disconnect = self._note_loss
        client.on_publish = self._note_acknowledged
        client.on_message = self._note_message
        return client

    # paho calls these within `process`

    def _note_answer(
        self, _client: "Client", _data: object, _flags: object, reason: "ReasonCode", properties: "Properties | None"
    ) -> None:
        most = getattr(properties, "ReceiveMaximum", _WINDOW)
        self.window = max(1, min(_WINDOW, most))
        self._most_bytes = getattr(properties, "MaximumPacketSize", None)
        self.answer = reason

    def _note_loss(
        self, _client: "Client", _data: object, flags: "DisconnectFlags", reason: "ReasonCode", _properties: object
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self.lost = f"the broker ended the connection: {str(reason).lower()}"
        else:
            self.lost = "the connection was lost"

    def _note_acknowledged(
        self, _client: "Client", _data: object, packet: int, reason: "ReasonCode", _properties: object
    ) -> None:
        self.acknowledged.append((packet, reason))

    def _note_message(self, _client: "Client", _data: object, message: "MQTTMessage") -> None:
        self._received.append(bytes(message.payload))


def size_of(message: Message) -> int:
    """Return how many bytes the packet of a message has at most."""
    return len(message.topic.encode()) + len(message.payload) + _MOST_HEADER
