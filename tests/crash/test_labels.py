"""A daemon that is killed while people label photos: what it has answered with 200 is kept."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPException
from pathlib import Path

from dogid.ledger.database import open_for_reading
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch
from tests.support.photos import photo, put

_KILLS, _PEOPLE = 3, 4
_ANSWERS = 25  # before each kill


def label_until_killed(
    daemon: DaemonProcess, photo_id: int, life: int, kept: list[str], enough: threading.Event
) -> None:
    """Label a photo again and again, each time otherwise, and note what was answered."""
    number = 0
    while True:
        number += 1
        label = f"{life}-{photo_id}-{number}"
        body, headers = json.dumps({"label": label}).encode(), {"Content-Type": "application/json"}
        try:
            reply = fetch(daemon.url, f"/results/{photo_id}/label", method="POST", body=body, headers=headers)
        except (OSError, HTTPException):
            return
        assert reply.status == 200
        kept.append(label)
        if len(kept) >= _ANSWERS:
            enough.set()


def test_kill_loses_no_label_that_was_answered(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path / "inbox", tmp_path / "state")
    for number in range(_PEOPLE):
        put(daemon.inbox / f"{number}.jpg", photo(number))
    try:
        for life in range(_KILLS):
            daemon.start()
            daemon.wait_for_all_answers(_PEOPLE)
            ids, kept, enough = [result["id"] for result in daemon.results()], list[str](), threading.Event()
            with ThreadPoolExecutor(_PEOPLE) as people:
                done = [people.submit(label_until_killed, daemon, photo_id, life, kept, enough) for photo_id in ids]
                enough.wait(60)
                daemon.kill()
            for each in done:
                each.result()
            with closing(open_for_reading(daemon.state)) as db:
                stored = {label for (label,) in db.execute("SELECT label FROM review")}
            assert len(kept) >= _ANSWERS
            assert set(kept) <= stored
    finally:
        daemon.close()
