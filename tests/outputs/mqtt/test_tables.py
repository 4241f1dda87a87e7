"""The table of an MQTT output, the variable, and names in topics. No broker is needed."""

from pathlib import Path

import pytest

from dogid.outputs.mqtt.configuration import parse_url, read_mqtt_table, read_variable
from dogid.outputs.mqtt.topics import make_id, make_unique_id
from dogid.outputs.output import OutputConfigError


@pytest.mark.parametrize(
    ("key", "table"),
    [
        ("url", {"url": "mqtt://ann:secret@host"}),
        ("url", {"url": "http://ann:secret@host"}),
        ("url", {"url": "mqtt://ann@host:secret"}),
        ("url", {"url": "mqtt://host/path"}),
        ("url", {}),
        ("password_file", {"url": "mqtt://host", "password_file": "x"}),
        ("ca_file", {"url": "mqtt://host", "ca_file": "x"}),
        ("key_file", {"url": "mqtts://host", "key_file": "x"}),
        ("topic", {"url": "mqtt://host", "topic": "a/+"}),
        ("topic", {"url": "mqtt://host", "topic": ""}),
        ("max_event_age", {"url": "mqtt://host", "max_event_age": 0}),
        ("urls", {"url": "mqtt://host", "urls": ""}),
    ],
)
def test_table_that_is_wrong_begins_with_its_key(key: str, table: dict[str, object]) -> None:
    with pytest.raises(OutputConfigError, match=f"^{key}: ") as caught:
        read_mqtt_table({"type": "mqtt", **table})
    assert "secret" not in str(caught.value)


def test_address_has_port_and_user() -> None:
    assert str(parse_url("mqtt://host")) == "host:1883"
    secured = parse_url("mqtts://a%40b@[::1]")
    assert (str(secured), secured.user, secured.tls) == ("[::1]:8883", "a@b", True)


def test_variable_makes_a_table_with_the_passed_password(tmp_path: Path) -> None:
    assert read_variable({}) is None
    assert read_variable({"DOGID_MQTT_URL": "mqtt://ann@host"}) == {"type": "mqtt", "url": "mqtt://ann@host"}
    (tmp_path / "dogid_mqtt-password").write_text("secret")
    environ = {"DOGID_MQTT_URL": "mqtt://ann@host", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    found = read_variable(environ)
    assert found is not None
    assert found["password_file"] == "/etc/dogid/credentials/mqtt-password"


@pytest.mark.parametrize(
    ("name", "safe"),
    [("barn", "barn"), ("Käfig 2", "Kafig-2"), ("a/+#$\n b", "a-b"), ("сарай", "6291ac47"), ("🐶", "895eb9a2")],
)
def test_daemons_name_becomes_safe(name: str, safe: str) -> None:
    assert make_id(name) == safe


def test_labels_that_look_alike_have_ids_of_their_own() -> None:
    labels = ["a/b", "a+b", "a b", "a\nb", "🐕", "🐩", "x" * 70, "x" * 71, "\udcff"]
    assert len({make_unique_id(label) for label in labels}) == len(labels)
