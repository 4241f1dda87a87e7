"""The table of an MQTT output, the variable, and names in topics. No broker is needed."""

import argparse
from pathlib import Path

import pytest

from dogid.errors import UsageError
from dogid.outputs.mqtt.configuration import parse_url, read_mqtt_table
from dogid.outputs.mqtt.topics import make_id, make_unique_id
from dogid.outputs.output import OutputConfigError
from dogid.settings import Settings, load


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


def test_variable_makes_an_output_or_gives_it_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "mqtt://ann@host"
    assert _load("", {}).outputs == {}
    assert _load("", {"DOGID_MQTT_URL": url}).outputs == {"mqtt": {"type": "mqtt", "url": url}}
    with_table = _load('[outputs.mqtt]\ntype="mqtt"\nurl="mqtt://x"\ntopic="t"', {"DOGID_MQTT_URL": url}, tmp_path)
    assert with_table.outputs == {"mqtt": {"type": "mqtt", "url": url, "topic": "t"}}
    with pytest.raises(UsageError, match=r"DOGID_MQTT_URL: .* outputs\.mqtt of the configuration is of the type 'csv'"):
        _load('[outputs.mqtt]\ntype = "csv"', {"DOGID_MQTT_URL": url}, tmp_path)
    assert read_mqtt_table({"url": url})[0].password_file is None
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "dogid_mqtt-password").write_text("secret")
    assert read_mqtt_table({"url": url})[0].password_file == "/etc/dogid/credentials/mqtt-password"


def _load(text: str, environ: dict[str, str], folder: Path | None = None) -> Settings:
    if folder is not None:
        (folder / "dogid.toml").write_text(text)
    args = argparse.Namespace(config=folder and str(folder / "dogid.toml"))
    return load(args, environ)


@pytest.mark.parametrize(
    ("name", "safe"),
    [("barn", "barn"), ("Käfig 2", "Kafig-2"), ("a/+#$\n b", "a-b"), ("сарай", "6291ac47"), ("🐶", "895eb9a2")],
)
def test_daemons_name_becomes_safe(name: str, safe: str) -> None:
    assert make_id(name) == safe


def test_labels_that_look_alike_have_ids_of_their_own() -> None:
    labels = ["a/b", "a+b", "a b", "a\nb", "🐕", "🐩", "x" * 70, "x" * 71, "\udcff"]
    assert len({make_unique_id(label) for label in labels}) == len(labels)
