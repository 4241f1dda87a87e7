"""Disks that hang under a real daemon, with its own limits of time: all say so, uploads answer, and it recovers."""

import functools
import os
import tempfile
import time
from http import HTTPStatus
from pathlib import Path

from dogid.conditions import inbox_hangs, ledger_hangs
from tests.push.report import Report
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch
from tests.support.photos import photo, put
from tests.support.remote_disk import RemoteDisk
from tests.support.waiting import eventually

_SECONDS = 180.0  # until a disk that hangs is unhealthy: it takes a minute and a half
_HANGS = 2
_JPEG = {"Content-Type": "image/jpeg"}


def push_hung_mounts() -> Report:
    """Let the disk of the inbox hang, and that of the state folder, each several times."""
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    report = Report()
    for what in ("inbox", "state"):
        with tempfile.TemporaryDirectory(prefix="dogid-push-", ignore_cleanup_errors=True) as folder:
            _hang(Path(folder), what, report)
    return report


def _hang(folder: Path, what: str, report: Report) -> None:
    inbox, state = folder / "inbox", folder / "state"
    inbox.mkdir()
    state.mkdir()
    disk = RemoteDisk(folder / "remote", folder / what)
    daemon = DaemonProcess(inbox, state).start()
    message = inbox_hangs(inbox) if what == "inbox" else ledger_hangs(state)
    arriving = disk.folder if what == "inbox" else inbox
    try:
        for number in range(_HANGS):
            name = f"{number}.jpg"
            put(arriving / f"before-{name}", photo(2 * number))
            daemon.wait_for_all_answers(2 * number + 1)
            disk.hang()
            began = time.monotonic()
            put(arriving / name, photo(2 * number + 1))
            eventually(functools.partial(_is_named, daemon, message), f"/healthz says: {message}", _SECONDS)
            seconds = time.monotonic() - began
            upload = fetch(
                daemon.url, "/classify", method="POST", body=photo(1), headers={"Content-Type": "image/jpeg"}
            )
            disk.resume()
            began = time.monotonic()
            daemon.wait_for_all_answers(2 * number + 2)
            eventually(functools.partial(_is_healthy, daemon), "it is healthy again", _SECONDS)
            again = time.monotonic() - began
            report.figures.append(
                f"{what} hangs: /healthz says so after {seconds:.0f} s, all is well {again:.0f} s after"
            )
            # a photo of an upload is noted in the state folder while it is decoded
            right = upload.status == HTTPStatus.OK
            if what == "state":
                right = (upload.status, upload.document.get("error", {}).get("message")) == (503, message)
            if not right:
                report.faults.append(f"{what} hangs: an upload is answered by {upload.status}: {upload.document}")
        if "Traceback" in daemon.log_text():
            report.faults.append(f"{what}: a traceback is in the log")
        disk.resume()
        if daemon.stop() != 0:
            report.faults.append(f"{what}: it does not end as it should")
    except AssertionError as error:
        report.faults.append(f"{what}: {error}")
    finally:
        disk.resume()
        daemon.close()
        disk.close()


def _is_named(daemon: DaemonProcess, message: str) -> bool:
    reply = fetch(daemon.url, "/healthz")
    return reply.status == HTTPStatus.SERVICE_UNAVAILABLE and reply.document["error"]["message"] == message


def _is_healthy(daemon: DaemonProcess) -> bool:
    return fetch(daemon.url, "/healthz").status == HTTPStatus.OK
