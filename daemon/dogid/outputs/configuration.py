"""What the settings say of outputs and rules, checked."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from dogid.errors import UsageError

if find_spec("msgspec") is None:  # 32-bit ARM; the modules below check tables by it
    raise UsageError(
        "outputs and rules need the package msgspec: where dogid is installed,"
        " pip install --extra-index-url https://www.piwheels.org/simple msgspec"
    )

from dogid.outputs.output import OutputConfigError
from dogid.outputs.rules import Rule, read_rule
from dogid.outputs.table import OF_EVERY_OUTPUT, OutputTable, read_whole_table
from dogid.settings import Settings

_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,62}")  # it becomes a part of paths, topics and metrics


@dataclass(frozen=True, slots=True)
class OutputEntry:
    """One output as the settings name it."""

    name: str
    type: str
    enabled: bool
    from_start: bool
    """Whether it begins with the first result of the ledger where it is new; else with those that come."""
    values: Mapping[str, Any]
    """The keys of its kind."""


class _CommonKeys(OutputTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: str
    enabled: bool = True
    from_start: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """All outputs and rules."""

    outputs: tuple[OutputEntry, ...]
    rules: tuple[Rule, ...]


def read_configuration(settings: Settings) -> Configuration:
    """Check the tables of outputs and rules, but for what a kind of output alone knows. Raise UsageError."""
    outputs = tuple(_read_output(name, table) for name, table in settings.outputs.items())
    rules = tuple(_read_rules(settings, {output.name for output in outputs}))
    return Configuration(outputs, rules)


def _read_output(name: str, table: Mapping[str, Any]) -> OutputEntry:
    if not _NAME.fullmatch(name):
        raise UsageError(f"outputs.{name}: must be a name of letters, digits, - and _, 63 at most")
    common = {key: value for key, value in table.items() if key in OF_EVERY_OUTPUT}
    try:
        read = read_whole_table(common, _CommonKeys)
    except OutputConfigError as error:
        raise UsageError(f"outputs.{name}.{error}") from error
    values = {key: value for key, value in table.items() if key not in OF_EVERY_OUTPUT}
    return OutputEntry(name, read.type, read.enabled, read.from_start, values)


def _read_rules(settings: Settings, outputs: set[str]) -> Iterator[Rule]:
    names = set[str]()
    for number, table in enumerate(settings.rule, 1):
        try:
            rule = read_rule(table, f"rule-{number}")
            if rule.name in names:
                raise OutputConfigError(f"name: there are two rules named {rule.name}")
            unknown = next((name for name in rule.to if name not in outputs), None)
            if unknown is not None:
                known = ", ".join(sorted(outputs)) or "there is none: add a table [outputs.NAME]"
                raise OutputConfigError(f"to: there is no output named {unknown!r}; outputs are: {known}")
        except OutputConfigError as error:
            raise UsageError(f"rule.{number}.{error}") from error
        names.add(rule.name)
        yield rule
