"""Which values a key of a table takes, in words, with an example as it is written in the settings' file."""

import datetime as dt
import json
import re
from typing import Any

import msgspec

_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?([smhd])[a-z]*")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST_SHOWN = 60  # characters of a wrong value


def describe_accepted(kind: type[msgspec.Struct], key: str, value: Any) -> str | None:
    """Return why a value of a key is not valid, and an example of one that is; None where that is not known.

    kind declares the keys, of which key is one.
    """
    import msgspec.inspect  # only a mistake needs it

    info = msgspec.inspect.type_info(kind)
    fields = info.fields if isinstance(info, msgspec.inspect.StructType) else ()
    accepted = next((field.type for field in fields if field.name == key), None)
    described = None if accepted is None else _describe(accepted, key, value)
    if described is None:
        return None
    # variables of a program may be secret, and this is logged
    is_shown = not isinstance(value, dict) and not isinstance(accepted, msgspec.inspect.DictType)
    return f"{_cut(to_toml(value))} is not valid: must be {described}" if is_shown else f"must be {described}"


def _describe(accepted: Any, key: str, value: Any) -> str | None:
    """Return the values of a type of msgspec in words; an example takes up the value that was given."""
    from msgspec import inspect

    if isinstance(accepted, inspect.UnionType):
        accepted = next(one for one in accepted.types if not isinstance(one, inspect.NoneType))
    if isinstance(accepted, inspect.BoolType):
        return f"true or false, without quotes, as in {key} = true"
    if isinstance(accepted, inspect.IntType | inspect.FloatType):
        return _describe_number(accepted, key, value)
    if isinstance(accepted, inspect.LiteralType):
        return " or ".join(json.dumps(one) for one in accepted.values)
    if isinstance(accepted, inspect.ListType | inspect.VarTupleType):
        items = to_toml(_split(key, value) if isinstance(value, str) and value else ["one", "another"])
        return f"a list of texts{', with one at least' if accepted.min_length else ''}, as in {key} = {_cut(items)}"
    if isinstance(accepted, inspect.DictType):
        return f'a table of texts, as in {key} = {{ NAME = "text" }}'
    if isinstance(accepted, inspect.StrType):
        if isinstance(value, str):
            return f"a text of {accepted.min_length or 0} to {accepted.max_length} characters"
        example = to_toml("text" if isinstance(value, list | dict) else str(value))
        return f"a text, in quotes, as in {key} = {_cut(example)}"
    return None


def _split(key: str, value: str) -> list[str]:
    """Return the list that is meant by a text: of a command its words, as in a shell."""
    import shlex

    try:
        return shlex.split(value) if key == "command" else [value]
    except ValueError:
        return ["one", "another"]


def _describe_number(accepted: Any, key: str, value: Any) -> str:
    from msgspec import inspect

    what = "a whole number" if isinstance(accepted, inspect.IntType) else "a number"
    if accepted.ge is not None and accepted.le is not None:
        what += f" from {accepted.ge:g} to {accepted.le:.10g}"
    elif accepted.ge is not None:
        what += f" of {accepted.ge:g} or more"
    if not isinstance(value, str):
        return what
    duration = _DURATION.fullmatch(value.strip().lower())
    if duration is not None:
        return f"{what}, in seconds, as in {key} = {float(duration[1]) * _SECONDS[duration[2]]:g}"
    example = value.strip() if re.fullmatch(r"\d+(\.\d+)?", value.strip()) else f"{accepted.le or 10:g}"
    return f"{what}, without quotes, as in {key} = {example}"


def to_toml(value: Any) -> str:
    """Return a value as it is written in a TOML file."""
    if isinstance(value, dt.date | dt.time):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
