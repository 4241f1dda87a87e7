"""Print dogid(1), the manual page, from the help texts of the command: `manpage.py YYYY-MM-DD >dogid.1`."""

import sys

from dogid import __version__
from dogid.cli import COMMANDS
from dogid.settings import SINGLE_VALUES, flag, variable

FILES = {
    "/etc/dogid/dogid.toml": "settings of the service",
    "/etc/dogid/credentials/": "its secrets: optionally the file token",
    "/var/lib/dogid/inbox/": "the inbox",
    "/var/lib/dogid/ledger.db": "the results (the ledger)",
    "/usr/share/doc/dogid/README.md.gz": "full documentation: settings, HTTP, training your own models",
}


def page(date: str) -> str:
    """Return the page in man(7) macros, with date in its footer."""
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
    lines += [".SH DESCRIPTION", "Classify the photos in a folder on this machine.", "The service"]
    lines += [
        ".B dogid.service",
        "runs",
        '.BR "dogid run" ;',
        "the other commands read its results, or work without it.",
    ]
    lines += ["Each command documents its flags:", r".BR \-\-help ."]
    lines += [".SH COMMANDS", *_list({name: command.help for name, command in COMMANDS.items()})]
    lines += [".SH SETTINGS", "Flags override environment variables, which override the settings file."]
    items = {
        f"{flag(item.name)} {item.metadata['metavar']}": _setting(item.name, item.metadata["help"])
        for item in SINGLE_VALUES
    }
    lines += _list(items)
    lines += [".SH FILES", *_list(FILES, ".I")]
    lines += [
        ".SH EXIT STATUS",
        *_list({"0": "success", "1": "something failed", "2": "wrong usage or settings"}),
    ]
    lines += [".SH SEE ALSO", ".BR systemctl (1),", ".BR journalctl (1)"]
    return "\n".join(lines) + "\n"


def _setting(name: str, text: str) -> str:
    return f"{text} ({variable(name)})"


def _list(items: dict[str, str], font: str = ".B") -> list[str]:
    return [line for name, text in items.items() for line in (".TP", f"{font} {_plain(name)}", _plain(text))]


def _plain(text: str) -> str:
    """Return text with roff's special characters escaped."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped[:1] in (".", "'") else escaped


if __name__ == "__main__":
    sys.stdout.write(page(sys.argv[1]))
