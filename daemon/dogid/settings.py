"""All settings of dogid, defined once: flags, environment variables, TOML file and README follow this list.

Order of precedence: flag, environment variable `DOGID_NAME`, file named by --config, default.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dogid.errors import UsageError
from dogid.preprocessing import USUAL, Normalisation, parse_channels, parse_normalisation
from dogid.setting_values import (
    one_of,
    parse_host_names,
    parse_megabytes,
    parse_name,
    parse_path,
    parse_switch,
    seconds,
    whole_number,
)

_PREFIX = "DOGID_"
MQTT_VARIABLE = "DOGID_MQTT_URL"
"""Variable for the address of a broker: it makes an output named `mqtt`, or replaces the address of the file's."""
_MQTT_OUTPUT = "mqtt"
_OTHER_VARIABLES = frozenset({"DOGID_BACKEND", "DOGID_BASE", "DOGID_CONFIG", "DOGID_DEBUG", MQTT_VARIABLE})


LEARNING_OFF, LEARNING_PROPOSE, LEARNING_AUTO = "off", "propose", "auto"
MODEL_SETTINGS = ("model", "labels", "normalisation", "channels", "size", "state")
"""The settings by which a model is found and fed: the flags of all commands that run one."""
DECODING_SETTINGS = ("max_bytes", "max_pixels", "memory", "decode_timeout")
"""The limits of reading and decoding photos: the flags of all commands that do both."""
LEARNING_SETTINGS = (*(name for name in MODEL_SETTINGS if name != "state"), *DECODING_SETTINGS)
"""What a learning run needs besides the folders, and the daemon that starts it may have by flag."""


def _setting(default: Any, parse: Callable[[str], Any], metavar: str, text: str) -> Any:
    return field(default=default, metadata={"parse": parse, "metavar": metavar, "help": text})


def _flag(text: str) -> Any:
    return _setting(default=False, parse=parse_switch, metavar="", text=text)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, checked and complete."""

    inbox: Path = _setting(Path("inbox"), parse_path, "DIR", "the folder to watch, including subfolders")
    state: Path = _setting(Path("state"), parse_path, "DIR", "the folder for the ledger (the database of results)")
    model: Path | None = _setting(
        None, parse_path, "FILE", "the .tflite model (default: the activated one, else the one shipped with dogid)"
    )
    labels: Path | None = _setting(
        None, parse_path, "FILE", "the model's labels, one per line (default: those inside the model)"
    )
    normalisation: Normalisation | None = _setting(
        None,
        parse_normalisation,
        "RANGE",
        f"what the model takes for pixels: {', '.join(USUAL)} or MEAN/STD (default: as the model's file defines)",
    )
    channels: str | None = _setting(
        None,
        parse_channels,
        "ORDER",
        "the model's order of colours: rgb or bgr (default: rgb, unless its file defines it)",
    )
    size: int | None = _setting(
        None, whole_number(8, 4096), "N", "side of the model's input in pixels, for models that take any size"
    )
    host: str = _setting("127.0.0.1", str, "HOST", "the address that the HTTP server listens on")
    port: int = _setting(8000, whole_number(0, 65535), "PORT", "the port of the HTTP server; 0 picks a free one")
    token_file: Path | None = _setting(
        None,
        parse_path,
        "FILE",
        "a file whose first line is the token that requests must carry; required to serve other machines",
    )
    insecure_no_auth: bool = _flag("serve other machines without a token")
    allowed_hosts: tuple[str, ...] = _setting(
        (), parse_host_names, "NAMES", "additional allowed Host names, comma-separated"
    )
    max_upload: int = _setting(
        20_000_000, whole_number(1000, 1_000_000_000), "N", "maximum size of an upload, in bytes"
    )
    allow_upload: bool = _flag("let the page and POST /upload put photos into the inbox; other machines need a token")
    workers: int = _setting(0, whole_number(0, 64), "N", "number of photos processed in parallel; 0: one per core")
    settle: float = _setting(5.0, seconds(0, 3600), "SECONDS", "seconds a file must stay unchanged before it fails")
    max_bytes: int = _setting(
        100_000_000, whole_number(1000, 2_000_000_000), "N", "maximum size of a file, in bytes; larger ones fail"
    )
    max_pixels: int = _setting(
        89_478_485, whole_number(1000, 2_000_000_000), "N", "maximum size of a photo, in pixels; larger ones fail"
    )
    memory: int = _setting(
        0,
        parse_megabytes,
        "MB",
        "maximum memory for decoding photos, in MB, 16 or more; 0: as the machine has; larger fail",
    )
    decode_timeout: float = _setting(
        30.0, seconds(1, 3600), "SECONDS", "maximum time to decode a photo, in seconds; slower ones fail"
    )
    retain_days: int = _setting(
        0, whole_number(0, 36500), "N", "delete results of photos that left the inbox after so many days; 0: never"
    )
    retain_rows: int = _setting(
        0, whole_number(0, 1_000_000_000), "N", "maximum number of results of photos that left the inbox; 0: unlimited"
    )
    keep_versions: int = _setting(
        100,
        whole_number(0, 1_000_000_000),
        "N",
        "maximum number of former results of a photo that is overwritten; 0: unlimited",
    )
    learning: str = _setting(
        LEARNING_PROPOSE,
        one_of(LEARNING_OFF, LEARNING_PROPOSE, LEARNING_AUTO),
        "HOW",
        "off; propose: learn a model of 10 new corrections; auto: activate it, too, if it passes, and go back if worse",
    )

    name: str | None = _setting(None, parse_name, "NAME", "the daemon's name among others (default: the host's name)")

    thresholds: Mapping[str, float] = field(default_factory=dict)
    """By label, the score (0..1) below which an answer is unsure; a table of the file, [thresholds]."""
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name, the table of each output, [outputs.NAME]; `outputs/configuration` checks them."""
    rule: tuple[Mapping[str, Any], ...] = ()
    """The tables [[rule]], in their order; `outputs/configuration` checks them."""
    config_file: Path | None = None
    """The absolute path of the file that they come from, too; no setting itself."""

    @property
    def daemon_name(self) -> str:
        """The daemon's name among others."""
        return self.name or os.uname().nodename

    @property
    def learns(self) -> bool:
        """Whether what learning needs is kept."""
        return self.learning != LEARNING_OFF


SINGLE_VALUES = tuple(item for item in fields(Settings) if "parse" in item.metadata)
"""The settings that have a flag and a variable; the others are tables of the file."""


def flag(name: str) -> str:
    """Given a setting's name, return its command-line flag."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """Given a setting's name, return its environment variable."""
    return _PREFIX + name.upper()


def add_flags(parser: argparse.ArgumentParser, names: tuple[str, ...] | None = None) -> None:
    """Add --config and the flags of the settings named (default: all) to parser."""
    parser.add_argument("--config", metavar="FILE", help="a TOML file with settings")
    for item in SINGLE_VALUES:
        if names is None or item.name in names:
            text = item.metadata["help"]
            if isinstance(item.default, bool):
                parser.add_argument(flag(item.name), action="store_const", const="yes", help=text)
                continue
            shown = "" if item.default in (None, ()) else f" (default: {item.default})"
            parser.add_argument(flag(item.name), metavar=item.metadata["metavar"], help=text + shown)


def load(args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Settings:
    """Given parsed flags and the environment, return the settings. Raise UsageError with the name and the problem."""
    config = getattr(args, "config", None) or environ.get("DOGID_CONFIG")
    from_file = _read_file(Path(config)) if config else {}
    values: dict[str, Any] = {"config_file": Path(config).absolute() if config else None}
    for item in SINGLE_VALUES:
        name = item.name
        given = getattr(args, name, None)
        if given is not None:
            values[name] = _parse(item.metadata["parse"], given, flag(name))
        elif variable(name) in environ:
            values[name] = _parse(item.metadata["parse"], environ[variable(name)], variable(name))
        elif name in from_file:
            values[name] = _parse(item.metadata["parse"], from_file[name], f"{config}: {name}")
    if config:
        from dogid.config_file import read_tables

        values |= read_tables(from_file, config, {item.name for item in SINGLE_VALUES})
    if environ.get(MQTT_VARIABLE, "").strip():
        values["outputs"] = _add_broker(values.get("outputs", {}), environ[MQTT_VARIABLE].strip())
    return Settings(**values)


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return a warning for each environment variable that begins with DOGID_ and is unknown."""
    known = {variable(item.name) for item in SINGLE_VALUES} | _OTHER_VARIABLES
    unknown = sorted(name for name in environ if name.startswith(_PREFIX) and name not in known)
    return [f"{name} is not a setting of dogid{_suggestion(name, known)}" for name in unknown]


def _suggestion(name: str, known: Set[str]) -> str:
    from dogid.config_file import find_closest

    own = {one.removeprefix(_PREFIX) for one in known}  # the common prefix would make all of them similar
    near = find_closest(name.removeprefix(_PREFIX), own)
    return f": did you mean {_PREFIX}{near}?" if near else ""


def _read_file(path: Path) -> Mapping[str, object]:
    from dogid.config_file import read_config  # a daemon without a file needs none of it

    switches = {item.name for item in SINGLE_VALUES if isinstance(item.default, bool)}
    return read_config(path, {item.name for item in SINGLE_VALUES}, switches)


def _parse(parse: Callable[[str], Any], value: object, where: str) -> Any:
    try:
        return parse(str(value))
    except ValueError as error:
        raise UsageError(f"{where}: {value!r} is not valid: {error}") from error


def _add_broker(outputs: Mapping[str, Mapping[str, Any]], url: str) -> dict[str, Mapping[str, Any]]:
    """Return the outputs with the one that MQTT_VARIABLE names. Raise UsageError where its name is taken."""
    table = outputs.get(_MQTT_OUTPUT, {})
    if table.get("type", "mqtt") != "mqtt":
        raise UsageError(
            f"{MQTT_VARIABLE}: makes the output {_MQTT_OUTPUT}, and outputs.{_MQTT_OUTPUT} of the configuration is of"
            f" the type {table['type']!r}; give that another name"
        )
    return {**outputs, _MQTT_OUTPUT: {**table, "type": "mqtt", "url": url}}
