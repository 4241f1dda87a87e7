"""What is probably wrong in a line of a TOML file, and how it is written rightly."""

import json
import re

_KEY_VALUE = re.compile(r"\s*(?P<key>[\w.\"'-]+)\s*=\s*(?P<value>.*?)\s*(?:#.*)?")
_HEADER = re.compile(r"\s*\[{1,2}\s*(?P<name>[^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?")
_NUMBER_WITH_UNIT = re.compile(r"[0-9.]+\s*[A-Za-z%]+")
_OTHER_QUOTES = "\u201c\u201d\u201e\u2018\u2019"  # as word processors write them
_WORDS_FOR_SWITCHES = frozenset({"true", "false", "yes", "no", "on", "off"})


def find_hint(text: str, message: str) -> str:
    """Return what follows a parser's message: the line that it names, with the way out where that is known.

    text is the file's. "" where message names no line of it.
    """
    named = re.search(r"at line (\d+)", message)
    lines = text.splitlines() if named else text.rstrip().splitlines()
    number = int(named[1]) if named else len(lines) if "at end of document" in message else 0
    if not 1 <= number <= len(lines):
        return ""
    line = lines[number - 1].strip()
    hint = _explain(line, message)
    return f": `{line}`" + (f"; {hint}" if hint else "")


def _explain(line: str, message: str) -> str | None:
    header, pair = _HEADER.fullmatch(line), _KEY_VALUE.fullmatch(line)
    if "Cannot" in message:
        return _explain_second(None if header is None else header["name"])
    if "Unclosed array" in message:
        return "a list ends with ]"
    if any(quote in line for quote in _OTHER_QUOTES):
        return "quotes must be the plain ones: \" or '"
    if line.startswith("["):
        return "a table is a line [NAME], and a rule a line [[rule]]"
    if pair is None:
        return "a line is KEY = VALUE, or begins a table: [NAME]"
    return _explain_value(pair["key"], pair["value"])


def _explain_second(table: str | None) -> str:
    """Return what to do about what is declared a second time: a table of this name, or a key where it is None."""
    if table == "rule":
        return "each rule begins with a line [[rule]], and none with [rule]"
    if table is None:
        return "the key is in this table already: keep one of the two"
    return f"there is a table {table} already: put its keys together, or give one of the two another name"


def _explain_value(key: str, value: str) -> str | None:
    if not value:
        return "there is no value: write one after =, or # before the key"
    if value.lower() in _WORDS_FOR_SWITCHES:
        word = "true" if value.lower() in ("true", "yes", "on") else "false"
        return f"a switch is true or false, in small letters: {key} = {word}"
    if _NUMBER_WITH_UNIT.fullmatch(value):
        return f"a number has no unit, as in {key} = 600; text needs quotes, as in {key} = {json.dumps(value)}"
    if value[0] in "\"'":
        if "\\" in value and value[0] == '"':
            return f"within \" a \\ is written twice; within ' it is an ordinary character: {key} = '...'"
        return "a text has the same quote before and after it, and none in between"
    if value[0] == "[":
        return f'a list ends with ], and texts in it need quotes, as in {key} = ["one", "another"]'
    if value[0] == "{":
        return None
    return f"text needs quotes, as in {key} = {json.dumps(value, ensure_ascii=False)}"
