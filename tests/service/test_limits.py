"""What the daemon may ask of the machine fits into what its units allow."""

import re

import pytest

from dogid.web.server.limits import THREADS, connection_limits
from tests.support.daemon import ROOT

MOST_WORKERS = 64  # what the setting takes
OTHERS = 20  # main, coordinator, reconciler, watch, health check, pictures, a hung worker or three, a crash probe


@pytest.mark.parametrize("unit", ["dogid.service", "dogid@.service"])
def test_tasks_max_covers_all_threads(unit: str) -> None:
    found = re.search(r"^TasksMax=(\d+)$", (ROOT / "systemd" / unit).read_text(), re.MULTILINE)
    assert found is not None
    assert int(found[1]) >= connection_limits(1024).listeners + THREADS + MOST_WORKERS + OTHERS
