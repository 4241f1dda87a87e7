"""A mail server on this machine that keeps what it gets."""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from tests.support.ports import claim_port
from tests.support.waiting import TIMEOUT


@dataclass
class MailReceiver:
    """A server, and all mail that it has accepted so far."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    answer: Callable[[], str] = lambda: "250 OK"
    """Returns what it says to the next mail; one that does not begin with 2 refuses it."""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        said = self.answer()
        if said.startswith("2"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return said


@contextlib.contextmanager
def receiving_mail(port: int = 0, *, certificate: Path | None = None) -> Iterator[MailReceiver]:
    """A mail server on a free port, or the given one; certificate: a PEM file with its key, which requires STARTTLS."""
    receiver = MailReceiver(port or claim_port())
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    controller = Controller(
        receiver,
        hostname="127.0.0.1",
        port=receiver.port,
        ready_timeout=TIMEOUT,
        tls_context=tls,
        require_starttls=tls is not None,
    )
    controller.start()
    try:
        yield receiver
    finally:
        controller.stop()
