"""The server's limits: connections, bytes and seconds.

The numbers suit a machine with one or two slow cores and 512 MB, which also classifies. `tests/attacks` shows what
happens without each of them.
"""

import resource
from dataclasses import dataclass

THREADS = 6
"""Requests that are answered at the same time. More only wait for each other; with fewer, a slow disk delays all."""

_MOST_CONNECTIONS = 700
_FEWEST_CONNECTIONS = 8
_CLOSING_SHARE = 14
_MOST_LISTENERS = 64
_FEWEST_LISTENERS = 2
_LISTENER_DESCRIPTORS = 3
_RESERVED_DESCRIPTORS = 64


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections there may be at the same time, so that photos can still be opened."""

    most: int
    """More wait in the kernel. Raising it takes memory, and some kB of the kernel's, for each."""
    eviction_start: int
    """Connections from which on each new one replaces the one that has waited longest without a complete request.
    The distance to most is the time that closing one takes: with less, bursts wait; with more, fewer fit."""
    listeners: int
    """Of `/events`: each keeps a thread, of which the systemd service may have 256 (TasksMax), and reads the ledger."""


def connection_limits(descriptors: int | None = None) -> ConnectionLimits:
    """Return the limits of a process that may have so many file descriptors; of this one where none are given.

    Some are reserved for the daemon: it has 24 of them when it is idle, and needs more for photos, uploads and the
    processes that decode. A connection takes one, a listener of events those of its connection to the ledger besides.
    """
    if descriptors is None:
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    spare = max(0, descriptors - _RESERVED_DESCRIPTORS)
    most = min(max(spare * 3 // 4, _FEWEST_CONNECTIONS), _MOST_CONNECTIONS)
    listeners = min(max(spare // 4 // _LISTENER_DESCRIPTORS, _FEWEST_LISTENERS), _MOST_LISTENERS)
    return ConnectionLimits(most, most - max(2, most // _CLOSING_SHARE), listeners)


CLEANUP_SECONDS = 2.0
"""Between two checks for late connections. Raising it lets them stay for longer; lowering it costs power while idle."""

IDLE_SECONDS = 60.0
"""How long a connection may be silent, or an answer unread. Lowering it cuts off browsers between requests."""

HEADER_SECONDS = 10.0
"""How long the head of a request may take: one packet for any honest client. Raising it helps slow attackers."""

BODY_SECONDS = 120.0
"""How long a request may take with its body. Lowering it cuts off photos that come over a slow radio link."""

MAX_HEADER_BYTES = 16_384
"""Bytes of a request's head, and of what stands between two chunks of a body. Browsers send less than 8 kB."""

BODY_ALLOWANCE = 10_000
"""Bytes that a form puts around a photo."""

LARGE_BODY = 65_536
"""Bytes; larger bodies wait on disk, and only MAX_LARGE_BODIES at a time. Raising it takes more memory per upload."""

MAX_LARGE_BODIES = 4
"""Large bodies at the same time: each takes up to `max_upload` of the temporary folder, often memory."""

BODY_GRACE_SECONDS = 10.0
"""How long a large body is safe; after that, a new one replaces the slowest of all. Lowering it cuts off uploads that
only begin slowly; raising it lets four connections that hardly send anything block all uploads for longer."""

LINGER_SECONDS = 10.0
"""How long the rest of a refused body is read and thrown away, so that its sender can read the refusal."""

LINGER_BYTES = 64 << 20
"""How many bytes of it. Lowering it loses the refusal of larger files, as the kernel then resets the connection."""

MAX_UNSENT_BYTES = 262_144
"""Unread bytes of answers from which on a connection's next answer waits. Raising it lets each client that does not
read take more of the temporary folder; lowering it makes slow readers wait between two answers."""

MAX_UNSENT_BYTES_IN_MEMORY = 65_536
"""Unread bytes of an answer; above, it lies in a temporary file. Raising it takes more memory for each client that does
not read; lowering it writes pages to files that are read at once."""
