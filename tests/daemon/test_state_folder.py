"""One daemon at a time on a state folder."""

import fcntl
import os
import threading
from pathlib import Path
from urllib.parse import urlsplit

from dogid.daemon.condition_monitor import read_url
from tests.conftest import MakeDaemon
from tests.support.daemon import dogid
from tests.support.waiting import eventually


def test_status_query_does_not_block_a_start(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """`dogid status` holds the lock for a moment; a start at that moment must not take it for another daemon."""
    state = tmp_path / "state"
    state.mkdir()
    looking = os.open(state / "dogid.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    daemon = make_daemon(state=state)
    threading.Timer(0.7, os.close, [looking]).start()
    daemon.start()
    assert daemon.running


def test_rejected_daemon_makes_no_inbox(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    first = make_daemon().start()
    eventually(lambda: read_url(first.state), "the daemon has noted its address")
    taken = str(urlsplit(first.url).port)
    for port in ("0", taken):  # which is taken by the first one
        done = dogid("run", "--port", port, "--inbox", str(tmp_path / "other"), "--state", str(first.state))

        assert f"another dogid uses this state folder, at {first.url}; stop it" in done.stderr
        assert "dogid model activate FILE" in done.stderr
    assert not (tmp_path / "other").exists()


def test_misspelt_inbox_leaves_no_state_folder(tmp_path: Path) -> None:
    inbox, state = tmp_path / "mispselt" / "inbox", tmp_path / "state"
    done = dogid("run", "--port", "0", "--inbox", str(inbox), "--state", str(state))

    assert "the inbox cannot be made" in done.stderr
    assert list(tmp_path.iterdir()) == []
