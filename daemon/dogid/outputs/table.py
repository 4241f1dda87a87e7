"""The table of an output in the settings, checked against what its kind declares."""

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from dogid.outputs.accepted_values import describe_accepted
from dogid.outputs.output import OutputConfigError

OF_EVERY_OUTPUT = frozenset({"type", "enabled", "from_start"})
"""Keys of a table that are no business of its kind."""

_PATHS = frozenset({"path", "folder"})
_PLACE = re.compile(r" - at `\$(?:\.(?P<key>[\w-]+))?(?P<inner>[^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")


class OutputTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what a kind declares: a field for each key of its table, with type, limits and default."""


T = TypeVar("T", bound=OutputTable)


def read_table(table: Mapping[str, Any], kind: type[T]) -> T:
    """Return the values of an output's table, checked and complete.

    kind declares the keys. Raise OutputConfigError, which begins with the key, where a key is unknown or missing, or a
    value is wrong.
    """
    own = {key: value for key, value in table.items() if key not in OF_EVERY_OUTPUT}
    read = read_whole_table(own, kind)
    for key, value in own.items():
        path = value[0] if key == "command" else value if key in _PATHS or key.endswith("_file") else None
        if isinstance(path, str) and (path == "~" or path.startswith("~/")):
            raise OutputConfigError(f"{key}: ~ does not stand for a home folder here: write the whole path: {path!r}")
    return read


def read_whole_table(table: Mapping[str, Any], kind: type[T]) -> T:
    """Return the values of a table, as `read_table` does; it has no other keys than kind declares."""
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise OutputConfigError(_explain(str(error), table, kind)) from None


def _explain(message: str, table: Mapping[str, Any], kind: type[OutputTable]) -> str:
    """Return in plain words what msgspec's message says, with the key in front of it."""
    known = sorted(kind.__struct_fields__)
    unknown, missing = _UNKNOWN.match(message), _MISSING.match(message)
    if unknown:
        near = difflib.get_close_matches(unknown[1], known, 1)
        return f"{unknown[1]}: no such key" + (f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}")
    if missing:
        return f"{missing[1]}: is missing"
    place = _PLACE.search(message)
    if place is None or place["key"] is None:
        return message
    accepted = describe_accepted(kind, place["key"], table.get(place["key"]))
    if accepted is not None:
        return f"{place['key']}: {accepted}"
    reason = message[: place.start()].replace("`", "")
    return f"{place['key']}{place['inner']}: {reason[:1].lower()}{reason[1:]}"
