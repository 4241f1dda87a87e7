"""All settings of dogid, defined once: flags, environment variables, TOML file and README follow this list.

Order of precedence: flag, environment variable `DOGID_NAME`, file named by --config, default.
"""

import argparse
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dogid.errors import UsageError
from dogid.preprocessing import USUAL, Normalisation, parse_channels, parse_normalisation
from dogid.toml_hints import find_hint

_PREFIX = "DOGID_"
_SIMILARITY = 0.72  # cutoff of difflib, 0 to 1; lowering it suggests unrelated names, raising it misses a wrong letter
_LEAST_MEMORY = 16  # MB: a JPEG of 12 megapixels takes 5, a PNG of 2 megapixels 12
_MOST_NAME = 63  # characters, as of a host
MQTT_VARIABLE = "DOGID_MQTT_URL"
"""Variable for the address of a broker: it makes an output named `mqtt`, or replaces the address of the file's."""
_MQTT_OUTPUT = "mqtt"
_OTHER_VARIABLES = frozenset({"DOGID_BACKEND", "DOGID_BASE", "DOGID_CONFIG", "DOGID_DEBUG", MQTT_VARIABLE})


LEARNING_OFF, LEARNING_PROPOSE, LEARNING_AUTO = "off", "propose", "auto"
_EXAMPLE_OF_TABLES = (
    "# Answers with a lower score than their label's are marked as unsure; dogid learn proposes some",
    "#[thresholds]",
    '#"german shepherd" = 0.8',
    "",
)

MODEL_SETTINGS = ("model", "labels", "normalisation", "channels", "size", "state")
"""The settings by which a model is found and fed: the flags of all commands that run one."""
DECODING_SETTINGS = ("max_bytes", "max_pixels", "memory", "decode_timeout")
"""The limits of reading and decoding photos: the flags of all commands that do both."""
LEARNING_SETTINGS = (*(name for name in MODEL_SETTINGS if name != "state"), *DECODING_SETTINGS)
"""What a learning run needs besides the folders, and the daemon that starts it may have by flag."""


def _path(text: str) -> Path:
    if not text:
        raise ValueError("must not be empty")
    if text == "~" or text.startswith("~/"):
        raise ValueError("~ does not stand for a home folder here: write the whole path")
    return Path(text)


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.lstrip("-").isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _megabytes(text: str) -> int:
    """Read a limit of memory. What is below the least would refuse nearly all photos, which nobody can mean."""
    number = _integer(0, 1_000_000)(text)
    if 0 < number < _LEAST_MEMORY:
        raise ValueError(f"must be {_LEAST_MEMORY} or more, which is what an ordinary photo needs, or 0")
    return number


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > _MOST_NAME:
        raise ValueError(f"must be a name of 1 to {_MOST_NAME} printable characters")
    return text.strip()


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return value

    return parse


def _choice(*known: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in known:
            raise ValueError(f"must be {', '.join(known[:-1])} or {known[-1]}")
        return text.lower()

    return parse


def _boolean(text: str) -> bool:
    try:
        return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}[text.lower()]
    except KeyError:
        raise ValueError("must be yes or no") from None


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1")
    return float(value)


def _host_names(text: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _setting(default: Any, parse: Callable[[str], Any], metavar: str, text: str) -> Any:
    return field(default=default, metadata={"parse": parse, "metavar": metavar, "help": text})


def _flag(text: str) -> Any:
    return _setting(default=False, parse=_boolean, metavar="", text=text)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, checked and complete."""

    inbox: Path = _setting(Path("inbox"), _path, "DIR", "the folder to watch, including subfolders")
    state: Path = _setting(Path("state"), _path, "DIR", "the folder for the ledger (the database of results)")
    model: Path | None = _setting(
        None, _path, "FILE", "the .tflite model (default: the activated one, else the one shipped with dogid)"
    )
    labels: Path | None = _setting(
        None, _path, "FILE", "the model's labels, one per line (default: those inside the model)"
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
        None, _integer(8, 4096), "N", "side of the model's input in pixels, for models that take any size"
    )
    host: str = _setting("127.0.0.1", str, "HOST", "the address that the HTTP server listens on")
    port: int = _setting(8000, _integer(0, 65535), "PORT", "the port of the HTTP server; 0 picks a free one")
    token_file: Path | None = _setting(
        None,
        _path,
        "FILE",
        "a file whose first line is the token that requests must carry; required to serve other machines",
    )
    insecure_no_auth: bool = _flag("serve other machines without a token")
    allowed_hosts: tuple[str, ...] = _setting(
        (), _host_names, "NAMES", "additional allowed Host names, comma-separated"
    )
    max_upload: int = _setting(20_000_000, _integer(1000, 1_000_000_000), "N", "maximum size of an upload, in bytes")
    workers: int = _setting(0, _integer(0, 64), "N", "number of photos processed in parallel; 0: one per core")
    settle: float = _setting(5.0, _seconds(0, 3600), "SECONDS", "seconds a file must stay unchanged before it fails")
    max_bytes: int = _setting(
        100_000_000, _integer(1000, 2_000_000_000), "N", "maximum size of a file, in bytes; larger ones fail"
    )
    max_pixels: int = _setting(
        89_478_485, _integer(1000, 2_000_000_000), "N", "maximum size of a photo, in pixels; larger ones fail"
    )
    memory: int = _setting(
        0, _megabytes, "MB", "maximum memory for decoding photos, in MB, 16 or more; 0: as the machine has; larger fail"
    )
    decode_timeout: float = _setting(
        30.0, _seconds(1, 3600), "SECONDS", "maximum time to decode a photo, in seconds; slower ones fail"
    )
    retain_days: int = _setting(
        0, _integer(0, 36500), "N", "delete results of photos that left the inbox after so many days; 0: never"
    )
    retain_rows: int = _setting(
        0, _integer(0, 1_000_000_000), "N", "maximum number of results of photos that left the inbox; 0: unlimited"
    )
    keep_versions: int = _setting(
        100,
        _integer(0, 1_000_000_000),
        "N",
        "maximum number of former results of a photo that is overwritten; 0: unlimited",
    )
    learning: str = _setting(
        LEARNING_PROPOSE,
        _choice(LEARNING_OFF, LEARNING_PROPOSE, LEARNING_AUTO),
        "HOW",
        "off; propose: learn a model of 10 new corrections; auto: activate it, too, if it passes, and go back if worse",
    )

    name: str | None = _setting(None, _name, "NAME", "the daemon's name among others (default: the host's name)")

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
_TABLES: dict[str, Callable[[object], float]] = {"thresholds": _share}
"""How the values of each table are read. Their keys are free."""
_CHECKED_WHERE_USED = ("outputs", "rule")
"""Tables whose entries other parts check, by their kinds; most commands read none of them."""


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
    from_file = _read_config(Path(config)) if config else {}
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
    for name, parse in _TABLES.items():
        if name in from_file:
            values[name] = _read_table(parse, from_file[name], f"{config}: {name}")
    if "outputs" in from_file:
        values["outputs"] = _read_outputs(from_file["outputs"], f"{config}: outputs")
    if environ.get(MQTT_VARIABLE, "").strip():
        values["outputs"] = _add_broker(values.get("outputs", {}), environ[MQTT_VARIABLE].strip())
    if "rule" in from_file:
        values["rule"] = _read_rules(from_file["rule"], f"{config}: rule")
    return Settings(**values)


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return a warning for each environment variable that begins with DOGID_ and is unknown."""
    known = {variable(item.name) for item in SINGLE_VALUES} | _OTHER_VARIABLES
    unknown = sorted(name for name in environ if name.startswith(_PREFIX) and name not in known)
    return [f"{name} is not a setting of dogid{_suggestion(name, known)}" for name in unknown]


def _suggestion(name: str, known: Set[str]) -> str:
    import difflib  # most starts do not need it

    own = {one.removeprefix(_PREFIX) for one in known}  # the common prefix would make all of them similar
    near = difflib.get_close_matches(name.removeprefix(_PREFIX), sorted(own), 1, _SIMILARITY)
    return f": did you mean {_PREFIX}{near[0]}?" if near else ""


def _suggest_key(name: str, value: object, known: Set[str]) -> str:
    """Return which key of the file may be meant by one that is unknown."""
    import difflib

    if isinstance(value, dict) and "type" in value:
        return f"did you mean [outputs.{_toml_key(name)}]?"
    near = difflib.get_close_matches(name, sorted(known), 1, _SIMILARITY)
    if not near:
        return f"known are {', '.join(sorted(known))}"
    shown = {"rule": "[[rule]]", "outputs": "[outputs.NAME]", "thresholds": "[thresholds]"}
    return f"did you mean {shown.get(near[0], near[0])}?"


def example(chosen: Mapping[str, object]) -> str:
    """Return the text of a configuration file: the settings chosen, and all others as comments with their defaults."""
    lines = ["# Settings of dogid. After a change: sudo systemctl reload dogid", ""]
    for item in SINGLE_VALUES:
        lines.append(f"# {item.metadata['help']}")
        if item.name in chosen:
            lines.append(f"{item.name} = {_toml(chosen[item.name])}")
        else:
            lines.append(f"#{item.name} = {_toml(item.metadata['metavar'] if item.default is None else item.default)}")
        lines.append("")
    return "\n".join([*lines, *_EXAMPLE_OF_TABLES])


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        value = ",".join(value)
    return repr(value) if isinstance(value, int | float) else json.dumps(str(value))


def _parse(parse: Callable[[str], Any], value: object, where: str) -> Any:
    try:
        return parse(str(value))
    except ValueError as error:
        raise UsageError(f"{where}: {value!r} is not valid: {error}") from error


def _read_table(parse: Callable[[object], float], table: object, where: str) -> dict[str, float]:
    """Return the values of a table of the file by their keys. Raise UsageError with the dotted key."""
    if not isinstance(table, dict):
        raise UsageError(f"{where}: must be a table: a line [{where.rpartition(' ')[2]}], and below it its values")
    values = {}
    for key, value in table.items():
        try:
            values[str(key)] = parse(value)
        except ValueError as error:
            raise UsageError(f"{where}.{_toml_key(key)}: {value!r} is not valid: {error}") from error
    return values


def _read_outputs(table: object, where: str) -> dict[str, Mapping[str, Any]]:
    if not isinstance(table, dict):
        raise UsageError(f"{where}: must be tables: a line [outputs.NAME] for each, and below it type and its values")
    for name, values in table.items():
        if not isinstance(values, dict):
            raise UsageError(f"{where}.{_toml_key(name)}: must be a table: a line [outputs.{_toml_key(name)}]")
    return table


def _add_broker(outputs: Mapping[str, Mapping[str, Any]], url: str) -> dict[str, Mapping[str, Any]]:
    """Return the outputs with the one that MQTT_VARIABLE names. Raise UsageError where its name is taken."""
    table = outputs.get(_MQTT_OUTPUT, {})
    if table.get("type", "mqtt") != "mqtt":
        raise UsageError(
            f"{MQTT_VARIABLE}: makes the output {_MQTT_OUTPUT}, and outputs.{_MQTT_OUTPUT} of the configuration is of"
            f" the type {table['type']!r}; give that another name"
        )
    return {**outputs, _MQTT_OUTPUT: {**table, "type": "mqtt", "url": url}}


def _read_rules(tables: object, where: str) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{where}: must be tables: a line [[rule]] for each, and below it its values")
    return tuple(tables)


def _toml_key(key: str) -> str:
    """Return a key as it stands in a TOML file: most labels need quotes."""
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def format_thresholds(thresholds: Mapping[str, float]) -> list[str]:
    """Return the lines of a configuration file that set thresholds."""
    return ["[thresholds]", *(f"{_toml_key(label)} = {score:g}" for label, score in sorted(thresholds.items()))]


def _read_config(path: Path) -> dict[str, object]:
    import tomllib  # most commands, and a daemon without a file, need no parser

    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot read the configuration: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}{find_hint(text, str(error))}") from error
    known = {item.name for item in fields(Settings)} - {"config_file"}
    unknown = sorted(set(table) - known)
    if unknown:
        raise UsageError(f"{path}: {unknown[0]}: no such setting; {_suggest_key(unknown[0], table[unknown[0]], known)}")
    switches = {item.name for item in SINGLE_VALUES if isinstance(item.default, bool)}
    for name, value in table.items():
        if name in _TABLES or name in _CHECKED_WHERE_USED:
            continue
        if isinstance(value, dict | list) or (isinstance(value, bool) and name not in switches):
            raise UsageError(f"{path}: {name}: must be a text or a number")
    return table
