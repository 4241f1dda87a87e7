"""What Home Assistant needs to show a daemon as a device, without a line of YAML.

Source: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload (2024.11 and later), and the pages of
its MQTT sensors, binary sensors, events and images.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from dogid import __version__
from dogid.outputs.mqtt.topics import Topics, make_unique_id

STATUS_ONLINE = b"online"
"""What Home Assistant publishes to its status topic after its start."""
ONLINE, OFFLINE = b"online", b"offline"
FAILED = "failed"
"""Type of an event whose photo has no label."""
MOST_COUNTED_LABELS = 30
"""A model with more labels has no sensor for each: they would fill the device's page. The state has all counts."""
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def discovery_topic(prefix: str, topics: Topics) -> str:
    """Return where Home Assistant looks for the device."""
    return f"{prefix}/device/{topics.id}/config"


def status_topic(prefix: str) -> str:
    """Return where Home Assistant says that it has started."""
    return f"{prefix}/status"


def describe_device(
    topics: Topics, name: str, page_url: str, labels: Sequence[str], event_types: Iterable[str], former: Iterable[str]
) -> dict[str, Any]:
    """Return the discovery document of a daemon.

    labels: of the model; event_types: what events may be about; former: keys of components of earlier documents, which
    are removed unless they are still there.
    """
    components = _components(topics, labels, event_types)
    removed = {key: {"platform": "sensor"} for key in former if key not in components}
    device = {
        "identifiers": [f"dogid_{topics.id}"],
        "name": name,
        "manufacturer": "dogid",
        "model": "photo classifier",
        "sw_version": __version__,
    }
    if urlsplit(page_url).hostname not in _LOOPBACK:
        device["configuration_url"] = page_url
    return {
        "device": device,
        "origin": {"name": "dogid", "sw_version": __version__, "support_url": "https://pypi.org/project/dogid/"},
        "availability_topic": topics.availability,
        "qos": 1,
        "components": removed | components,
    }


def _components(topics: Topics, labels: Sequence[str], event_types: Iterable[str]) -> dict[str, dict[str, Any]]:
    def sensor(key: str, name: str, value: str, **more: Any) -> tuple[str, dict[str, Any]]:
        template = "{{ " + value + " }}"
        own = {"platform": "sensor", "unique_id": f"dogid_{topics.id}_{key}", "name": name}
        return key, own | {"state_topic": topics.state, "value_template": template} | more

    whole_number = {"state_class": "measurement", "suggested_display_precision": 0}
    diagnostic = {"entity_category": "diagnostic"}
    found = dict(
        [
            sensor(
                # a state has at most 255 characters
                "label", "Last label", "(value_json.label or '')[:255]", icon="mdi:image-search",
                json_attributes_topic=topics.state,
            ),
            sensor(
                "certainty", "Certainty", "value_json.certainty", unit_of_measurement="%", state_class="measurement",
                suggested_display_precision=1, icon="mdi:percent",
            ),
            sensor("photos_today", "Photos today", "value_json.photos_today", icon="mdi:counter", **whole_number),
            sensor("failed", "Failed photos", "value_json.failed", icon="mdi:image-broken", **whole_number),
            sensor("pending", "Pending photos", "value_json.pending", icon="mdi:timer-sand", **whole_number),
            sensor(
                "disk", "Disk used", "value_json.disk_used_percent", unit_of_measurement="%", icon="mdi:harddisk",
                **whole_number, **diagnostic,
            ),
            sensor("model", "Model", "value_json.model[:255]", icon="mdi:brain", **diagnostic),
            sensor("health", "Health", "value_json.health[:255]", icon="mdi:heart-pulse", **diagnostic),
        ]
    )  # fmt: skip
    found["problem"] = {
        "platform": "binary_sensor",
        "unique_id": f"dogid_{topics.id}_problem",
        "name": "Problem",
        "device_class": "problem",
        "entity_category": "diagnostic",
        "state_topic": topics.state,
        "value_template": "{{ 'OFF' if value_json.healthy else 'ON' }}",
    }
    if len(labels) <= MOST_COUNTED_LABELS:
        for label in labels:
            value = f"value_json.today.get({quote_for_template(label)}, 0)"
            name = f"{' '.join(label.split())[:100]} today"
            found.update([sensor(f"today_{make_unique_id(label)}", name, value, icon="mdi:counter", **whole_number)])
    found["event"] = {
        "platform": "event",
        "unique_id": f"dogid_{topics.id}_event",
        "name": "Photo",
        "icon": "mdi:camera-iris",
        "state_topic": topics.event,
        "event_types": list(event_types),
    }
    found["image"] = {
        "platform": "image",
        "unique_id": f"dogid_{topics.id}_image",
        "name": "Last photo",
        "image_topic": topics.image,
        "content_type": "image/jpeg",
    }
    return found


def quote_for_template(text: str) -> str:
    """Return a text as a literal for Home Assistant's templates (Jinja), whatever characters are in it."""
    escaped = text.encode("unicode_escape").decode("ascii")  # Jinja reads back exactly this
    return '"' + re.sub(r"[\"'{}%#]", lambda found: f"\\x{ord(found[0]):02x}", escaped) + '"'
