"""The other sides of outputs, which keep what they get: servers in processes of their own, a broker, a program."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.outputs.file_receivers import Events, JsonLines, Sidecars, SortedPhotos, Table
from tests.outputs.recording_broker import RecordingBroker
from tests.support.daemon import ROOT, environment
from tests.support.ports import claim_port

SERVERS = ("http", "mqtt", "smtp")
"""Kinds of receivers that can be killed by themselves."""
_OF_FILES = {"jsonl": JsonLines, "csv": Table, "sidecar": Sidecars, "sort": SortedPhotos, "rule": Events}
KINDS = (*SERVERS, "command", *_OF_FILES)


class Receiver(Protocol):
    """One other side."""

    def describe_output(self) -> Sequence[str]:
        """Return the keys of the output that sends to it, as lines of TOML."""

    def start(self) -> None:
        """Start it."""

    def kill(self) -> None:
        """End it as a power cut does."""

    def close(self) -> None:
        """End it for good."""

    def messages(self) -> list[dict[str, Any]]:
        """Return what was received, in order: id, file, and result where it is known.

        Of what is a file of its own, label, and file or the sha256 of the photo.
        """


class _Server:
    """A recording server, with the file that outlives it."""

    kind: str

    def __init__(self, folder: Path, fault_rate: float) -> None:
        self.folder = folder
        self.port = claim_port()
        self._file = folder / f"{self.kind}.jsonl"
        command = [sys.executable, "-m", "tests.outputs.recording_server", self.kind, str(self.port), str(self._file)]
        self._command = [*command, "--faults", str(fault_rate)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / f"{self.kind}.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, env=environment(), stdout=log, stderr=log, cwd=ROOT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    close = kill

    def messages(self) -> list[dict[str, Any]]:
        return _read_messages(self._file)


class _WebhookServer(_Server):
    kind = "http"

    def describe_output(self) -> Sequence[str]:
        return ('type = "webhook"', "all = true", f'url = "http://127.0.0.1:{self.port}/"', "timeout = 5")


class _MailServer(_Server):
    kind = "smtp"

    def describe_output(self) -> Sequence[str]:
        address = self.folder / "address"
        address.write_text(f"mailto://127.0.0.1:{self.port}/?from=a@b.org&to=c@d.org")
        text = ('title = "{id}"', 'body = "{file}"', "thumbnail = false", "pause = 0")
        return ('type = "notify"', "all = true", f'url_file = "{address}"', *text)


class _Program:
    """What the output `command` runs: it cannot die by itself, and lives on where the daemon is killed."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "command.jsonl"
        self._script = folder / "append.py"

    def describe_output(self) -> Sequence[str]:
        self._script.write_text(
            "import json, os, sys\n"
            "event = json.load(sys.stdin)\n"
            "line = {'id': event['id'], 'file': event['result']['file'], 'result': event['result']['id']}\n"
            f"out = os.open({str(self._file)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
            "os.write(out, json.dumps(line).encode() + b'\\n')\n"
        )
        return ('type = "command"', "all = true", f'command = ["{sys.executable}", "-IS", "{self._script}"]')

    def start(self) -> None:
        pass

    kill = close = start

    def messages(self) -> list[dict[str, Any]]:
        return _read_messages(self._file)


def make_receiver(kind: str, folder: Path, fault_rate: float) -> Receiver:
    """Return the receiver of a kind: see KINDS; fault_rate: the share of wrong answers, 0..1."""
    match kind:
        case _ if kind in _OF_FILES:
            return _OF_FILES[kind](folder)
        case "command":
            return _Program(folder)
        case "mqtt":
            return RecordingBroker(folder / "broker")
        case _:
            return (_WebhookServer if kind == "http" else _MailServer)(folder, fault_rate)


def _read_messages(file: Path) -> list[dict[str, Any]]:
    """Return the lines of a file, of which the last may be half-written."""
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]
