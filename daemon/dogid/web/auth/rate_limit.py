"""Limiting how many wrong tokens a client may try."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

WINDOW_SECONDS = 60.0
_MAX_FAILURES = 10
"""Wrong tokens in one window. A higher number helps people who mistype, and attackers as much."""
_MAX_ADDRESSES = 1024
"""Latest addresses that are remembered. Raising it takes more memory while many addresses attack."""


class LoginRateLimit:
    """Counts the wrong tokens of each client address in a sliding window."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def wait_seconds(self, address: str) -> float:
        """Return how long an address has to wait before its next try; 0 where it may try now."""
        with self._lock:
            times = self._list_recent(_network_of(address))
            return 0.0 if len(times) < _MAX_FAILURES else times[0] + WINDOW_SECONDS - self._clock()

    def record_failure(self, address: str) -> None:
        """Count a wrong token of an address."""
        network = _network_of(address)
        with self._lock:
            self._failures[network] = [*self._list_recent(network), self._clock()][-_MAX_FAILURES:]
            self._failures.move_to_end(network)
            while len(self._failures) > _MAX_ADDRESSES:
                self._failures.popitem(last=False)

    def _list_recent(self, network: str) -> list[float]:
        since = self._clock() - WINDOW_SECONDS
        return [at for at in self._failures.get(network, []) if at > since]


def _network_of(address: str) -> str:
    """Return the unit of addresses that one client has at its disposal: an IPv4 address, or an IPv6 /64 network."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if known.version == 4:
        return address
    return str(ipaddress.ip_network((known, 64), strict=False))
