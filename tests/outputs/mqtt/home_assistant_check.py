"""Holds what we announce against Home Assistant's own schemas of sensors, events and images (`make home-assistant`).

Runs in an environment of its own, which has Home Assistant and not what dogid needs. 2024.3.3 is the last one for
Python 3.11; it knows no discovery by device yet, so that each component is checked as a discovery of its own.
"""

import sys
from typing import Any

import voluptuous
from homeassistant.components.mqtt import binary_sensor, event, image, sensor

from dogid.outputs.mqtt.home_assistant import describe_device
from dogid.outputs.mqtt.topics import Topics, make_id

_SCHEMAS = {
    "sensor": sensor.DISCOVERY_SCHEMA,
    "binary_sensor": binary_sensor.DISCOVERY_SCHEMA,
    "event": event.DISCOVERY_SCHEMA,
    "image": image.DISCOVERY_SCHEMA,
}
_LABELS = ["pug", "a/b", "a+b", "#", 'say "x"', "{{ 1 }}{% x %}", "two\nlines", "Mäuse", "🐕\u200d🦺", "back\\slash"]
_BROKEN = (
    {"platform": "sensor", "state_topic": "dogid/#/a", "unique_id": "a"},
    {"platform": "sensor", "state_topic": "dogid/a", "value_template": "{{ x", "unique_id": "a"},
    {"platform": "event", "state_topic": "dogid/a", "unique_id": "a"},
    {"platform": "image", "unique_id": "a"},
    {"platform": "image", "image_topic": "a", "url_topic": "b", "unique_id": "a"},
)


def main() -> int:
    """Print what Home Assistant refuses; return 1 where it refuses one of ours, or takes a broken one."""
    checked, faults = 0, list[str]()
    for labels in ([], _LABELS, [f"bird {number}" for number in range(1000)]):
        for name in ("barn", "Käfig 2"):
            topics = Topics("dogid", make_id(name))
            document = describe_device(topics, name, "http://192.168.1.7:8000/", labels, [*labels, "failed"], [])
            shared = {key: document[key] for key in ("device", "origin", "availability_topic", "qos")}
            for key, component in document["components"].items():
                reason = _explain(component | shared)
                checked += 1
                if reason is not None:
                    faults.append(f"{key}: {reason}")
    faults += [f"this was taken, and is broken: {broken}" for broken in _BROKEN if _explain(dict(broken)) is None]
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    sys.stdout.write(f"Home Assistant takes {checked - len(faults)} of {checked} components\n")
    return 1 if faults or not checked else 0


def _explain(component: dict[str, Any]) -> str | None:
    """Return why Home Assistant refuses a component, or drops a key of it; None where it takes all."""
    own = {key: value for key, value in component.items() if key != "platform"}
    try:
        taken = _SCHEMAS[component["platform"]](own)
    except voluptuous.Invalid as error:
        return str(error)
    unknown = set(own) - set(taken)
    return f"unknown keys {unknown}" if unknown else None


if __name__ == "__main__":
    sys.exit(main())
