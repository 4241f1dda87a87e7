"""The discovery document by its schema, and its templates by Jinja. Home Assistant's own: `make home-assistant`."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dogid.outputs.mqtt.home_assistant import MOST_COUNTED_LABELS, describe_device
from dogid.outputs.mqtt.topics import Topics, make_id

SCHEMA = json.loads((Path(__file__).parent / "device_schema.json").read_bytes())
LABELS = ["pug", "a/b", "a+b", "#", 'say "x"', "it's", "{{ 1 }}{% x %}", "two\nlines", "Mäuse", "🐕‍🦺", "back\\slash"]


@pytest.mark.parametrize("labels", [[], LABELS, [f"bird {number}" for number in range(1000)]])
def test_device_document_fits_the_schema(labels: list[str]) -> None:
    document = _describe(labels)
    jsonschema.validate(document, SCHEMA)
    ids = [component["unique_id"] for component in document["components"].values() if len(component) > 1]
    assert len(ids) == len(set(ids)) == len(document["components"]) - 1
    counted = len(labels) if len(labels) <= MOST_COUNTED_LABELS else 0
    assert sum(key.startswith("today_") for key in document["components"]) == counted


@pytest.mark.parametrize(
    "broken",
    [{"device": {"name": "x"}}, {"origin": {}}, {"components": {"a": {"platform": "sensor", "name": "no unique_id"}}}],
)
def test_schema_refuses_what_home_assistant_refuses(broken: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_describe(["pug"]) | broken, SCHEMA)


def test_templates_find_each_labels_count_whatever_it_is_called() -> None:
    state = {"today": {label: number for number, label in enumerate(LABELS)}, "label": "x" * 300, "healthy": True}
    components = _describe(LABELS)["components"]
    jinja = ImmutableSandboxedEnvironment()
    counts = [
        jinja.from_string(component["value_template"]).render(value_json=state)
        for key, component in components.items()
        if key.startswith("today_")
    ]
    assert counts == [str(number) for number in range(len(LABELS))]
    assert len(jinja.from_string(components["label"]["value_template"]).render(value_json=state)) == 255
    assert jinja.from_string(components["label"]["value_template"]).render(value_json={"label": None}) == ""
    assert jinja.from_string(components["problem"]["value_template"]).render(value_json=state) == "OFF"


def test_page_on_this_machine_alone_is_no_link() -> None:
    assert "configuration_url" not in _describe([])["device"]
    device = _describe([], "http://192.168.1.7:8000/")["device"]
    assert device["configuration_url"] == "http://192.168.1.7:8000/"


def _describe(labels: list[str], page_url: str = "http://127.0.0.1:8000/") -> dict[str, Any]:
    return describe_device(
        Topics("dogid", make_id("Käfig 2")), "Käfig 2", page_url, labels, [*labels, "failed"], ["gone"]
    )
