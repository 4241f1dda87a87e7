"""Label files: one line per class in the order of the model's outputs, or a JSON table as training scripts write it."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from dogid.quantities import count_of

_LONGEST = 300  # characters; ImageNet's longest has 121. Longer ones fill every result, page and log line
_NUMBERED = re.compile(r"\s*(\d+)\s*(?:[:.),;\t]\s*|\s-\s|\s)\s*(.*\S)\s*")
_ITEM = re.compile(r"\bitem\s*\{(.*?)\}", re.DOTALL)
_ITEM_NUMBER = re.compile(r"\bid\s*:\s*(\d+)")
_ITEM_NAME = re.compile(r"\b(?:display_name|name)\s*:\s*[\"'](.*?)[\"']")


def read_label_text(content: bytes, name: str, *, ours: bool = False) -> tuple[str, ...]:
    """Given a label file's bytes and name, return its labels; the name's ending is that of JSON or of lines of text.

    ours: whether dogid wrote the file, one label a line: then no number is taken off. Raise ValueError with the reason.
    """
    text = _decode(content)
    ending = PurePosixPath(name).suffix.lower()
    if ours:
        return _lines(text)
    if ending == ".json":
        return parse_json_labels(text)
    if ending == ".pbtxt":
        return _parse_items(text)
    return parse_labels(text)


def parse_labels(text: str) -> tuple[str, ...]:
    """Given a label file's text, return its labels.

    Lines may be numbered ("0 cat", "0:cat", "0. cat", "0,cat"); the numbers are taken off only where they are those of
    the outputs, from 0 or 1 without a gap, and where no two labels become equal: "1 euro" and "2 euro" stay whole, and
    so do "61326 0k back" and its like. Labels come in the order of their numbers.
    """
    lines = _lines(text)
    return _take_numbers_off(lines) or (_without_head(lines) or lines)


def parse_json_labels(text: str) -> tuple[str, ...]:
    """Given {label: number}, {number: label}, {number: [id, label]} or [label...], return the labels in order.

    Raise ValueError where it is none of them.
    """
    table = json.loads(text)
    if isinstance(table, list) and table and all(isinstance(name, str) for name in table):
        return tuple(name.strip() for name in table)
    names = by_number(table) if isinstance(table, dict) else None
    if names is None:
        raise ValueError('it is JSON, and neither ["label", ...] nor {"label": number, ...} with numbers from 0')
    return names


def by_number(table: dict[object, object]) -> tuple[str, ...] | None:
    """Return the labels of a table of labels and their numbers in order; None where numbers are missing."""
    pairs: list[tuple[object, object]] = []
    for key, value in table.items():
        number, name = (value, key) if isinstance(value, int) else (key, value)
        pairs.append((number, name[-1] if isinstance(name, list | tuple) and name else name))
    try:
        names = {int(str(number)): str(name).strip() for number, name in pairs if isinstance(name, str)}
    except ValueError:
        return None
    start = min(names, default=0)
    if not pairs or start not in (0, 1) or sorted(names) != list(range(start, start + len(pairs))):
        return None
    return tuple(names[number] for number in sorted(names))


def find_repeated(labels: Sequence[str]) -> list[str]:
    """Return the labels that stand for several outputs."""
    return [label for label, count in Counter(labels).items() if count > 1]


def check_count(labels: Sequence[str], outputs: int, where: str) -> None:
    """Raise ValueError, showing both sides, where labels do not fit a model with so many outputs."""
    if len(labels) != outputs:
        first = ", ".join(labels[:3]) + (", ..." if len(labels) > 3 else "")
        raise ValueError(
            f"{where} has {count_of(len(labels), 'label')} ({first}), but the model has {count_of(outputs, 'output')}"
        )


def check_lengths(labels: Sequence[str], where: str) -> None:
    """Raise ValueError, naming the label, where one is longer than a label is."""
    for number, label in enumerate(labels, start=1):
        if len(label) > _LONGEST:
            start = f"label {number} of {where} has {len(label)} characters ({label[:20]}...)"
            raise ValueError(f"{start}; at most {_LONGEST} are allowed")


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            "the labels are not UTF-8 text; convert them: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW"
        ) from error


def _lines(text: str) -> tuple[str, ...]:
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def _take_numbers_off(lines: Sequence[str]) -> tuple[str, ...] | None:
    """Return the labels in the order of their numbers; None where the lines are not numbered, or must stay whole."""
    numbered = [match for line in lines if (match := _NUMBERED.fullmatch(line))]
    if len(numbered) != len(lines) or len({match[2] for match in numbered}) != len(numbered):
        return None
    return by_number({match[1]: match[2] for match in numbered})


def _without_head(lines: Sequence[str]) -> tuple[str, ...] | None:
    """The labels of a table with a line of headings, as in "id,label"."""
    has_head = len(lines) > 2 and "," in lines[0] and all("," in line for line in lines)
    return _take_numbers_off(lines[1:]) if has_head else None


def _parse_items(text: str) -> tuple[str, ...]:
    """The labels of a label map as TensorFlow's models have it: item { id: 1 name: 'cat' }."""
    found: dict[object, object] = {}
    for item in _ITEM.findall(text):
        number, name = _ITEM_NUMBER.search(item), _ITEM_NAME.search(item)
        if number and name:
            found[number[1]] = name[1]
    names = by_number(found)
    if names is None:
        raise ValueError("its items have no names, or no numbers from 0 or 1 without a gap")
    return names
