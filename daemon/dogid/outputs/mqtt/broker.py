"""The connection to an MQTT broker: one at a time, driven by the thread that uses it.

paho-mqtt keeps what it could not send in memory and sends it again; here, the ledger is the queue, so that each
connection gets a client of its own, and what it had not sent is forgotten with it. Nothing runs in other threads.
"""

import contextlib
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from dogid.outputs.mqtt.configuration import Address, MqttTable
from dogid.outputs.network_faults import explain_fault
from dogid.outputs.output import OutputConfigError, OutputError, RefusedError
from dogid.outputs.secret_files import find_secret, read_secret

if TYPE_CHECKING:
    from paho.mqtt.client import Client, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

_CONNECT_SECONDS = 5.0  # for TCP, TLS and the broker's answer, each; more makes a stop wait where the broker hangs
_ACK_SECONDS = 10.0  # without any acknowledgement; less gives up on slow links, more notices a hanging broker later
_NOTE_SECONDS = 0.2  # between two notes of how far it got: each is written to the disk; more sends more twice
_SLICE_SECONDS = 0.5  # until it is looked whether to stop
_KEEPALIVE_SECONDS = 30  # the broker publishes the last will after 1.5 times as long without a sign of life
_WINDOW = 20  # messages on the way; more are faster over slow links, and come twice after a lost connection
_SHORT_SECONDS = 60.0  # a connection that is lost sooner may have been taken over by another daemon of the same name
_MOST_PACKETS = 1000  # read at once; a broker that sends without end does not keep the thread

_BAD_CREDENTIALS, _NOT_AUTHORIZED, _PROTOCOL_VERSION = 0x86, 0x87, 0x84
_MOST_HEADER = 12  # bytes of a PUBLISH packet beside topic and payload
_TOO_LARGE, _INVALID_PAYLOAD = 0x95, 0x99


class Message(NamedTuple):
    """What is published, by QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


class TopicRefusedError(OutputError):
    """The broker does not allow this client to publish to a topic."""


class MessageRefusedError(RefusedError):
    """The broker does not take this message, and may take others of its topic."""


class Broker:
    """A broker, connected or not."""

    def __init__(
        self,
        table: MqttTable,
        address: Address,
        client_id: str,
        *,
        will: Message | None,
        listen_to: str | None,
        stopping: threading.Event,
    ) -> None:
        """Prepare without connecting.

        will: what the broker publishes when this client is lost; listen_to: a topic to subscribe to; stopping: is set
        when nothing is to be waited for any more.
        """
        self._stopping = stopping
        self._table = table
        self._address = address
        self._client_id = client_id
        self._will = will
        self._listen_to = listen_to
        self._client: Client | None = None
        self._is_old = False  # the broker does not know MQTT 5
        self._answer: ReasonCode | None = None
        self._lost: str | None = None
        self._connected_at = 0.0
        self._acknowledged: deque[tuple[int, ReasonCode]] = deque()
        self._window = _WINDOW
        self._most_bytes: int | None = None
        """Of a packet, that the broker takes: it ends the connection at a larger one."""
        self.received: deque[bytes] = deque(maxlen=10)
        """Payloads that came in."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._client is not None

    def connect(self) -> None:
        """Connect, and wait for the broker's word. Raise OutputError with the reason and the way out."""
        self.drop()
        if not self._is_old:
            answer = self._connect_by(5)
            if answer is not None and not answer.is_failure:
                return
            if answer is not None and answer.value != _PROTOCOL_VERSION:
                self._refuse(answer)
        # one that does not know MQTT 5 may also just close the connection
        answer = self._connect_by(4)
        if answer is None:
            self._is_old = False
            why = "the broker closed the connection without an answer"
            if not self._address.tls:
                self._fail(f"{why}; is it a broker, and without TLS on this port?")
            if self._table.cert_file is None:
                self._fail(f"{why}; does it want a client's certificate? Give cert_file")
            self._fail(f"{why}; does it accept the authority of {self._table.cert_file}?")
        if answer.is_failure:
            self._refuse(answer)
        self._is_old = True

    def publish(self, messages: Sequence[Message], acknowledged: Callable[[int], None] = lambda _: None) -> None:
        """Publish messages in order, and wait until the broker has acknowledged all.

        Call acknowledged(n) when the first n are, now and then and at the end. Raise OutputError where the connection
        is lost or no acknowledgement comes; TopicRefusedError or MessageRefusedError where one is refused.
        """
        numbers: dict[int, int] = {}  # by packet id, which message
        arrived: set[int] = set()
        sent = first_open = noted = 0
        noted_at = time.monotonic()
        deadline = noted_at + _ACK_SECONDS
        try:
            while first_open < len(messages):
                if first_open == sent:
                    self._refuse_too_large(messages[sent])
                while sent < len(messages) and len(numbers) < self._window and not self._is_too_large(messages[sent]):
                    numbers[self._publish_one(messages[sent])] = sent
                    sent += 1
                self._process(_SLICE_SECONDS)
                refused = self._take_acknowledged(numbers, arrived)
                now = time.monotonic()
                while first_open in arrived:
                    arrived.remove(first_open)
                    first_open += 1
                    deadline = now + _ACK_SECONDS
                if noted < first_open < len(messages) and now - noted_at > _NOTE_SECONDS:
                    noted, noted_at = first_open, now
                    acknowledged(noted)
                if refused is not None:
                    if numbers:
                        self.drop()  # what is still on the way would take up the window of the next messages
                    self._explain_refusal(messages[refused[0]], refused[1], is_next=refused[0] == first_open)
                if self._lost is not None:
                    self._report_loss(self._lost)
                if now > deadline:
                    self._fail("no acknowledgement came; the broker hangs, or the network is down")
                if self._stopping.is_set() and first_open < len(messages):
                    self._fail("it has not acknowledged all before the stop")
        finally:
            if first_open > noted:
                acknowledged(first_open)

    def _take_acknowledged(self, numbers: dict[int, int], arrived: set[int]) -> "tuple[int, ReasonCode] | None":
        """Move what the broker has acknowledged from numbers to arrived; return the first message that it refused."""
        refused = None
        while self._acknowledged:
            packet, reason = self._acknowledged.popleft()
            at = numbers.pop(packet, None)
            if at is not None and reason.is_failure:
                refused = refused or (at, reason)
            elif at is not None:
                arrived.add(at)
        return refused

    def tend(self) -> None:
        """Answer the broker, and read what it sends. Raise OutputError where the connection is lost."""
        self._process(0)
        if self._lost is not None:
            self._report_loss(self._lost)

    def close(self, last: Message) -> None:
        """Publish a last message and disconnect, if connected; wait for little."""
        if self._client is None:
            return
        try:
            packet = self._publish_one(last)
            deadline = time.monotonic() + 1.0
            while time.monotonic() < deadline and self._lost is None:
                self._process(0.1)
                if any(number == packet for number, _ in self._acknowledged):
                    break
        except (OutputError, OSError, ValueError):
            pass  # it is being closed
        self.disconnect()

    def disconnect(self) -> None:
        """End the connection, if there is one; no last will is published."""
        if self._client is not None:
            with contextlib.suppress(OSError, ValueError):
                self._client.disconnect()
                self._client.loop_write()
        self.drop()

    def drop(self) -> None:
        """Forget the connection and what was sent by it: the broker publishes the last will."""
        client, self._client = self._client, None
        self._lost = self._answer = None
        self._acknowledged.clear()
        if client is not None:
            sock = client.socket()
            client.on_disconnect = None
            if sock is not None:
                sock.close()

    def _connect_by(self, version: int) -> "ReasonCode | None":
        """Connect by a version of the protocol; return what the broker says to it, None where it says nothing."""
        self.drop()
        client = self._make_client(version)
        try:
            client.connect(self._address.host, self._address.port, keepalive=_KEEPALIVE_SECONDS)
        except OSError as error:
            if self._address.tls and isinstance(error, ConnectionResetError):
                self._fail(
                    "it closes the connection when TLS begins; does it speak TLS on this port? Else write mqtt://"
                )
            raise OutputError(f"broker {explain_fault(error, self._address.host, self._address.port)}") from error
        self._client = client
        deadline = time.monotonic() + _CONNECT_SECONDS
        while self._answer is None and self._lost is None:
            left = deadline - time.monotonic()
            if left <= 0 or self._stopping.is_set():
                self._fail("it accepts the connection and does not answer; the broker hangs, or it is none")
            self._process(min(left, _SLICE_SECONDS))
        self._connected_at = time.monotonic()
        if self._answer is not None and not self._answer.is_failure and self._listen_to is not None:
            client.subscribe(self._listen_to, qos=0)
        return self._answer

    def _make_client(self, version: int) -> "Client":
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        protocol = MQTTProtocolVersion.MQTTv5 if version == 5 else MQTTProtocolVersion.MQTTv311
        client = Client(CallbackAPIVersion.VERSION2, self._client_id, protocol=protocol, reconnect_on_failure=False)
        client.connect_timeout = _CONNECT_SECONDS
        client.max_inflight_messages_set(0)  # `publish` keeps the window
        if self._address.user is not None:
            file = self._table.password_file
            client.username_pw_set(self._address.user, None if file is None else read_secret("password_file", file))
        if self._address.tls:
            client.tls_set_context(make_tls(self._table))
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=self._will.retain)
        client.on_connect = self._note_answer
        client.on_disconnect = self._note_loss
        client.on_publish = self._note_acknowledged
        client.on_message = self._note_message
        return client

    # paho calls these within `_process`

    def _note_answer(
        self, _client: "Client", _data: object, _flags: object, reason: "ReasonCode", properties: "Properties | None"
    ) -> None:
        most = getattr(properties, "ReceiveMaximum", _WINDOW)
        self._window = max(1, min(_WINDOW, most))
        self._most_bytes = getattr(properties, "MaximumPacketSize", None)
        self._answer = reason

    def _note_loss(
        self, _client: "Client", _data: object, flags: "DisconnectFlags", reason: "ReasonCode", _properties: object
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._lost = f"the broker ended the connection: {str(reason).lower()}"
        else:
            self._lost = "the connection was lost"

    def _note_acknowledged(
        self, _client: "Client", _data: object, packet: int, reason: "ReasonCode", _properties: object
    ) -> None:
        self._acknowledged.append((packet, reason))

    def _note_message(self, _client: "Client", _data: object, message: "MQTTMessage") -> None:
        self.received.append(bytes(message.payload))

    def _publish_one(self, message: Message) -> int:
        assert self._client is not None
        info = self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)
        if self._client.socket() is None and self._lost is None:
            self._lost = "the connection was lost"
        return info.mid

    def _process(self, seconds: float) -> None:
        """Wait at most so long for the network, then send and read what there is."""
        from paho.mqtt.enums import MQTTErrorCode

        assert self._client is not None
        for _ in range(_MOST_PACKETS):
            if self._lost is not None:
                return
            received = len(self._acknowledged) + len(self.received)
            code = self._client.loop(seconds)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._lost = self._lost or "the connection was lost"
                return
            seconds = 0
            if len(self._acknowledged) + len(self.received) == received:
                return

    def _refuse(self, answer: "ReasonCode") -> NoReturn:
        """Raise OutputError for what the broker answered to the connection."""
        user, file = self._address.user, self._table.password_file
        who = "a client without a user" if user is None else f"the user {user}"
        if answer.value in (_BAD_CREDENTIALS, _NOT_AUTHORIZED):
            if user is None:
                hint = "give one in url: mqtt://USER@HOST, and password_file"
            elif file is None:
                hint = "does it need a password? Give password_file"
            else:
                hint = f"is the password in {file} right?"
            self._fail(f"the broker refuses {who}; {hint}")
        self._fail(f"the broker refuses the connection: {str(answer).lower()}")

    def _explain_refusal(self, message: Message, reason: "ReasonCode", *, is_next: bool) -> NoReturn:
        """Raise TopicRefusedError, or MessageRefusedError, for a message that the broker refused.

        is_next: whether all before it are acknowledged; else it is not known yet which delivery has to be put aside.
        """
        where = f"broker {self._address}"
        user = self._address.user or "a client without a user"
        if reason.value == _NOT_AUTHORIZED:
            raise TopicRefusedError(
                f"{where}: {user} may not publish to {message.topic}; allow it, in mosquitto's acl_file by"
                f" `topic write {message.topic.rpartition('/')[0]}/#`"
            )
        if reason.value == _TOO_LARGE:
            text = f"{where}: {message.topic}: {len(message.payload)} bytes are more than it takes"
        else:
            text = f"{where}: a message to {message.topic} was refused: {str(reason).lower()}"
        is_message = is_next and reason.value in (_TOO_LARGE, _INVALID_PAYLOAD)
        raise (MessageRefusedError if is_message else TopicRefusedError)(text)

    def _is_too_large(self, message: Message) -> bool:
        size = len(message.topic.encode()) + len(message.payload) + _MOST_HEADER
        return self._most_bytes is not None and size > self._most_bytes

    def _refuse_too_large(self, message: Message) -> None:
        """Raise MessageRefusedError where the broker does not take messages of this size."""
        if self._is_too_large(message):
            raise MessageRefusedError(
                f"broker {self._address}: {message.topic}: {len(message.payload)} bytes are more than it takes;"
                " raise its max_packet_size"
            )

    def _report_loss(self, why: str) -> NoReturn:
        """Raise OutputError for a lost connection. Many brokers do not say that another client has taken it over."""
        if time.monotonic() - self._connected_at < _SHORT_SECONDS:
            why += (
                f" soon after it was made; did the broker restart, or does another client connect as {self._client_id},"
                " such as a daemon of the same name? Give one of them another by the setting name"
            )
        self._fail(why)

    def _fail(self, why: str) -> NoReturn:
        self.drop()
        raise OutputError(f"broker {self._address}: {why}")


def make_tls(table: MqttTable) -> ssl.SSLContext:
    """Return what TLS goes by. Raise OutputConfigError, which begins with the key, where a file is not usable."""
    ca = None if table.ca_file is None else find_secret(table.ca_file)
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise OutputConfigError(f"ca_file: {ca}: has no certificate in PEM") from None
    except OSError as error:
        raise OutputConfigError(f"ca_file: {ca}: cannot be read: {error.strerror}") from error
    if table.cert_file is None:
        return context
    cert = find_secret(table.cert_file)
    key = cert if table.key_file is None else find_secret(table.key_file)
    for name, file in (("cert_file", cert), ("key_file", key)):
        try:
            file.open("rb").close()
        except OSError as error:
            raise OutputConfigError(f"{name}: {file}: cannot be read: {error.strerror}") from error
    try:
        context.load_cert_chain(cert, key, password=_refuse_password)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise OutputConfigError(f"cert_file: {cert} with the key of {key} is not usable: {reason}") from error
    return context


def _refuse_password() -> str:
    """Raise ValueError: without this, OpenSSL asks for the password of a key on the terminal."""
    raise ValueError("the key has a password; dogid needs it without, readable for its user alone")
