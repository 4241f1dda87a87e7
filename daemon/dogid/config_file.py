"""The configuration file: its TOML, which settings and tables it may have, and what is wrong with others."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

from dogid.errors import UsageError
from dogid.setting_values import parse_share
from dogid.toml_hints import find_hint

_SIMILARITY = 0.72  # cutoff of difflib, 0 to 1; lowering it suggests unrelated names, raising it misses a wrong letter
_TABLES: dict[str, Callable[[object], float]] = {"thresholds": parse_share}
"""How the values of each table are read. Their keys are free."""
_CHECKED_WHERE_USED = ("outputs", "rule")
"""Tables whose entries other parts check, by their kinds; most commands read none of them."""


def read_config(path: Path, single: Set[str], switches: Set[str]) -> dict[str, object]:
    """Return what a configuration file has, by the names of its settings; the values themselves are not checked yet.

    single: the settings that have one value, switches those of them that are on or off. Raise UsageError.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows put a byte order mark before it
        table = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot read the configuration: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}{find_hint(text, str(error))}") from error
    known = {*single, *_TABLES, *_CHECKED_WHERE_USED}
    unknown = sorted(set(table) - known)
    if unknown:
        raise UsageError(f"{path}: {unknown[0]}: no such setting; {_suggest_key(unknown[0], table[unknown[0]], known)}")
    for name, value in table.items():
        if name in _TABLES or name in _CHECKED_WHERE_USED:
            continue
        if isinstance(value, dict | list) or (isinstance(value, bool) and name not in switches):
            raise UsageError(f"{path}: {name}: must be a text or a number")
    return table


def read_tables(from_file: Mapping[str, object], where: str, single: Set[str]) -> dict[str, Any]:
    """Return the values of the tables that a file has, by their names. Raise UsageError.

    where: the file, as messages name it; single: see `read_config`.
    """
    values: dict[str, Any] = {}
    for name, parse in _TABLES.items():
        if name in from_file:
            values[name] = _read_table(parse, from_file[name], f"{where}: {name}", single)
    if "outputs" in from_file:
        values["outputs"] = _read_outputs(from_file["outputs"], f"{where}: outputs")
    if "rule" in from_file:
        values["rule"] = _read_rules(from_file["rule"], f"{where}: rule")
    return values


def find_closest(name: str, known: Set[str]) -> str | None:
    """Return which of the known names one may be a misspelling of; None where none is similar."""
    import difflib  # most starts do not need it

    return next(iter(difflib.get_close_matches(name, sorted(known), 1, _SIMILARITY)), None)


def format_thresholds(thresholds: Mapping[str, float]) -> list[str]:
    """Return the lines of a configuration file that set thresholds."""
    return ["[thresholds]", *(f"{_toml_key(label)} = {score:g}" for label, score in sorted(thresholds.items()))]


def _suggest_key(name: str, value: object, known: Set[str]) -> str:
    """Return which key of the file may be meant by one that is unknown."""
    if isinstance(value, dict) and "type" in value:
        return f"did you mean [outputs.{_toml_key(name)}]?"
    near = find_closest(name, known)
    if near is None:
        return f"known are {', '.join(sorted(known))}"
    shown = {"rule": "[[rule]]", "outputs": "[outputs.NAME]", "thresholds": "[thresholds]"}
    return f"did you mean {shown.get(near, near)}?"


def _read_table(parse: Callable[[object], float], table: object, where: str, single: Set[str]) -> dict[str, float]:
    """Return the values of a table of the file by their keys. Raise UsageError with the dotted key."""
    if not isinstance(table, dict):
        raise UsageError(f"{where}: must be a table: a line [{where.rpartition(' ')[2]}], and below it its values")
    values = {}
    for key, value in table.items():
        try:
            values[str(key)] = parse(value)
        except ValueError as error:
            name = where.rpartition(" ")[2]
            hint = f"; the setting {key} belongs above the line [{name}], and above all tables" if key in single else ""
            raise UsageError(f"{where}.{_toml_key(key)}: {value!r} is not valid: {error}{hint}") from error
    return values


def _read_outputs(table: object, where: str) -> dict[str, Mapping[str, Any]]:
    if not isinstance(table, dict):
        raise UsageError(f"{where}: must be tables: a line [outputs.NAME] for each, and below it type and its values")
    for name, values in table.items():
        if not isinstance(values, dict):
            raise UsageError(f"{where}.{_toml_key(name)}: must be a table: a line [outputs.{_toml_key(name)}]")
    return table


def _read_rules(tables: object, where: str) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{where}: must be tables: a line [[rule]] for each, and below it its values")
    return tuple(tables)


def _toml_key(key: str) -> str:
    """Return a key as it stands in a TOML file: most labels need quotes."""
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
