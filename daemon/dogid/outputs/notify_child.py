"""The process in which Apprise sends messages: it takes 40 MB, which are given back, and may hang or fail in any way.

Run as `python -m dogid.outputs.notify_child`. On stdin it gets one Request as JSON; on stdout it prints a Report as
JSON after each message, the last of which counts.
"""

import base64
import json
import logging
import re
import sys
from collections.abc import Sequence
from typing import Any, TypedDict
from urllib.parse import unquote, urlsplit

from dogid.outputs.network_faults import SANDBOX, is_blocked

_ANYWHERE = "192.0.2.1"  # for documentation, RFC 5737: no machine has it, so that none is asked
_LEAST_SECRET = 3  # characters; shorter parts of an address are words like `me` that messages may have anyway
_REASON = re.compile(
    r"\[Errno -?\d+\] ([^'\"()<>]+)|(certificate verify failed: [^(]+)|(timed out)"
    r"|(\([45]\d\d, b'[^']+'\))"  # of a mail server
)
"""What is worth repeating of the exceptions that Apprise logs for developers."""
_UNKNOWN_CERTIFICATE = "certificate verify failed"
_LONGEST_REASON = 500  # characters; the daemon reads no more than the end of what is printed
_REFUSED = re.compile(r"error=(?:400|413|415|422)\b")
"""Answers that mean the message and not the service: too long, or with what it does not take."""


class Message(TypedDict):
    """What to send."""

    title: str
    body: str
    photo: str | None
    """A JPEG in base64."""


class Request(TypedDict):
    """Where to send what, in this order."""

    url: str
    messages: list[Message]
    pause: float | None
    """Seconds from one message to the next; None: what Apprise has for the service, to be polite to it."""


class Report(TypedDict):
    """What has become of a request so far."""

    sent: int
    service: str
    """Name of the service, for people."""
    error: str | None
    """Why the next message was not sent."""
    is_refused: bool
    """Whether it would not be sent later either."""


def main() -> None:
    """Send what stdin asks for."""
    request: Request = json.load(sys.stdin)
    try:
        _send(request)
    except Exception as error:  # of one of a hundred services; its text may repeat the address
        _report(0, "Apprise", f"fails ({type(error).__name__})")


def _send(request: Request) -> None:
    import apprise
    from apprise.attachment.memory import AttachMemory

    said = _Records()
    logging.getLogger("apprise").addHandler(said)
    logging.getLogger("apprise").setLevel(logging.DEBUG)
    logging.getLogger("apprise").propagate = False
    sender = apprise.Apprise()
    if not sender.add(request["url"]):
        _report(0, "Apprise", "knows no service with such an address; see https://appriseit.com/services/")
        return
    if request["pause"] is not None:
        sender[0].request_rate_per_sec = request["pause"]
    service = str(sender[0].service_name)
    _report(0, service)
    for count, message in enumerate(request["messages"]):
        said.clear()
        photo = message["photo"]
        attached: Any = None
        if photo is not None:
            attached = apprise.AppriseAttachment()
            jpeg = base64.b64decode(photo)
            attached.add(AttachMemory(jpeg, name="photo.jpg", mimetype="image/jpeg"))  # type: ignore[no-untyped-call]
        try:
            is_sent = sender.notify(
                title=message["title"], body=message["body"], body_format=apprise.NotifyFormat.TEXT, attach=attached
            )
        except Exception as error:
            _report(count, service, f"fails ({type(error).__name__})")
            return
        if not is_sent:
            is_refused = any(_REFUSED.search(line) for line in said.warnings)
            _report(count, service, _explain(said, request["url"]), is_refused=is_refused)
            return
        _report(count + 1, service)


class _Records(logging.Handler):
    """Keeps what Apprise logs."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []
        self.details: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        (self.warnings if record.levelno >= logging.WARNING else self.details).append(record.getMessage())

    def clear(self) -> None:
        self.warnings.clear()
        self.details.clear()


def _explain(said: _Records, url: str) -> str:
    """Return why a message was not sent, without secrets."""
    text = " ".join(said.warnings) or "was not sent, and Apprise says no reason"
    found = [match for line in said.details if (match := _REASON.search(line))]
    reason = next((part for part in found[-1].groups() if part), "") if found else ""
    if ("timed out" in reason or "name resolution" in reason) and is_blocked(_ANYWHERE, 9):
        reason = SANDBOX
    elif reason.startswith(_UNKNOWN_CERTIFICATE):
        reason = f"{reason.strip()}; name an authority of your own by ca_file"
    return hide_secrets(f"{text} ({reason.strip()})" if reason else text, url)


def hide_secrets(text: str, url: str) -> str:
    """Return a text in which each part of an address is replaced by stars, but for the name of a host.

    Which parts of Apprise's addresses are secret depends on the service; in some the host is a token, without a dot.
    """
    for part in sorted(_secrets_of(url), key=len, reverse=True):
        text = text.replace(part, "***")
    return text


def _secrets_of(url: str) -> Sequence[str]:
    rest = url.partition("://")[2]
    hosts = {urlsplit(f"//{rest}").netloc.rpartition("@")[2].partition(":")[0], "localhost"}
    parts = {part for raw in re.split(r"[/?&=@:,#]", rest) for part in (raw, unquote(raw))}
    shown = {host for host in hosts if "." in host or host == "localhost"}
    return [part for part in parts - shown if len(part) >= _LEAST_SECRET]


def _report(sent: int, service: str, error: str | None = None, is_refused: bool = False) -> None:  # noqa: FBT001, FBT002
    report: Report = {
        "sent": sent,
        "service": service,
        "error": error and error[:_LONGEST_REASON],
        "is_refused": is_refused,
    }
    print(json.dumps(report), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
