"""Ports for servers that tests start, which stay theirs while a server is killed and started again."""

import random
import socket
from pathlib import Path

_claims: list[socket.socket] = []


def claim_port() -> int:
    """Return a port of this machine that no other test gets as long as this process runs.

    The kernel gives none of these to anybody who asks for any port. A claim is a name of a socket in this network.
    """
    range_file = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first_of_kernel = int(range_file.read_text().split()[0])
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(first_of_kernel - 12_000, first_of_kernel)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0dogid-tests-port-{port}")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return port
