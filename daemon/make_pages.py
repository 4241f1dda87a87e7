"""Writes what is made of the code's own lists: the manual page `dogid.1`, `COMMANDS.md`, the table in `SETTINGS.md`.

`make pages` runs it; a test fails where one of them is not as it would write it.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from dogid import __version__
from dogid.commands.command_list import COMMANDS, GROUPS
from dogid.commands.command_parsers import FIRST_MINUTE, make_whole_parser
from dogid.settings import SINGLE_VALUES, flag, variable

MANUAL = Path(__file__).parent / "dogid.1"
COMMAND_PAGE = Path(__file__).parent / "COMMANDS.md"
SETTINGS = Path(__file__).parent / "SETTINGS.md"
_TABLE = re.compile(r"^\| flag \|.*?\n\n", re.MULTILINE | re.DOTALL)
_SHARED = {
    "--help": "show this",
    "--config": "a TOML file",
    **{flag(i.name): i.metadata["help"] for i in SINGLE_VALUES},
}
"""Flags that are described once for all commands, where their help begins like this."""

_FILES = {
    "/etc/dogid/dogid.toml": "settings of the service",
    "/etc/dogid/credentials/": "its secrets: the file token, and those that outputs name",
    "/var/lib/dogid/inbox/": "the inbox",
    "/var/lib/dogid/ledger.db": "the results (the ledger)",
    "/usr/share/doc/dogid/README.md.gz": "first steps; the other pages are beside it",
}
_EXIT_STATUS = {
    "0": "done",
    "1": "done, but something failed (a photo, a check, a gate)",
    "2": "wrong usage or settings",
}


def make_settings_table() -> str:
    """Return the table of settings in Markdown, with an empty line at its end."""
    lines = ["| flag | variable | key | default | meaning |", "| --- | --- | --- | --- | --- |"]
    for item in SINGLE_VALUES:
        shown = "`no`" if item.default is False else f"`{item.default}`" if item.default not in (None, ()) else ""
        name = f"{flag(item.name)} {item.metadata['metavar']}".rstrip()
        lines.append(f"| `{name}` | `{variable(item.name)}` | `{item.name}` | {shown} | {item.metadata['help']} |")
    return "\n".join(lines) + "\n\n"


def make_settings_page(text: str) -> str:
    """Return the text of SETTINGS.md with its table made anew."""
    return _TABLE.sub(lambda _: make_settings_table(), text, count=1)


def make_command_page() -> str:
    """Return the text of COMMANDS.md."""
    lines = ["# Commands", "", "`dogid COMMAND --help` and `man dogid` describe every flag."]
    lines += ["Commands that report have `--json`. Messages go to stderr, results to stdout. Exit status:"]
    lines += [", ".join(f"{status} {meaning}" for status, meaning in _EXIT_STATUS.items()) + "."]
    for title, names in GROUPS.items():
        lines += ["", f"## {title.capitalize()}", ""]
        lines += ["| command | what it does | example | go on |", "| --- | --- | --- | --- |"]
        for name in names:
            command = COMMANDS[name]
            examples = "<br>".join(f"`{example}`".replace("|", "\\|") for example in command.examples)
            lines.append(f"| `dogid {name}` | {command.about} | {examples} | {command.see} |")
    return "\n".join(lines) + "\n"


def make_manual() -> str:
    """Return dogid(1) in man(7) macros."""
    lines = [f'.TH DOGID 1 "" "dogid {__version__}" "User Commands"']
    lines += [".SH NAME", r"dogid \- photo classifier that watches a folder"]
    lines += [
        ".SH SYNOPSIS",
        ".B dogid",
        r".I COMMAND \fR[\fIflags\fR]",
        ".br",
        ".B dogid",
        r"[\-\-help] [\-\-version]",
    ]
    lines += [".SH DESCRIPTION", "Watch a folder and classify every new photo in it, on this machine. The service"]
    lines += [".B dogid.service", "runs", '.BR "dogid run" ;']
    lines += ["the other commands read its results, or work without it."]
    lines += [".PP", ".nf", *map(_plain, FIRST_MINUTE.splitlines()), ".fi"]
    lines += [".SH COMMANDS", *_describe_commands()]
    lines += [".SH SETTINGS", "Flags override environment variables, which override the file of"]
    lines += [r".BR \-\-config ,", "in which a key is a flag's name with _ for -."]
    lines += ["A command takes the settings that concern it."]
    names = {f"{flag(item.name)} {item.metadata['metavar']}": item for item in SINGLE_VALUES}
    lines += _list({name: f"{item.metadata['help']} ({variable(item.name)})" for name, item in names.items()})
    lines += [".SH FILES", *_list(_FILES, ".I")]
    lines += [".SH EXIT STATUS", *_list(_EXIT_STATUS)]
    lines += [".SH SEE ALSO", ".BR systemctl (1),", ".BR journalctl (1)"]
    return "\n".join(lines) + "\n"


def _describe_commands() -> Iterator[str]:
    (parsers,) = (action for action in make_whole_parser()._actions if isinstance(action, argparse._SubParsersAction))
    for title, names in GROUPS.items():
        yield f".SS {title.capitalize()}"
        for name in names:
            command, parser = COMMANDS[name], parsers.choices[name]
            yield from (".TP", f".B dogid {_plain(name)}{_arguments(parser)}", _plain(command.about), ".RS")
            yield from _describe_flags(parser)
            yield from (".PP", "Example:", ".nf", *map(_plain, command.examples), ".fi", ".RE")


def _describe_flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the arguments of one command, and those of the actions below it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, below in action.choices.items():
                yield from (".TP", f".B {name}{_arguments(below)}", _plain(helps[name]), ".RS")
                yield from _describe_flags(below)
                yield ".RE"
        elif action.help and not any(action.help.startswith(_SHARED.get(name, "\0")) for name in action.option_strings):
            name = " ".join([", ".join(action.option_strings), _value(action)]).strip()
            yield from (".TP", f".B {_plain(name)}", _plain(action.help))


def _arguments(parser: argparse.ArgumentParser) -> str:
    names = [_value(action) for action in parser._actions if not action.option_strings]
    return "".join(rf" \fI{_plain(name)}\fP" for name in names)


def _value(action: argparse.Action) -> str:
    """Return how the help names what an argument takes: nothing for a switch."""
    if action.nargs == 0:
        return ""
    if action.metavar is None and action.choices is not None:
        return "|".join(map(str, action.choices))
    return str(
        action.metavar if isinstance(action.metavar, str) else " ".join(action.metavar or (action.dest.upper(),))
    )


def _list(items: dict[str, str], font: str = ".B") -> list[str]:
    return [line for name, text in items.items() for line in (".TP", f"{font} {_plain(name)}", _plain(text))]


def _plain(text: str) -> str:
    """Return text with roff's special characters escaped."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped[:1] in (".", "'") else escaped


if __name__ == "__main__":
    MANUAL.write_text(make_manual())
    COMMAND_PAGE.write_text(make_command_page())
    SETTINGS.write_text(make_settings_page(SETTINGS.read_text()))
