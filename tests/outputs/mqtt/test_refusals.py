"""What an MQTT broker refuses, and what only looks like it: no result is put aside for another fault of a broker."""

import logging
import threading
from collections.abc import Callable

import pytest

from dogid.outputs.mqtt.broker import Broker, MessageRefusedError
from dogid.outputs.mqtt.configuration import read_mqtt_table
from dogid.outputs.mqtt.connection import Message
from dogid.outputs.output import OutputError
from tests.outputs.mqtt.bench import Bench
from tests.outputs.mqtt.conftest import MakeBroker, Subscribe
from tests.outputs.mqtt.faulty_broker import faulty_broker

SMALL, LARGE = b"x" * 50, b"y" * 30_000


def publish_often(is_faulty: Callable[[bytes], bool], *payloads: bytes) -> list[str]:
    """Publish each payload alone, in turn, five times; return what came of the last one."""
    outcomes = []
    with faulty_broker(is_faulty) as port:
        table, address = read_mqtt_table({"type": "mqtt", "url": f"mqtt://127.0.0.1:{port}"})
        broker = Broker(table, address, "me", will=None, listen_to=None, stopping=threading.Event())
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
