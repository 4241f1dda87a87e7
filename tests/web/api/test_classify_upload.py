"""Photos that are sent to `POST /classify`: answered, and kept nowhere."""

import hashlib
import json
import os
import threading

import pytest

from tests.conftest import MakeDaemon
from tests.support.answers import answer
from tests.support.asking import ask, form
from tests.support.daemon import ROOT, DaemonProcess, environment
from tests.support.photos import photo
from tests.web.api.result_fields import FIELDS


def test_a_photo_in_a_form_gets_the_answer_that_the_inbox_would_give(shared_daemon: DaemonProcess) -> None:
    data = photo(1, size=(300, 200))
    body, headers = form("meadow.jpg", data)

    reply = ask(shared_daemon.url, "/classify", method="POST", body=body, headers=headers)

    result = reply.document
    assert reply.status == 200
    assert set(result) == FIELDS
    assert result["scores"] == answer(data)
    assert (result["status"], result["file"], result["id"]) == ("classified", "meadow.jpg", None)
    assert (result["width"], result["height"]) == (300, 200)
    assert result["sha256"] == hashlib.sha256(data).hexdigest()
    assert list(shared_daemon.inbox.iterdir()) == []
    assert shared_daemon.status()["counts"] == {"pending": 0, "classified": 0, "failed": 0}


@pytest.mark.parametrize(
    "kind", [None, "image/jpeg", "image/x-whatever", "application/octet-stream", "application/x-www-form-urlencoded"]
)
def test_a_photo_may_be_the_body_itself(shared_daemon: DaemonProcess, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    reply = ask(shared_daemon.url, "/classify", method="POST", body=photo(1), headers=headers)
    assert (reply.status, reply.document["scores"]) == (200, answer(photo(1)))


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "video/mp4"])
def test_what_cannot_be_a_photo_is_refused_by_its_type(shared_daemon: DaemonProcess, kind: str) -> None:
    reply = ask(shared_daemon.url, "/classify", method="POST", body=photo(1), headers={"Content-Type": kind})
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"no photo at all", "unsupported"), (photo(1)[:3000], "truncated"), (photo(1, "PNG")[:300], "truncated")],
)
def test_a_photo_that_cannot_be_read_is_refused_with_the_code_that_the_inbox_would_give(
    shared_daemon: DaemonProcess, data: bytes, code: str
) -> None:
    reply = ask(shared_daemon.url, "/classify", method="POST", body=data)
    assert (reply.status, reply.code) == (422, code)


def test_a_request_without_a_photo_says_how_to_send_one(shared_daemon: DaemonProcess) -> None:
    body, headers = form("a.jpg", photo(1), field="picture")
    for reply in (
        ask(shared_daemon.url, "/classify", method="POST"),
        ask(shared_daemon.url, "/classify", method="POST", body=body, headers=headers),
    ):
        assert (reply.status, reply.code) == (400, "no_photo")
        assert "--form file=@photo.jpg" in reply.document["error"]["message"]


@pytest.mark.parametrize("in_a_form", [True, False])
def test_more_bytes_than_allowed_are_refused(make_daemon: MakeDaemon, *, in_a_form: bool) -> None:
    daemon = make_daemon("--max-upload", "20000").start()
    for size in (20_001, 100_000):
        body, headers = form("a.jpg", bytes(size)) if in_a_form else (bytes(size), {})
        reply = ask(daemon.url, "/classify", method="POST", body=body, headers=headers)
        assert (reply.status, reply.code) == (413, "too_large")


def test_photos_that_come_faster_than_they_can_be_answered_are_told_to_come_again(daemon: DaemonProcess) -> None:
    slow = photo(1, "PNG", size=(3000, 2000))
    replies = []

    def send() -> None:
        replies.append(ask(daemon.url, "/classify", method="POST", body=slow))

    senders = [threading.Thread(target=send) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    statuses = {reply.status for reply in replies}
    assert statuses == {200, 503}
    assert all(int(reply.headers["Retry-After"]) > 0 for reply in replies if reply.status == 503)


def test_a_photo_that_hangs_the_decoder_fails_in_time_and_holds_nobody_up(make_daemon: MakeDaemon) -> None:
    hang = ROOT / "tests" / "support" / "harmful"
    word = b"a photo that hangs the decoder"
    path = os.pathsep.join([str(hang), environment()["PYTHONPATH"]])
    daemon = make_daemon("--decode-timeout", "1", environ={"PYTHONPATH": path}).start()

    reply = ask(daemon.url, "/classify", method="POST", body=photo(1) + word)

    assert (reply.status, reply.code) == (422, "too_large")
    assert "decode_timeout" in reply.document["error"]["message"]
    again = ask(daemon.url, "/classify", method="POST", body=photo(1))
    assert again.document["scores"] == answer(photo(1))


def test_a_name_with_anything_in_it_comes_back_as_it_was(shared_daemon: DaemonProcess) -> None:
    name = "<img src=x onerror=alert(1)>é.jpg"
    body, headers = form(name, photo(1))
    reply = ask(shared_daemon.url, "/classify", method="POST", body=body, headers=headers)
    assert json.loads(reply.body)["file"] == name
