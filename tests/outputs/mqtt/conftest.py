"""Brokers and outputs for the tests."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ledger.ledger_folder import Inbox, add_classified
from tests.outputs.mqtt.bench import Bench
from tests.outputs.mqtt.mosquitto import Mosquitto
from tests.outputs.mqtt.subscriber import Subscriber

MakeBroker = Callable[..., Mosquitto]
Subscribe = Callable[..., Subscriber]


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[MakeBroker]:
    """Start brokers with lines of configuration; those that run at the end of the test are ended."""
    with contextlib.ExitStack() as stack:

        def make(*lines: str, **options: str) -> Mosquitto:
            made = Mosquitto(tmp_path / "broker", *lines, **options)
            stack.callback(made.kill)
            return made.start()

        yield make


@pytest.fixture
def broker(make_broker: MakeBroker) -> Mosquitto:
    """A broker that takes anybody."""
    return make_broker()


@pytest.fixture
def subscribe() -> Iterator[Subscribe]:
    """Make subscribers to brokers; they are closed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def make(broker: Mosquitto, *credentials: str) -> Subscriber:
            made = Subscriber(broker.port, *credentials)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A ledger with one photo, and outputs on it."""
    folder = Inbox(tmp_path)
    add_classified(folder, "a.jpg")
    made = Bench(folder, tmp_path / "output")
    yield made
    made.close()
    folder.close()
