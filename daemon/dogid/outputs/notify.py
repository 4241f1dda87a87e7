"""The output `notify`: messages for people, with the thumbnail, by the services that Apprise knows.

Apprise runs in a process of its own, one for each batch (`notify_child`).
"""

import base64
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NoReturn

import msgspec

from dogid.file_names import one_line
from dogid.outputs.bounded_process import clean_environment, run_bounded
from dogid.outputs.message_template import check_template, fill_template
from dogid.outputs.notify_child import Message, Report, Request
from dogid.outputs.output import Delivery, OutputConfigError, OutputContext, OutputError, RefusedError
from dogid.outputs.own_authority import find_authority
from dogid.outputs.secret_files import read_secret
from dogid.outputs.table import OutputTable, read_table
from dogid.system.extras import make_install_command

_MEMORY = 256_000_000  # bytes; Apprise takes 40 MB, a message with its thumbnail little more
_LONGEST_REASON = 300  # characters
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
_AUTHORITY = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""What names the certificates to OpenSSL, as for mail, and to requests, as for all that speaks HTTP."""
_PASSED_ON = ("PYTHONPATH", *_PROXIES, *(name.upper() for name in _PROXIES))


class _Table(OutputTable, frozen=True, kw_only=True):
    url_file: str
    title: str = "{label} {score}"
    body: str = "{file}, {time}"
    ca_file: str | None = None
    thumbnail: bool = True
    timeout: Annotated[float, msgspec.Meta(ge=5, le=300)] = 60.0
    pause: Annotated[float, msgspec.Meta(ge=0, le=60)] | None = None
    all: bool = False


def make_output(table: Mapping[str, Any], context: OutputContext) -> "Notify":
    """Return the output that a table of the settings describes. Raise OutputConfigError where it is wrong."""
    if importlib.util.find_spec("apprise") is None:
        raise OutputConfigError(f"type: notify needs the package Apprise: {make_install_command('notify')}")
    chosen = read_table(table, _Table)
    check_template("title", chosen.title)
    check_template("body", chosen.body)
    return Notify(chosen, context)


class Notify:
    """Sends deliveries as messages to one address of Apprise's, in order."""

    batch = 10  # messages that a process sends, and that are sent again where it has to be ended

    def __init__(self, table: _Table, context: OutputContext) -> None:
        self.wants_all = table.all
        self.wants_events = not table.all
        self._table = table
        self._context = context

    def send(self, deliveries: Sequence[Delivery], acknowledged: Callable[[int], None]) -> None:
        """Send a message for each. Raise OutputError or RefusedError for the first that its service does not take."""
        report = self._run([self._make_message(delivery) for delivery in deliveries])
        if report["sent"]:
            acknowledged(report["sent"])
        if report["error"] is not None:
            _raise_error(report)

    def tend(self) -> None:
        """Nothing has to be done between messages."""

    def check(self) -> str:
        """Return the service of the address, without sending anything. Raise OutputError where there is none."""
        report = self._run([])
        if report["error"] is not None:
            _raise_error(report)
        return f"an address of {report['service']}; `dogid outputs test {self._context.name}` sends a message"

    def close(self) -> None:
        """Nothing is held."""

    def _make_message(self, delivery: Delivery) -> Message:
        photo = self._context.make_thumbnail(delivery.result) if self._table.thumbnail else None
        title = fill_template(self._table.title, delivery, self._context)
        return {
            "title": f"Test: {title}" if delivery.is_test else title,
            "body": fill_template(self._table.body, delivery, self._context),
            "photo": None if photo is None else base64.b64encode(photo).decode(),
        }

    def _run(self, messages: list[Message]) -> Report:
        """Have Apprise send messages. Raise OutputError where it has to be ended before it has sent one."""
        url = read_secret("url_file", self._table.url_file)
        if len(url.split()) > 1:
            raise OutputError(f"url_file: {self._table.url_file}: holds more than an address; make an output of each")
        self._context.folder.mkdir(parents=True, exist_ok=True)
        request: Request = {"url": url, "messages": messages, "pause": self._table.pause}
        variables = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        if self._table.ca_file is not None:
            variables |= dict.fromkeys(_AUTHORITY, str(find_authority(self._table.ca_file)))
            variables["SSL_CERT_DIR"] = os.devnull  # where OpenSSL would find the system's, besides
        try:
            outcome = run_bounded(
                [sys.executable, "-P", "-m", "dogid.outputs.notify_child"],
                json.dumps(request).encode(),
                environment=clean_environment(self._context.folder) | variables,
                folder=self._context.folder,
                timeout=self._table.timeout * max(1, len(messages)),
                memory=_MEMORY,
                stopping=self._context.stopping,
            )
        except OSError as error:
            raise OutputError(f"Apprise cannot be started: {error.strerror or error}") from None
        reports = [line for line in outcome.output.splitlines() if line.startswith('{"sent": ')]
        if not reports:
            how = "was ended, as it took too long" if outcome.status is None else f"ended with status {outcome.status}"
            raise OutputError("dogid stops" if self._context.stopping.is_set() else f"Apprise {how}")
        report: Report = json.loads(reports[-1])
        if report["error"] is None and report["sent"] < len(messages):
            report["error"] = "dogid stops" if self._context.stopping.is_set() else "took too long to answer"
        return report


def _raise_error(report: Report) -> NoReturn:
    reason = one_line(f"{report['service']}: {report['error']}"[:_LONGEST_REASON])
    raise (RefusedError if report["is_refused"] else OutputError)(reason)
