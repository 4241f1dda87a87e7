"""Damaged ledgers under a real daemon that clients ask: no request fails for ever, and it comes back by itself.

A bit in an index can hide a person's word, which is in its table still, until the next inspection, within a day: such
words are counted, and are no fault.
"""

import http.client
import random
import time
import urllib.parse
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from dogid.ledger.database import FILE_NAME
from tests.push.case_report import CaseReport
from tests.push.ledger_damage import files_hit, is_index_page
from tests.push.ledger_material import Material, make_material, stable_part
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch

_SECONDS = 60.0  # for a case
_SICK_SECONDS = 2.0  # before it is started again
_EVENT_SECONDS = 10.0
_PAUSE_SECONDS = 0.1
_PATHS = ("/results?limit=500", "/", "/healthz", "/status")


def serve_flipped_bits(folder: Path, cases: int = 40, present: int = 200, departed: int = 100) -> CaseReport:
    """Flip a bit at so many places of a ledger, one at a time; start a daemon on each, and ask it until all is well."""
    material, report, chance = make_material(folder, present, departed), CaseReport(), random.Random(2)
    data = (material.state / FILE_NAME).read_bytes()
    for _ in range(cases):
        place, bit = chance.randrange(len(data)), chance.randrange(8)
        changed = bytearray(data)
        changed[place] ^= 1 << bit
        state = material.copy(folder / "case")
        (state / FILE_NAME).write_bytes(changed)
        hit, hides_words = files_hit(material, data, place), is_index_page(data, place)
        _try_served(material, state, f"bit {bit} at {place}", hit, report, hides_words=hides_words)
    return report


def _try_served(
    material: Material, state: Path, name: str, hit: set[str], report: CaseReport, *, hides_words: bool
) -> None:
    report.figures["cases"] += 1
    report.figures["rows hit"] += len(hit)
    daemon = DaemonProcess(material.inbox, state)
    wrong, hidden, until = "nothing was asked", 0, time.monotonic() + _SECONDS
    try:
        daemon.start()
        sick_since: float | None = None
        while wrong and time.monotonic() < until:
            wrong, is_sick, hidden = _ask(daemon, material, hit, report, hides_words=hides_words)
            sick_since = (sick_since or time.monotonic()) if is_sick else None
            if not daemon.running or (sick_since is not None and time.monotonic() - sick_since > _SICK_SECONDS):
                daemon.close()  # as systemd does
                daemon.start()
                report.figures["restarts"] += 1
                sick_since = None
            time.sleep(_PAUSE_SECONDS)
        if wrong:
            report.faults.append(f"{name}: {wrong}")
        report.figures["words hidden until the next inspection"] += hidden
        report.figures["moved aside"] += any(".damaged-" in path.name for path in state.iterdir())
        if daemon.stop() != 0:
            report.faults.append(f"{name}: it does not end as it should")
    except AssertionError as error:
        report.faults.append(f"{name}: {error}")
    finally:
        daemon.close()


def _ask(
    daemon: DaemonProcess, material: Material, hit: set[str], report: CaseReport, *, hides_words: bool
) -> tuple[str, bool, int]:
    """Send the requests of clients.

    Return what is wrong with the answers, if anything, whether the daemon is unhealthy, and how many words are hidden.
    """
    try:
        replies = {path: fetch(daemon.url, path) for path in _PATHS}
        streamed = _read_events(daemon)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error}", False, 0
    bad = [f"{path}: {reply.status}" for path, reply in replies.items() if reply.status != HTTPStatus.OK]
    report.figures["failed requests"] += len(bad)
    is_sick = replies["/healthz"].status == HTTPStatus.SERVICE_UNAVAILABLE
    if bad or not streamed:
        return ", ".join(bad) or "no events", is_sick, 0
    results = replies["/results?limit=500"].document["results"]
    names = [result["file"] for result in results]
    twice = sorted({name for name in names if names.count(name) > 1})
    found = {result["file"]: result for result in results}
    hidden = {
        name
        for name, before in material.results.items()
        if hides_words and name in found and before["reviewed"] and not found[name]["reviewed"]
    }
    lost = [
        name
        for name, before in material.results.items()
        if (name not in hit and (name not in found or not _is_same(found[name], before, without_word=name in hidden)))
        or (name not in found and name not in material.departed)
    ]
    pending = [name for name in names if found[name]["status"] == "pending"]
    wrong = {"twice": twice, "lost or changed": lost, "pending": pending}
    return ", ".join(f"{what}: {files[0]}" for what, files in wrong.items() if files), is_sick, len(hidden)


def _is_same(after: Mapping[str, Any], before: Mapping[str, Any], *, without_word: bool) -> bool:
    left_out = {"reviewed"} if without_word else set[str]()
    return all(
        stable_part(dict(after))[key] == value
        for key, value in stable_part(dict(before)).items()
        if key not in left_out
    )


def _read_events(daemon: DaemonProcess) -> bool:
    """Follow the results from the first on; return whether any come."""
    address = urllib.parse.urlsplit(daemon.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=_EVENT_SECONDS)
    try:
        connection.request("GET", "/events", headers={"Last-Event-ID": "0"})
        response = connection.getresponse()
        if response.status != HTTPStatus.OK:
            return False
        while line := response.readline():
            if line.startswith(b"event: result"):
                return True
        return False
    finally:
        connection.close()
