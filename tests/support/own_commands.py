"""`dogid` commands that run in the tests' own process: starting one takes longer than what most of them do."""

import contextlib
import io
import os
import subprocess
from unittest import mock

from dogid.cli import main

SHORT = frozenset({"audit", "forget", "label", "outputs", "results", "rules", "status", "why"})
"""Commands that change nothing of their process. That they run as programs is tested with all others."""


def run_here(*args: str) -> "subprocess.CompletedProcess[str]":
    """Run `dogid ARGS...` as a program does that has none of our variables; return its exit status and output."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("DOGID_")}
    out, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        mock.patch.dict(os.environ, variables, clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        try:
            status = main(args)
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else int(left.code is not None)
    printed, said = (stream.buffer.getvalue().decode() for stream in (out, errors))
    return subprocess.CompletedProcess(["dogid", *args], status, printed, said)
