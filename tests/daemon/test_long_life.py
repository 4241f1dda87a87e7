"""A daemon that is reloaded again and again uses no more of the machine than at first."""

import signal
from collections.abc import Callable
from pathlib import Path

from tests.conftest import MakeDaemon
from tests.soak.resources import Sample, sample
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually

_WORKERS = 3
WARM_UP = 5 * _WORKERS  # the allocator and SQLite's caches have their size by then
RELOADS = 12 * _WORKERS  # more, each with a number of workers from 1 to 3, the last ones with as many as those before
FEW = 4  # a worker that was dismissed may not have ended yet
MOST_MB = 40.0  # the allocator gives some 10 MB and takes them back; a model that is never freed is 2.7 MB each time


class Reloads:
    """Reloads of a daemon, one after the other, and then a photo."""

    def __init__(self, daemon: DaemonProcess, config: Path) -> None:
        self._daemon = daemon
        self._config = config
        self._count = 0

    def repeat(self, times: int) -> Sample:
        """Reload so many times; return what the daemon uses afterwards."""
        for _ in range(times):
            self._count += 1
            self._config.write_text(f"workers = {1 + self._count % _WORKERS}\n")
            self._daemon.send(signal.SIGHUP)
            self._await(lambda log: log.count("reloaded: model") == self._count)
        put(self._daemon.inbox / f"{self._count}.jpg", photo(self._count))
        self._await(lambda log: f"{self._count}.jpg: " in log)
        return sample(self._daemon.pid)

    def _await(self, says: Callable[[str], bool]) -> None:
        eventually(lambda: says(self._daemon.log_text()), f"the log of reload {self._count}")


def test_many_reloads_leave_resources_flat(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    config = put(tmp_path / "dogid.toml", b"workers = 2\n")
    reloads = Reloads(make_daemon("--config", str(config)).start(), config)
    before = reloads.repeat(WARM_UP)
    after = reloads.repeat(RELOADS)

    assert after.descriptors <= before.descriptors + FEW
    assert after.threads <= before.threads + FEW
    assert after.rss < before.rss + MOST_MB
