"""What an MQTT broker refuses, and what only looks like it: no result is put aside for another fault of a broker."""

import logging
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from dogid.outputs.mqtt.broker import Broker, MessageRefusedError, TopicRefusedError
from dogid.outputs.mqtt.configuration import read_mqtt_table
from dogid.outputs.mqtt.connection import Message
from dogid.outputs.output import OutputConfigError, OutputError
from tests.outputs.mqtt.bench import Bench, deliveries
from tests.outputs.mqtt.conftest import MakeBroker, Subscribe
from tests.outputs.mqtt.faulty_broker import faulty_broker

_NOT_AUTHORIZED = 0x87
SMALL, LARGE = b"x" * 50, b"y" * 30_000


def make_broker_at(port: int) -> Broker:
    table, address = read_mqtt_table({"type": "mqtt", "url": f"mqtt://127.0.0.1:{port}"})
    return Broker(table, address, "me", will=None, listen_to=None, stopping=threading.Event())


def publish_often(is_faulty: Callable[[bytes], bool], *payloads: bytes) -> list[str]:
    """Publish each payload alone, in turn, five times; return what came of the last one."""
    outcomes = []
    with faulty_broker(is_faulty) as port:
        broker = make_broker_at(port)
        for payload in payloads * 5:
            if not broker.is_connected:
                broker.connect()
            try:
                broker.publish([Message("dogid/barn/results", payload)])
                outcome = "passed"
            except OutputError as error:
                outcome = "refused" if isinstance(error, MessageRefusedError) else "failed"
            if payload == payloads[-1]:
                outcomes.append(outcome)
        broker.disconnect()
    return outcomes


def test_single_invalid_answers_put_no_message_aside() -> None:
    faults = {LARGE: iter([True, False, False, True, False])}

    assert publish_often(lambda payload: next(faults.get(payload, iter([False]))), SMALL, LARGE) == [
        "failed", "passed", "passed", "failed", "passed",
    ]  # fmt: skip


def test_message_of_usual_size_is_never_called_too_large() -> None:
    usual = b"z" * 900

    assert publish_often(lambda payload: payload == usual, SMALL, usual) == ["failed"] * 5
    assert publish_often(lambda _: True, LARGE) == ["failed"] * 5  # nor any where nothing passes
    assert publish_often(lambda payload: payload == LARGE, LARGE * 2, LARGE) == ["failed"] * 5  # or larger ones do


def test_message_that_fails_twice_among_smaller_ones_is_refused() -> None:
    assert publish_often(lambda payload: payload == LARGE, SMALL, LARGE) == ["failed"] * 2 + ["refused"] * 3


def test_retained_message_that_fits_again_is_published(
    make_broker: MakeBroker, bench: Bench, subscribe: Subscribe, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    broker = make_broker("allow_anonymous true", "max_packet_size 20000")
    output = bench.make(broker.url)
    bench.labels = [f"{number:0200}" for number in range(100)]
    output.tend()
    bench.labels = [f"{number:0201}" for number in range(100)]
    output.tend()
    refused = [record.getMessage() for record in caplog.records if "homeassistant/device" in record.getMessage()]
    bench.labels = ["cat"]
    output.tend()

    assert len(refused) == 1
    assert "bytes are more than it takes" in refused[0]
    assert subscribe(broker).wait_for("homeassistant/device/barn/config")


def recording_broker(topics: list[str], refused: str = "") -> AbstractContextManager[int]:
    """Run a broker that notes the topics of messages, and refuses those to one of them; yield its port."""

    def note(topic: str) -> int:
        topics.append(topic)
        return _NOT_AUTHORIZED if topic == refused else 0

    return faulty_broker(refuse=note)


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ({4: b"\x20\x02\x00\x00"}, None),  # closes the connection at what it does not know
        ({5: b"\x20\x03\x00\x84\x00", 4: b"\x20\x02\x00\x00"}, None),  # or says that it does not know it
        ({4: b"\x20\x02\x00\x05"}, "refuses a client without a user; give one in url"),
        ({5: b"\x20\x03\x00\x88\x00"}, "the broker refuses the connection: server unavailable"),
        ({}, "closed the connection without an answer; is it a broker, and without TLS on this port?"),
    ],
)
def test_older_brokers_are_spoken_to_and_refusals_named(answers: dict[int, bytes], outcome: str | None) -> None:
    versions: list[int] = []

    def answer_connect(version: int) -> bytes:
        versions.append(version)
        return answers.get(version, b"")

    with faulty_broker(answer_connect=answer_connect) as port:
        broker = make_broker_at(port)
        if outcome is not None:
            with pytest.raises(OutputError) as caught:
                broker.connect()
            assert outcome in str(caught.value)
            assert not broker.is_connected
            return
        for _ in range(2):
            broker.connect()
            broker.publish([Message("dogid/barn/results", SMALL)])
        broker.disconnect()
    assert versions == [5, 4, 4]  # what it speaks is remembered


@pytest.mark.parametrize(
    ("reason", "kind", "text"),
    [
        (0x99, MessageRefusedError, "a message to dogid/barn/results was refused: payload format invalid"),
        (0x97, TopicRefusedError, "a message to dogid/barn/results was refused: quota exceeded"),
    ],
)
def test_reason_of_a_refused_message_is_named(reason: int, kind: type[OutputError], text: str) -> None:
    with faulty_broker(refuse=lambda _: reason) as port:
        broker = make_broker_at(port)
        broker.connect()
        with pytest.raises(kind) as caught:
            broker.publish([Message("dogid/barn/results", SMALL)])
        broker.disconnect()
    assert text in str(caught.value)


def test_acknowledged_messages_are_noted_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dogid.outputs.mqtt.broker._NOTE_SECONDS", -1.0)
    messages = [Message("dogid/barn/results", b"%d" % number) for number in range(60)]
    noted: list[int] = []
    with faulty_broker(lambda payload: payload == b"50") as port:
        broker = make_broker_at(port)
        broker.connect()
        with pytest.raises(OutputError, match="no valid answer to one of several messages"):
            broker.publish(messages, noted.append)
    assert noted == sorted(set(noted))
    assert len(noted) > 1
    assert noted[-1] <= 50


def test_refused_topic_is_left_out_and_named_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []
    with recording_broker(asked, refused="homeassistant/device/barn/config") as port:
        output = bench.make(f"mqtt://127.0.0.1:{port}")
        output.tend()
        bench.labels = ["cat", "wolf"]  # has it announced anew
        output.tend()
        assert "accepts the connection" in output.check()
        output.close()
    assert [topic for topic in asked if topic.endswith("/config")] == ["homeassistant/device/barn/config"]
    assert caplog.text.count("may not publish to homeassistant/device/barn/config") == 1
    assert "dogid/barn/state" in asked


def test_what_the_table_turns_off_is_not_published(bench: Bench) -> None:
    asked: list[str] = []
    with recording_broker(asked) as port:
        for table in ({"discovery": ""}, {"image": False}):
            output = bench.make(f"mqtt://127.0.0.1:{port}", **table)
            output.tend()
            output.close()
    ends = [topic.rpartition("/")[2] for topic in asked]
    assert ends == ["availability", "state", "image", "availability", "config", "availability", "state", "availability"]


def test_ledger_and_folder_out_of_order_keep_no_result(bench: Bench) -> None:
    bench.folder.write_text("a file in the place of the output's folder")
    asked: list[str] = []
    with recording_broker(asked) as port:
        output = bench.make(f"mqtt://127.0.0.1:{port}")
        bench.inbox.db.close()
        output.tend()
        acknowledged: list[int] = []
        output.send(deliveries(1, 3), acknowledged.append)
        output.send(deliveries(3, 5, "event", at_ms=0), acknowledged.append)  # too old to be published
        output.close()
    assert acknowledged[-2:] == [2, 2]
    assert asked.count("dogid/barn/results") == 2
    assert not {"dogid/barn/state", "dogid/barn/image", "dogid/barn/event"} & set(asked)


def test_missing_package_is_named_with_its_command(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho", None)
    with pytest.raises(OutputConfigError, match=r"mqtt needs the package paho-mqtt: .*install"):
        bench.make("mqtt://127.0.0.1")
