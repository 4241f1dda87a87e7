"""Why another host cannot be reached, for people: name, refusal, time-out, certificate, or the service's sandbox."""

import errno
import re
import socket
import ssl
from pathlib import Path

SANDBOX = (
    "the service may communicate with this machine only; the drop-in outputs.conf opens the network for it (see"
    " OUTPUTS.md, Network)"
)
"""What to do where the unit's IPAddressDeny= keeps packets from leaving."""
_RESOLVER = Path("/etc/resolv.conf")
_DNS = 53


def explain_fault(error: OSError, host: str, port: int) -> str:
    """Return why a host cannot be reached, beginning with its name and port, without anything secret.

    error: what a socket raised, or TLS on top of it. host: name or address; port: of TCP.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message or "it cannot be verified"
        return f"{host}: its certificate is not accepted: {reason}; is it its own authority? Then give it by ca_file"
    if isinstance(error, ssl.SSLError):
        return f"{host} port {port}: TLS fails: {error.reason or error}; does it speak TLS on this port?"
    if isinstance(error, socket.gaierror):
        if any(is_blocked(server, _DNS) for server in _name_servers()):
            return f"{host}: the name cannot be resolved: {SANDBOX}"
        return f"{host}: the name cannot be resolved: {error.strerror}; is it right, and is there a network?"
    if error.errno in (errno.EPERM, errno.EACCES) or (isinstance(error, TimeoutError) and is_blocked(host, port)):
        return f"{host} port {port}: {SANDBOX}"
    if isinstance(error, TimeoutError):
        return f"{host} port {port}: no answer in time"
    return f"{host} port {port}: {error.strerror or error or type(error).__name__}"


def is_blocked(host: str, port: int) -> bool:
    """Return whether the system keeps this process from sending anything to a host, as systemd's IPAddressDeny= does.

    A connection over TCP only times out there; sending an empty packet over UDP is refused at once.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.sendto(b"", address)
        except OSError as error:
            if error.errno in (errno.EPERM, errno.EACCES):
                return True
    return False


def _name_servers() -> list[str]:
    try:
        text = _RESOLVER.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return re.findall(r"^nameserver\s+(\S+)", text, re.MULTILINE)
