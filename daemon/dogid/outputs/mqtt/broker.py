"""An MQTT broker: connecting by the version of the protocol that it knows, publishing within a window, and what it
refuses, explained.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from dogid.outputs.mqtt.configuration import Address, MqttTable
from dogid.outputs.mqtt.connection import SLICE_SECONDS, Connection, Message, size_of
from dogid.outputs.output import OutputError, RefusedError

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

_ACK_SECONDS = 10.0  # without any acknowledgement; less gives up on slow links, more notices a hanging broker later
_NOTE_SECONDS = 0.2  # between two notes of how far it got: each is written to the disk; more sends more twice
_SHORT_SECONDS = 60.0  # a connection that is lost sooner may have been taken over by another daemon of the same name
_LIMIT_SECONDS = 600.0  # for which a limit of sizes is believed that a broker did not announce; it may be raised there
_LEAST_LIMIT = 2_000  # bytes: a smaller limit is not believed; less puts aside results for other faults of a broker

_BAD_CREDENTIALS, _NOT_AUTHORIZED, _PROTOCOL_VERSION = 0x86, 0x87, 0x84
_TOO_LARGE, _INVALID_PAYLOAD = 0x95, 0x99
_RAISE_LIMIT = "raise max_packet_size, in old settings message_size_limit, of the broker"


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
        self._connection: Connection | None = None
        self._is_old = False  # the broker does not know MQTT 5
        self._limit: tuple[int, float] | None = None
        """Bytes of a packet that the broker takes, as it refused a larger one; and until when that is believed."""
        self._is_careful = False  # one message at a time: to find which of them the broker refuses
        self._suspect: str | None = None
        """Topic of the last message that, sent alone, was answered by what the protocol does not know."""
        self._passed = 0  # bytes of the largest packet that the broker has taken since then
        self.received: deque[bytes] = deque(maxlen=10)
        """Payloads that came in."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None

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
        connection = self._connection
        assert connection is not None
        numbers: dict[int, int] = {}  # by packet id, which message
        arrived: set[int] = set()
        sent = first_open = noted = 0
        noted_at = time.monotonic()
        deadline = noted_at + _ACK_SECONDS
        try:
            while first_open < len(messages):
                if first_open == sent:
                    self._refuse_too_large(connection, messages[sent])
                while (
                    sent < len(messages)
                    and len(numbers) < (1 if self._is_careful else connection.window)
                    and not connection.is_too_large(messages[sent])
                ):
                    numbers[connection.publish(messages[sent])] = sent
                    sent += 1
                connection.process(SLICE_SECONDS)
                refused = _take_acknowledged(connection, numbers, arrived)
                now = time.monotonic()
                while first_open in arrived:
                    arrived.remove(first_open)
                    if self._suspect is not None:
                        self._passed = max(self._passed, size_of(messages[first_open]))
                    first_open += 1
                    deadline = now + _ACK_SECONDS
                if noted < first_open < len(messages) and now - noted_at > _NOTE_SECONDS:
                    noted, noted_at = first_open, now
                    acknowledged(noted)
                if refused is not None:
                    if numbers:
                        self.drop()  # what is still on the way would take up the window of the next messages
                    self._explain_refusal(messages[refused[0]], refused[1], is_next=refused[0] == first_open)
                if connection.lost is not None:
                    if connection.is_confused and numbers:
                        self._note_refusal([messages[at] for at in numbers.values()])
                    self._report_loss(connection, connection.lost)
                if now > deadline:
                    self._fail("no acknowledgement came; the broker hangs, or the network is down")
                if self._stopping.is_set() and first_open < len(messages):
                    self._fail("it has not acknowledged all before the stop")
            if sent > 1:
                self._is_careful = False
        finally:
            if first_open > noted:
                acknowledged(first_open)

    def tend(self) -> None:
        """Answer the broker, and read what it sends. Raise OutputError where the connection is lost."""
        connection = self._connection
        assert connection is not None
        connection.process(0)
        if connection.lost is not None:
            self._report_loss(connection, connection.lost)

    def close(self, last: Message) -> None:
        """Publish a last message and disconnect, if connected; wait for little."""
        connection = self._connection
        if connection is None:
            return
        try:
            packet = connection.publish(last)
            deadline = time.monotonic() + 1.0
            while time.monotonic() < deadline and connection.lost is None:
                connection.process(0.1)
                if any(number == packet for number, _ in connection.acknowledged):
                    break
        except (OutputError, OSError, ValueError):
            pass  # it is being closed
        self.disconnect()

    def disconnect(self) -> None:
        """End the connection, if there is one; no last will is published."""
        if self._connection is not None:
            self._connection.disconnect()
        self.drop()

    def drop(self) -> None:
        """Forget the connection and what was sent by it: the broker publishes the last will."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()

    def _connect_by(self, version: int) -> "ReasonCode | None":
        """Connect by a version of the protocol; return what the broker says to it, None where it says nothing."""
        self.drop()
        connection = Connection(
            self._table, self._address, self._client_id, version=version, will=self._will, received=self.received
        )
        try:
            connection.open(self._listen_to, self._stopping)
        except OutputError:
            connection.drop()
            raise
        self._connection = connection
        if self._limit is not None and time.monotonic() < self._limit[1]:
            connection.limit_packets(self._limit[0])
        return connection.answer

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
            text = f"{where}: {message.topic}: {len(message.payload)} bytes are more than it takes; {_RAISE_LIMIT}"
        else:
            text = f"{where}: a message to {message.topic} was refused: {str(reason).lower()}"
        is_message = is_next and reason.value in (_TOO_LARGE, _INVALID_PAYLOAD)
        raise (MessageRefusedError if is_message else TopicRefusedError)(text)

    def _note_refusal(self, messages: Sequence[Message]) -> NoReturn:
        """Raise OutputError for a broker that has answered one of messages with what the protocol does not know.

        mosquitto does so where a message is larger than its `message_size_limit`; it may also be a fault on the way.
        With the next connection the message is found. Where the same happens to it once more, and smaller ones have
        passed meanwhile but none as large, it is refused here from then on.
        """
        if len(messages) > 1:
            self._is_careful = True
            self._fail("it gave no valid answer to one of several messages, which are now sent one by one")
        (message,) = messages
        size = size_of(message)
        what = f"{len(message.payload)} bytes to {message.topic}"
        if message.topic == self._suspect and 0 < self._passed < size > _LEAST_LIMIT:
            self._limit = size - 1, time.monotonic() + _LIMIT_SECONDS
            self._fail(f"it refused {what}; {_RAISE_LIMIT}")
        self._suspect, self._passed = message.topic, 0
        self._fail(f"it gave no valid answer to {what}, which are sent again")

    def _refuse_too_large(self, connection: Connection, message: Message) -> None:
        """Raise MessageRefusedError where the broker does not take messages of this size."""
        if connection.is_too_large(message):
            raise MessageRefusedError(
                f"broker {self._address}: {message.topic}: {len(message.payload)} bytes are more than it takes;"
                f" {_RAISE_LIMIT}"
            )

    def _report_loss(self, connection: Connection, why: str) -> NoReturn:
        """Raise OutputError for a lost connection. Many brokers do not say that another client has taken it over."""
        self._limit = self._suspect = None  # it may have restarted with another
        if time.monotonic() - connection.made_at < _SHORT_SECONDS:
            why += (
                f" soon after it was made; did the broker restart, or does another client connect as {self._client_id},"
                " such as a daemon of the same name? Give one of them another by the setting name"
            )
        self._fail(why)

    def _fail(self, why: str) -> NoReturn:
        self.drop()
        raise OutputError(f"broker {self._address}: {why}")


def _take_acknowledged(
    connection: Connection, numbers: dict[int, int], arrived: set[int]
) -> "tuple[int, ReasonCode] | None":
    """Move what the broker has acknowledged from numbers to arrived; return the first message that it refused."""
    refused = None
    while connection.acknowledged:
        packet, reason = connection.acknowledged.popleft()
        at = numbers.pop(packet, None)
        if at is not None and reason.is_failure:
            refused = refused or (at, reason)
        elif at is not None:
            arrived.add(at)
    return refused
