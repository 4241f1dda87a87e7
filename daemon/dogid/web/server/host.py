"""Finding the socket address of the host that the server is to listen on."""

import socket

from dogid.errors import UsageError
from dogid.file_names import one_line

AddressInfo = tuple[int, int, int, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]
"""Family, kind and protocol of a socket, and the address to bind it to."""


def resolve_host(host: str, port: int) -> AddressInfo:
    """Return what to listen with on a host, a name or an address. Raise UsageError where this machine cannot have it.

    Control characters are refused: the C library reads a name only as far as its first NUL.
    """
    if not host.isprintable():
        raise _not_an_address(host, "it has characters that no name has")
    if host == "*":  # for the C library no name at all, and so this machine alone, perhaps by IPv6
        raise _not_an_address(host, "all addresses are 0.0.0.0, with those of IPv6 ::")
    # as bytes where it can be: for text Python loads the tables of international names, 0.2 MB
    name = host.encode() if host.isascii() else host
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise _not_an_address(host, error.strerror or str(error)) from error
    except UnicodeError as error:  # of names that no encoding as ASCII exists for
        raise _not_an_address(host, "a part of it is empty or too long, or has letters that no name has") from error
    return family, kind, protocol, address


def _not_an_address(host: str, reason: str) -> UsageError:
    return UsageError(
        f"--host {one_line(host)}: not an address of this machine: {reason}; give one that `ip address` shows,"
        " or 127.0.0.1, by --host or the setting host"
    )
