"""Texts with placeholders for what a delivery is about: titles and bodies of messages for people."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from dogid.file_names import one_line
from dogid.outputs.output import Delivery, OutputConfigError, OutputContext

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_LONGEST_VALUE = 200  # characters; file names can have thousands, which services refuse
_Value = Callable[[Delivery, OutputContext], str]


def check_template(key: str, text: str) -> None:
    """Raise OutputConfigError, beginning with the key, where a text has a placeholder that is none."""
    for found in _PLACEHOLDER.finditer(text):
        if found[1] is not None and found[1] not in PLACEHOLDERS:
            known = ", ".join(PLACEHOLDERS)
            raise OutputConfigError(f"{key}: {{{found[1]}}} is no placeholder; known: {known}; {{{{ stands for a brace")


def fill_template(text: str, delivery: Delivery, context: OutputContext) -> str:
    """Return a text with the values of a delivery in place of its placeholders, each in one line and not too long."""

    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]
        return one_line(PLACEHOLDERS[found[1]](delivery, context))[:_LONGEST_VALUE]

    return _PLACEHOLDER.sub(value, text)


def _label(delivery: Delivery, _: OutputContext) -> str:
    """Return the label that a person gave where one did, else the model's, else why there is none."""
    reviewed = delivery.result["reviewed"]
    return str((reviewed and reviewed["label"]) or delivery.result["label"] or delivery.result["status"])


def _score(delivery: Delivery, _: OutputContext) -> str:
    score = delivery.result["score"]
    return "" if score is None else f"{100 * score:.0f} %"


def _time(delivery: Delivery, _: OutputContext) -> str:
    return datetime.fromtimestamp(delivery.at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


PLACEHOLDERS: Mapping[str, _Value] = {
    "label": _label,
    "score": _score,
    "file": lambda delivery, _: Path(delivery.result["file"] or "").name,
    "folder": lambda delivery, _: delivery.result["folder"] or "",
    "time": _time,
    "rule": lambda delivery, _: delivery.rule or "",
    "count": lambda delivery, _: str(delivery.count),
    "name": lambda _, context: context.daemon_name,
    "link": lambda delivery, context: context.link_to(delivery.result),
    "id": lambda delivery, _: delivery.id,
}
"""What can stand in braces, and the text that takes its place."""
