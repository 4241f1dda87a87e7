"""Photos that are sent to `POST /classify`: answered, and kept nowhere."""

import hashlib
import json
import os
import threading

import pytest

from tests.conftest import MakeDaemon
from tests.support.daemon import ROOT, DaemonProcess, environment
from tests.support.expected_scores import expected_scores
from tests.support.http_client import Reply, fetch, multipart_form
from tests.support.photos import photo
from tests.support.waiting import eventually
from tests.web.api.result_fields import FIELDS


def test_form_upload_gets_result_like_inbox(shared_daemon: DaemonProcess) -> None:
    data = photo(1, size=(300, 200))
    body, headers = multipart_form("meadow.jpg", data)

    reply = fetch(shared_daemon.url, "/classify", method="POST", body=body, headers=headers)

    result = reply.document
    assert reply.status == 200
    assert set(result) == FIELDS
    assert result["scores"] == expected_scores(data)
    assert (result["status"], result["file"], result["id"]) == ("classified", "meadow.jpg", None)
    assert (result["width"], result["height"]) == (300, 200)
    assert result["sha256"] == hashlib.sha256(data).hexdigest()
    assert list(shared_daemon.inbox.iterdir()) == []
    assert shared_daemon.status()["counts"] == {"pending": 0, "classified": 0, "failed": 0}


@pytest.mark.parametrize(
    "kind", [None, "image/jpeg", "image/x-whatever", "application/octet-stream", "application/x-www-form-urlencoded"]
)
def test_photo_may_be_the_raw_body(shared_daemon: DaemonProcess, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    reply = fetch(shared_daemon.url, "/classify", method="POST", body=photo(1), headers=headers)
    assert (reply.status, reply.document["scores"]) == (200, expected_scores(photo(1)))


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "video/mp4"])
def test_other_media_types_are_refused(shared_daemon: DaemonProcess, kind: str) -> None:
    reply = fetch(shared_daemon.url, "/classify", method="POST", body=photo(1), headers={"Content-Type": kind})
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"no photo at all", "unsupported"), (photo(1)[:3000], "truncated"), (photo(1, "PNG")[:300], "truncated")],
)
def test_undecodable_upload_gets_code_like_inbox(shared_daemon: DaemonProcess, data: bytes, code: str) -> None:
    reply = fetch(shared_daemon.url, "/classify", method="POST", body=data)
    assert (reply.status, reply.code) == (422, code)


def test_upload_without_photo_shows_how_to_send(shared_daemon: DaemonProcess) -> None:
    body, headers = multipart_form("a.jpg", photo(1), field="picture")
    for reply in (
        fetch(shared_daemon.url, "/classify", method="POST"),
        fetch(shared_daemon.url, "/classify", method="POST", body=body, headers=headers),
    ):
        assert (reply.status, reply.code) == (400, "no_photo")
        assert "--form file=@photo.jpg" in reply.document["error"]["message"]


@pytest.mark.parametrize("in_a_form", [True, False])
def test_upload_above_limit_is_refused(make_daemon: MakeDaemon, *, in_a_form: bool) -> None:
    daemon = make_daemon("--max-upload", "20000").start()
    for size in (20_001, 100_000):
        body, headers = multipart_form("a.jpg", bytes(size)) if in_a_form else (bytes(size), {})
        reply = fetch(daemon.url, "/classify", method="POST", body=body, headers=headers)
        assert (reply.status, reply.code) == (413, "too_large")


def test_uploads_beyond_capacity_get_retry_after(daemon: DaemonProcess) -> None:
    slow = photo(1, "PNG", size=(3000, 2000))
    replies = []

    def send() -> None:
        replies.append(fetch(daemon.url, "/classify", method="POST", body=slow))

    senders = [threading.Thread(target=send) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    statuses = {reply.status for reply in replies}
    assert statuses == {200, 503}
    assert all(int(reply.headers["Retry-After"]) > 0 for reply in replies if reply.status == 503)


def test_hanging_upload_times_out_and_blocks_nobody(make_daemon: MakeDaemon) -> None:
    hang = ROOT / "tests" / "support" / "harmful"
    word = b"a photo that hangs the decoder"
    path = os.pathsep.join([str(hang), environment()["PYTHONPATH"]])
    daemon = make_daemon("--decode-timeout", "1", environ={"PYTHONPATH": path}).start()

    reply = fetch(daemon.url, "/classify", method="POST", body=photo(1) + word)

    assert (reply.status, reply.code) == (422, "too_large")
    assert "decode_timeout" in reply.document["error"]["message"]

    def again() -> Reply | None:  # on a busy machine one more may take longer than a second
        next_reply = fetch(daemon.url, "/classify", method="POST", body=photo(1))
        return next_reply if next_reply.status == 200 else None

    assert eventually(again, "the next photo is classified").document["scores"] == expected_scores(photo(1))


def test_upload_name_is_returned_unchanged(shared_daemon: DaemonProcess) -> None:
    name = "<img src=x onerror=alert(1)>é.jpg"
    body, headers = multipart_form(name, photo(1))
    reply = fetch(shared_daemon.url, "/classify", method="POST", body=body, headers=headers)
    assert json.loads(reply.body)["file"] == name
