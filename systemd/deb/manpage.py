"""Prints dogid(1), the manual page, from what the command itself tells: `manpage.py YYYY-MM-DD >dogid.1`."""

import sys
from dataclasses import fields

from dogid import __version__
from dogid.cli import COMMANDS
from dogid.settings import Settings, flag, variable

FILES = {
    "/etc/dogid/dogid.toml": "settings of the service",
    "/etc/dogid/credentials/": "its secrets: the file token, where there is one",
    "/var/lib/dogid/inbox/": "where photos are copied to",
    "/var/lib/dogid/ledger.db": "the results",
    "/usr/share/doc/dogid/README.md.gz": "all the rest: settings, HTTP, models of your own",
}


def page(date: str) -> str:
    """Return the page in roff's man macros (man(7))."""
    lines = [f'.TH DOGID 1 "{date}" "dogid {__version__}" "User Commands"']
    lines += [".SH NAME", r"dogid \- photo classifier that watches a folder"]
    lines += [
        ".SH SYNOPSIS",
        ".B dogid",
        r"[\-\-help] [\-\-version]",
        ".br",
        ".B dogid",
        r".I COMMAND \fR[\fIflags\fR]",
    ]
    lines += [".SH DESCRIPTION", "Classify the photos of a folder, on this machine.", "The service"]
    lines += [
        ".B dogid.service",
        "runs",
        '.BR "dogid run" ;',
        "the other commands read what it has found, or work by themselves.",
    ]
    lines += ["Each command tells more by", r".BR \-\-help ."]
    lines += [".SH COMMANDS", *_list({name: command.help for name, command in COMMANDS.items()})]
    lines += [".SH SETTINGS", "A flag goes before an environment variable, that before the settings file."]
    told = {
        f"{flag(item.name)} {item.metadata['metavar']}": _setting(item.name, item.metadata["help"])
        for item in fields(Settings)
    }
    lines += _list(told)
    lines += [".SH FILES", *_list(FILES, ".I")]
    lines += [
        ".SH EXIT STATUS",
        *_list({"0": "done", "1": "done, but something failed", "2": "wrong usage or settings"}),
    ]
    lines += [".SH SEE ALSO", ".BR systemctl (1),", ".BR journalctl (1)"]
    return "\n".join(lines) + "\n"


def _setting(name: str, text: str) -> str:
    return f"{text} ({variable(name)})"


def _list(items: dict[str, str], font: str = ".B") -> list[str]:
    return [line for name, text in items.items() for line in (".TP", f"{font} {_plain(name)}", _plain(text))]


def _plain(text: str) -> str:
    """Text that roff prints as it is."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped[:1] in (".", "'") else escaped


if __name__ == "__main__":
    sys.stdout.write(page(sys.argv[1]))
