"""The table of an MQTT output."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import msgspec

from dogid.outputs.output import OutputConfigError
from dogid.outputs.secret_files import CREDENTIALS, find_secret
from dogid.outputs.table import OutputTable, read_table
from dogid.settings import MQTT_VARIABLE

_PASSWORD = str(CREDENTIALS / "mqtt-password")
"""The password of a user where the table names no file, if this one is there: a variable can name none."""
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_PATTERNS = ("+", "#", "$", "\0")  # mean something else in topics

_Topic = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class MqttTable(OutputTable, frozen=True, kw_only=True):
    """The keys of `[outputs.NAME]` with `type = "mqtt"`."""

    url: str
    """mqtt[s]://[USER@]HOST[:PORT]"""
    password_file: str | None = None
    ca_file: str | None = None
    """The authorities that the broker's certificate is checked with, in PEM; None: the system's."""
    cert_file: str | None = None
    """The client's own certificate, in PEM, where the broker asks for one."""
    key_file: str | None = None
    """Its key, where it is not in the same file."""
    topic: _Topic = "dogid"
    """What all topics begin with."""
    discovery: Annotated[str, msgspec.Meta(max_length=200)] = "homeassistant"
    """Where Home Assistant looks for devices; empty: it is not informed."""
    max_event_age: Annotated[float, msgspec.Meta(ge=1, le=86400 * 365)] = 300.0
    """Seconds after which an event is no longer published: automations would act on what is long over."""
    image: bool = True
    """Whether a thumbnail of the newest photo is published."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is, and as whom to connect."""

    host: str
    port: int
    tls: bool
    user: str | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def read_mqtt_table(table: Mapping[str, Any]) -> tuple[MqttTable, Address]:
    """Return the checked table, and the broker's address in it. Raise OutputConfigError, which begins with the key."""
    read = read_table(table, MqttTable)
    for key in ("topic", "discovery"):
        _check_topic(key, getattr(read, key))
    address = parse_url(read.url)
    if not address.tls:
        for key in ("ca_file", "cert_file", "key_file"):
            if getattr(read, key) is not None:
                raise OutputConfigError(f"{key}: is for TLS only; write url with mqtts://")
    if read.key_file is not None and read.cert_file is None:
        raise OutputConfigError("key_file: is the key of which certificate? Give cert_file, too")
    if read.password_file is None and address.user is not None and os.access(find_secret(_PASSWORD), os.R_OK):
        read = msgspec.structs.replace(read, password_file=_PASSWORD)
    if read.password_file is not None and address.user is None:
        raise OutputConfigError("password_file: whose password is it? Write url with the user: mqtt://USER@HOST")
    return read, address


def parse_url(url: str) -> Address:
    """Return the address that a URL names. Raise OutputConfigError; a password in it is in no message."""
    form = "write it as mqtt://HOST, mqtts://USER@HOST or mqtt://USER@HOST:PORT"
    if os.environ.get(MQTT_VARIABLE, "").strip() == url:
        form += f" in {MQTT_VARIABLE}"
    try:
        parts = urlsplit(url.strip())
        port, host, user = parts.port, parts.hostname, parts.username
    except ValueError:
        raise OutputConfigError(f"url: is not valid; {form}") from None
    if parts.password is not None:
        raise OutputConfigError("url: a password must not be in it; write it to a file and give password_file")
    if parts.scheme not in _PORTS or not host or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise OutputConfigError(f"url: is not the address of a broker; {form}")
    if port == 0:
        raise OutputConfigError(f"url: port 0 is none; {form}")
    return Address(host, port or _PORTS[parts.scheme], parts.scheme == "mqtts", unquote(user) if user else None)


def _check_topic(key: str, topic: str) -> None:
    if any(pattern in topic for pattern in _PATTERNS) or topic.startswith("/") or topic.endswith("/"):
        raise OutputConfigError(f"{key}: + # $ and a slash at its ends cannot be in it: {topic!r}")
