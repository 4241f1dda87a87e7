"""The configuration file that an installation begins with: all settings, most of them as comments."""

import json
from collections.abc import Mapping

from dogid.settings import SINGLE_VALUES

_EXAMPLE_OF_TABLES = (
    "# Answers with a lower score than their label's are marked as unsure; dogid learn proposes some",
    "#[thresholds]",
    '#"german shepherd" = 0.8',
    "",
)


def make_example(chosen: Mapping[str, object]) -> str:
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
