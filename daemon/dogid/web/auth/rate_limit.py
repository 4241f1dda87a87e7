"""Counting wrong tokens, so that nobody can try many."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

WINDOW_SECONDS = 60.0
_MOST_WRONG = 10  # in one window
_MOST_ADDRESSES = 1024  # remembered; the oldest are forgotten first


class LoginRateLimit:
    """How many wrong tokens each address has sent of late."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def wait_seconds(self, address: str) -> float:
        """How long an address must wait before its next try; 0 where it may try now."""
        with self._lock:
            times = self._recent(_network(address))
            return 0.0 if len(times) < _MOST_WRONG else times[0] + WINDOW_SECONDS - self._clock()

    def note_wrong(self, address: str) -> None:
        """An address has sent a wrong token."""
        network = _network(address)
        with self._lock:
            self._wrong[network] = [*self._recent(network), self._clock()][-_MOST_WRONG:]
            self._wrong.move_to_end(network)
            while len(self._wrong) > _MOST_ADDRESSES:
                self._wrong.popitem(last=False)

    def _recent(self, network: str) -> list[float]:
        since = self._clock() - WINDOW_SECONDS
        return [at for at in self._wrong.get(network, []) if at > since]


def _network(address: str) -> str:
    """What one party may call its own: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if known.version == 4:
        return address
    return str(ipaddress.ip_network((known, 64), strict=False))
