"""A broker that goes away, hangs or refuses: nothing is lost, and the reason is named."""

import signal
import subprocess
import threading
from pathlib import Path

import pytest

from dogid.outputs.output import OutputError, RefusedError
from tests.outputs.mqtt.bench import Bench, deliveries, send_all
from tests.outputs.mqtt.conftest import MakeBroker, Subscribe
from tests.outputs.mqtt.mosquitto import Mosquitto
from tests.support.waiting import eventually

DEVICE = "homeassistant/device/barn/config"
RESULTS = "dogid/barn/results"


def test_nothing_is_lost_while_the_broker_is_killed(broker: Mosquitto, bench: Bench, subscribe: Subscribe) -> None:
    subscriber = subscribe(broker)
    output = bench.make(broker.url)

    def kill_often() -> None:
        for times in range(2, 8):
            enough = len(subscriber.on(RESULTS)) + 50
            eventually(lambda enough=enough: len(subscriber.on(RESULTS)) > enough, "results come")  # type: ignore[misc]
            broker.kill()
            broker.start()
            subscriber.wait_subscribed(times)

    killer = threading.Thread(target=kill_often)
    killer.start()
    faults, first = 0, 1
    while killer.is_alive():
        faults += send_all(output, deliveries(first, first + 300))
        first += 300
    killer.join()
    faults += send_all(output, deliveries(first, first + 10))
    subscriber.wait_for(RESULTS)
    eventually(lambda: subscriber.on(RESULTS)[-1].json["id"] == f"s-{first + 9}", "the last has come")
    assert faults >= 3
    # the subscriber itself misses what comes while it is away; what it has is in order, and doubles have the same id
    numbers = [int(message.json["id"].partition("-")[2]) for message in subscriber.on(RESULTS)]
    seen: list[int] = []
    for number in numbers:
        assert number in seen[-25:] or number > max(seen, default=0)
        seen.append(number)


def test_restart_without_memory_has_all_retained_again(broker: Mosquitto, bench: Bench, subscribe: Subscribe) -> None:
    output = bench.make(broker.url)
    output.tend()
    broker.kill()
    broker.start()
    with pytest.raises(OutputError, match="lost"):
        output.tend()
    output.tend()
    subscriber = subscribe(broker)
    for topic in (
        "homeassistant/device/barn/config",
        *(f"dogid/barn/{end}" for end in ("availability", "state", "image")),
    ):
        assert subscriber.wait_for(topic)[0].retained


def test_nothing_listens(broker: Mosquitto, bench: Bench) -> None:
    broker.kill()
    with pytest.raises(OutputError, match=rf"broker 127\.0\.0\.1 port {broker.port}: Connection refused"):
        bench.make(broker.url).check()


def test_hanging_broker_is_given_up_and_nothing_lost(
    broker: Mosquitto, bench: Bench, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriber = subscribe(broker)
    output = bench.make(broker.url)
    output.tend()
    broker.send(signal.SIGSTOP)
    acknowledged: list[int] = []
    with monkeypatch.context() as impatient:
        impatient.setattr("dogid.outputs.mqtt.broker._ACK_SECONDS", 0.3)
        impatient.setattr("dogid.outputs.mqtt.connection._CONNECT_SECONDS", 0.3)
        with pytest.raises(OutputError, match="no acknowledgement came; the broker hangs"):
            output.send(deliveries(1, 4), acknowledged.append)
        assert not acknowledged
        with pytest.raises(OutputError, match="accepts the connection and does not answer"):
            output.send(deliveries(1, 4), acknowledged.append)
    broker.send(signal.SIGCONT)
    send_all(output, deliveries(1, 4))
    eventually(lambda: {message.json["id"] for message in subscriber.on(RESULTS)} == {"s-1", "s-2", "s-3"}, "all came")


def test_wrong_password_is_named_and_mended_in_its_file(make_broker: MakeBroker, bench: Bench, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "ann", "right"], check=True, capture_output=True)
    passwords.chmod(0o644)
    broker = make_broker(f"password_file {passwords}")
    password = tmp_path / "password"
    password.write_text("wrong-one\n")
    url = f"mqtt://ann@127.0.0.1:{broker.port}"
    output = bench.make(url, password_file=str(password))
    with pytest.raises(OutputError, match=f"refuses the user ann; is the password in {password} right") as caught:
        output.tend()
    assert "wrong-one" not in str(caught.value)
    password.write_text("right\n")
    output.tend()
    with pytest.raises(OutputError, match="refuses the user ann; does it need a password"):
        bench.make(url).check()
    with pytest.raises(OutputError, match="refuses a client without a user; give one in url"):
        bench.make(broker.url).check()


def test_refused_topic_is_named_and_costs_nothing(make_broker: MakeBroker, bench: Bench, subscribe: Subscribe) -> None:
    rules = bench.folder.parent / "acl"
    rules.write_text("topic read #\n")
    rules.chmod(0o644)
    broker = make_broker("allow_anonymous true", f"acl_file {rules}")
    subscriber = subscribe(broker)
    output = bench.make(broker.url)
    acknowledged: list[int] = []
    with pytest.raises(OutputError, match=r"may not publish to dogid/barn/results; .* `topic write dogid/barn/#`"):
        output.send(deliveries(1, 40), acknowledged.append)
    assert not acknowledged
    rules.write_text("topic read #\ntopic write dogid/barn/results\n")
    broker.send(signal.SIGHUP)
    send_all(output, deliveries(1, 40))  # although nothing of what is retained is allowed
    # what came behind the one that was refused at first may come twice, with the same id
    eventually(lambda: len({message.json["id"] for message in subscriber.on(RESULTS)}) == 39, "all came")


def test_second_daemon_of_the_same_name_is_named(broker: Mosquitto, bench: Bench) -> None:
    first, second = bench.make(broker.url), bench.make(broker.url)
    first.tend()
    second.tend()
    with pytest.raises(OutputError, match="does another client connect as dogid-barn"):
        first.tend()


def test_check_beside_a_daemon_leaves_its_connection(broker: Mosquitto, bench: Bench, subscribe: Subscribe) -> None:
    running = bench.make(broker.url)
    running.tend()
    assert "accepts the connection without encryption" in bench.make(broker.url).check()
    running.tend()
    send_all(running, deliveries(1, 2))
    availability = subscribe(broker).wait_for("dogid/barn/availability")
    assert [message.payload for message in availability] == [b"online"]


def test_lost_client_is_offline_and_stopped_one_too(broker: Mosquitto, bench: Bench, subscribe: Subscribe) -> None:
    subscriber = subscribe(broker)
    output = bench.make(broker.url)
    output.tend()
    output._broker.drop()  # as its process's end does: without a word
    availability = subscriber.wait_for("dogid/barn/availability", 2)
    assert [message.payload for message in availability] == [b"online", b"offline"]
    output.tend()
    output.close()
    availability = subscriber.wait_for("dogid/barn/availability", 4)
    assert [message.payload for message in availability[2:]] == [b"online", b"offline"]


@pytest.mark.parametrize("limit", ["max_packet_size", "message_size_limit"])  # the latter is not announced
def test_message_too_large_for_the_broker_is_refused_alone(make_broker: MakeBroker, bench: Bench, limit: str) -> None:
    broker = make_broker("allow_anonymous true", f"{limit} 20000")
    output = bench.make(broker.url)
    waiting = deliveries(1, 2) + deliveries(2, 3, label="x" * 30_000) + deliveries(3, 4)
    acknowledged: list[int] = []

    def send() -> str | None:
        try:
            output.send(waiting, acknowledged.append)
        except RefusedError as error:
            return str(error)
        except OutputError:
            waiting[: acknowledged[-1] if acknowledged else 0] = []
            acknowledged.clear()
        return None

    assert "bytes are more than it takes" in eventually(send, "it is refused")
    refused = acknowledged[-1] if acknowledged else 0
    assert len(waiting[refused].result["label"]) == 30_000
    output.send(waiting[refused + 1 :], acknowledged.append)
