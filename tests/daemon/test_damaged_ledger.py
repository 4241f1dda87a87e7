"""What a daemon does whose ledger turns out to be damaged."""

import os
from pathlib import Path

from dogid.conditions import LEDGER_DAMAGED
from tests.conftest import MakeDaemon
from tests.daemon.ledger_damage import damage
from tests.support.http_client import fetch
from tests.support.photos import photo, put
from tests.support.waiting import eventually


def test_damaged_ledger_is_moved_aside_at_next_start(make_daemon: MakeDaemon, inbox: Path) -> None:
    daemon = make_daemon().start()
    put(inbox / "before.jpg", photo(1))
    daemon.wait_for_classified("before.jpg", photo(1))
    damage(daemon.state)
    put(inbox / "after.jpg", photo(2))
    daemon.wait_for_log(LEDGER_DAMAGED)

    eventually(lambda: fetch(daemon.url, "/healthz").status == 503, "the daemon calls itself unhealthy")
    daemon.stop()
    daemon.start()
    daemon.wait_for_classified("before.jpg", photo(1))
    daemon.wait_for_classified("after.jpg", photo(2))
    assert [name for name in os.listdir(daemon.state) if name.startswith("ledger.db.damaged-")]
