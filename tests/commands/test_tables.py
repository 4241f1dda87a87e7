"""The tables of `dogid results` and `dogid status`, on a terminal and in a pipe."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.support.daemon import DaemonProcess, dogid, environment
from tests.support.photos import photo


def run_on_terminal(*arguments: str) -> str:
    """Run `dogid ARGUMENTS...` on a terminal; return its output."""
    ours, theirs = pty.openpty()
    environ = environment() | {"TERM": "xterm", "COLUMNS": "140"}
    subprocess.run([sys.executable, "-m", "dogid", *arguments], stdout=theirs, env=environ, check=True)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the end of a terminal
        pass
    os.close(ours)
    return shown.decode()


def test_headings_are_printed_on_a_terminal_only(daemon: DaemonProcess, inbox: Path) -> None:
    name = "[bold]a.jpg"
    (inbox / name).write_bytes(photo(1))
    daemon.wait_for_answer(name)
    state = ("--state", str(daemon.state))

    shown = run_on_terminal("results", *state)
    piped = dogid("results", *state).stdout

    assert "answered" in shown.splitlines()[0]
    assert name in shown
    assert name in piped
    assert "answered" not in piped
    assert len(piped.splitlines()) == 1
    assert "classified" in run_on_terminal("status", *state)
