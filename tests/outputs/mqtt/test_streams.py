"""What goes where: results, events, state, image and Home Assistant's device."""

import time

from tests.ledger.ledger_folder import add_classified
from tests.outputs.mqtt.bench import JPEG, Bench, deliveries, send_all
from tests.outputs.mqtt.conftest import Subscribe
from tests.outputs.mqtt.mosquitto import Mosquitto
from tests.support.waiting import eventually

CONFIG = "homeassistant/device/barn/config"


def test_results_come_in_order_with_their_ids(broker: Mosquitto, bench: Bench, subscribe: Subscribe) -> None:
    subscriber = subscribe(broker)
    output = bench.make(broker.url)
    acknowledged: list[int] = []
    output.send(deliveries(1, 90) + deliveries(90, 91, "review"), acknowledged.append)
    found = subscriber.wait_for("dogid/barn/results", 90)
    assert [message.json["id"] for message in found] == [f"s-{seq}" for seq in range(1, 91)]
    assert {message.json["type"] for message in found[:89]} == {"result"}
    assert found[89].json["type"] == "review"
    assert not any(message.retained for message in found)
    assert acknowledged == sorted(set(acknowledged))
    assert acknowledged[-1] == 90
    assert not subscriber.on("dogid/barn/event")


def test_young_events_pass_before_their_picture_and_old_ones_not(
    broker: Mosquitto, bench: Bench, subscribe: Subscribe
) -> None:
    subscriber = subscribe(broker)
    output = bench.make(broker.url)
    minute_ago = round(time.time() * 1000) - 60_000
    old = deliveries(1, 2, "event", at_ms=minute_ago - 250_000)
    # of a burst that has just ended
    old += deliveries(2, 3, "event", rule="r", at_ms=minute_ago - 250_000, decided_ms=minute_ago)
    acknowledged: list[int] = []
    output.send(old, acknowledged.append)
    assert acknowledged[-1] == 2
    (event,) = subscriber.wait_for("dogid/barn/event")
    document = event.json
    assert (document["id"], document["event_type"], document["rule"]) == ("s-2", "cat", "r")
    output.tend()
    subscriber.wait_for("dogid/barn/image")
    topics = [message.topic for message in subscriber.received]
    assert topics.index("dogid/barn/event") < topics.index("dogid/barn/image")
    late = subscribe(broker)
    late.wait_for("dogid/barn/image")
    assert not late.on("dogid/barn/event")  # an automation would act on it at every restart of Home Assistant


def test_events_label_is_declared_before_the_event(broker: Mosquitto, bench: Bench, subscribe: Subscribe) -> None:
    subscriber = subscribe(broker)
    output = bench.make(broker.url)
    send_all(output, deliveries(1, 2, "event", label="wolf 🐺/+#\n"))
    (event,) = subscriber.wait_for("dogid/barn/event")
    types = subscriber.on(CONFIG)[-1].json["components"]["event"]["event_types"]
    assert event.json["event_type"] == "wolf 🐺/+#\n"
    assert types == ["cat", "dog", "failed", "wolf 🐺/+#\n"]
    assert subscriber.received.index(subscriber.on(CONFIG)[-1]) < subscriber.received.index(event)


def test_state_has_the_newest_photo_and_todays_counts(broker: Mosquitto, bench: Bench, subscribe: Subscribe) -> None:
    subscriber = subscribe(broker)
    bench.inbox.clock.set_wall(round(time.time() * 1000))
    add_classified(bench.inbox, "yard/b.jpg")
    output = bench.make(broker.url)
    output.tend()
    (message,) = subscriber.wait_for("dogid/barn/state")
    state = message.json
    assert (state["label"], state["certainty"], state["file"]) == ("cat", 100.0, "yard/b.jpg")
    assert (state["today"], state["photos_today"]) == ({"cat": 1, "dog": 0}, 1)
    assert (state["healthy"], state["health"], state["model"], state["name"]) == (True, "ok", "m.tflite", "barn")
    assert subscriber.wait_for("dogid/barn/image")[0].payload == JPEG


def test_home_assistants_start_and_a_new_model_announce_again(
    broker: Mosquitto, bench: Bench, subscribe: Subscribe
) -> None:
    subscriber = subscribe(broker)
    output = bench.make(broker.url)
    output.tend()
    subscriber.wait_for(CONFIG)
    subscriber.publish("homeassistant/status", b"online")
    eventually(lambda: output.tend() and len(subscriber.on(CONFIG)) == 2, "it is announced again")
    bench.labels = ["cat", "wolf"]
    output.tend()
    components = subscriber.wait_for(CONFIG, 3)[-1].json["components"]
    assert components["event"]["event_types"] == ["cat", "wolf", "failed"]
    removed = [key for key, component in components.items() if component == {"platform": "sensor"}]
    assert [key.rpartition("-")[0] for key in removed] == ["today_dog"]
