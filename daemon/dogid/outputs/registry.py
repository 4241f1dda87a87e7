"""The kinds of outputs: the built-in ones, and those of other packages by entry points."""

import importlib
from importlib import metadata
from typing import cast

from dogid.outputs.output import ENTRY_POINTS, MakeOutput, OutputConfigError

BUILT_IN: dict[str, str] = {
    "csv": "dogid.outputs.files.record_output:make_csv",
    "jsonl": "dogid.outputs.files.record_output:make_jsonl",
    "sidecar": "dogid.outputs.files.sidecar:make_output",
    "sort": "dogid.outputs.files.sort:make_output",
    "command": "dogid.outputs.command:make_output",
    "mqtt": "dogid.outputs.mqtt.output:make_output",
    "notify": "dogid.outputs.notify:make_output",
    "webhook": "dogid.outputs.webhook:make_output",
}
"""By the `type` in the settings, `module:function` of a MakeOutput; imported where the settings have such an output."""


def find_kind(name: str) -> MakeOutput:
    """Return what makes the outputs of a type. Raise OutputConfigError where there is none, or it cannot be loaded."""
    if name in BUILT_IN:
        module, _, function = BUILT_IN[name].partition(":")
        return cast(MakeOutput, getattr(importlib.import_module(module), function))
    others = {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}
    if name not in others:
        known = ", ".join(sorted({*BUILT_IN, *others})) or "none here"
        raise OutputConfigError(f"type: there is no output of the type {name!r}; known are {known}")
    try:
        return cast(MakeOutput, others[name].load())
    except Exception as error:  # another package's code
        raise OutputConfigError(f"type: {name!r} of {others[name].value} cannot be loaded: {error}") from error
