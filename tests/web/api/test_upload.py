"""Photos that are sent to be kept: by a safe name in the inbox, whole or not at all, and never over another."""

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from dogid.daemon.daemon import Daemon
from dogid.settings import Settings
from dogid.web.api import upload
from dogid.web.app import create_app
from dogid.web.auth.access import Access
from tests.attacks.wire import connect, hold_connections, request_head
from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess, dogid
from tests.support.http_client import Reply, fetch, multipart_form
from tests.support.photos import photo, put
from tests.support.privileges import needs_root
from tests.support.waiting import eventually

SENDERS = 8
ABANDONED = ".dogid-upload-0123456789abcdef-0123456789abcdef.part"


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that keeps uploads, of at most 200,000 bytes; its inbox is a link to the real folder."""
    folder = tmp_path_factory.mktemp("keeping")
    (folder / "disk").mkdir()
    put(folder / "disk" / ABANDONED, photo(1))
    (folder / "inbox").symlink_to(folder / "disk", target_is_directory=True)
    flags = ("--settle", "1", "--allow-upload", "--max-upload", "200000")
    daemon = DaemonProcess(folder / "inbox", folder / "state", *flags)
    try:
        yield daemon.start()
    finally:
        daemon.close()


def send(daemon: DaemonProcess, name: str, data: bytes, **headers: str) -> Reply:
    """Send one photo as the body."""
    return fetch(daemon.url, f"/upload?name={quote(name)}", method="POST", body=data, headers=headers)


def files(daemon: DaemonProcess) -> set[str]:
    """All names in the inbox, also those that it ignores."""
    return {path.name for path in daemon.inbox.iterdir()}


def test_upload_is_kept_and_classified(keeping: DaemonProcess) -> None:
    data = photo(1)
    reply = send(keeping, "rex.jpg", data)

    assert (reply.status, reply.document) == (201, {"stored": [{"name": "rex.jpg", "file": "rex.jpg"}]})
    assert (keeping.inbox / "rex.jpg").read_bytes() == data
    assert not (keeping.inbox / "rex.jpg").stat().st_mode & 0o111
    assert send(keeping, "rex.jpg", data).document == reply.document  # as after an answer that was lost
    assert eventually(lambda: files(keeping) == {"rex.jpg"}, "what a killed upload left is gone")
    assert keeping.wait_for_classified("rex.jpg", data)["status"] == "classified"


def test_taken_name_gets_a_number(keeping: DaemonProcess) -> None:
    mine = put(keeping.inbox / "mine.jpg", photo(2))
    (keeping.inbox / "mine-2.jpg").symlink_to("/etc/passwd")
    stored = [send(keeping, "mine.jpg", photo(seed)).document["stored"][0]["file"] for seed in (3, 4)]

    assert stored == ["mine-3.jpg", "mine-4.jpg"]
    assert mine.read_bytes() == photo(2)
    assert (keeping.inbox / "mine-3.jpg").read_bytes() == photo(3)
    assert (keeping.inbox / "mine-2.jpg").is_symlink()


def test_many_at_once_with_one_name_are_all_kept(keeping: DaemonProcess) -> None:
    gate = threading.Barrier(SENDERS)

    def send_patiently(seed: int) -> str:
        gate.wait()
        while (reply := send(keeping, "camera/image.jpg", photo(seed))).status == 503:
            assert reply.code == "busy"
        return str(reply.document["stored"][0]["file"])

    with ThreadPoolExecutor(SENDERS) as pool:
        stored = list(pool.map(send_patiently, range(50, 50 + SENDERS)))

    assert set(stored) == {"image.jpg", *(f"image-{number}.jpg" for number in range(2, SENDERS + 1))}
    assert [(keeping.inbox / name).read_bytes() for name in stored] == [photo(50 + at) for at in range(SENDERS)]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("../../../etc/cron.d/evil.jpg", "evil.jpg"),
        ("..", "photo.jpg"),
        ("", "photo.jpg"),
        ("C:\\Users\\me\\win.JPG", "win.JPG"),
        ("nul\0byte\n.jpg", "nul_byte_.jpg"),
        (".hidden.jpg", "hidden.jpg"),
        ("~$half.part", "$half.part.jpg"),
        ("page.html", "page.html.jpg"),
        ("shell.jpg.exe", "shell.jpg.exe.jpg"),
        ("invoice\u202egpj.exe", "invoice_gpj.exe.jpg"),
        ("<img src=x onerror=alert(1)>.jpg", "_img src=x onerror=alert(1)_.jpg"),
        ("-rf.jpg", "rf.jpg"),
        ("שלום.jpg", "שלום.jpg"),
        ("n" * 300 + ".jpg", "n" * 196 + ".jpg"),
        ("犬" * 300 + ".jpg", "犬" * 65 + ".jpg"),
    ],
    ids=lambda name: ascii(name)[:20],
)
def test_names_are_made_safe(keeping: DaemonProcess, sent: str, stored: str) -> None:
    for path in keeping.inbox.iterdir():
        path.unlink()
    assert send(keeping, sent, photo(5)).document["stored"] == [{"name": sent, "file": stored}]
    assert files(keeping) == {stored}


def test_form_without_a_photo_is_answered_for_people(keeping: DaemonProcess) -> None:
    body, headers = multipart_form("", b"")
    page = fetch(keeping.url, "/upload", method="POST", body=body, headers={**headers, "Accept": "text/html"})

    assert page.status == 400
    assert "No photo was chosen" in page.body.decode()
    assert "curl" not in page.body.decode()


def test_form_keeps_all_photos_or_none(keeping: DaemonProcess) -> None:
    for path in keeping.inbox.iterdir():
        path.unlink()
    before = files(keeping)
    one, headers = multipart_form("form one.jpg", photo(6))
    end = one[one.rindex(b"\r\n--") :]
    two = multipart_form("notes.txt", b"no photo")[0]
    mark = end.strip().removesuffix(b"--")
    two = mark + two[two.index(b"\r\n") : two.rindex(b"\r\n--")]
    body = one.removesuffix(end) + b"\r\n" + two + end

    refused = fetch(keeping.url, "/upload", method="POST", body=body, headers=headers)
    assert (refused.status, refused.code) == (415, "unsupported_media_type")
    assert "notes.txt: not a photo" in refused.document["error"]["message"]
    assert files(keeping) == before

    empty = body.replace(b"no photo", b"")
    refused = fetch(keeping.url, "/upload", method="POST", body=empty, headers=headers)
    assert (refused.status, refused.document["error"]["message"]) == (415, "notes.txt: the file is empty")
    assert files(keeping) == before

    both = body.replace(b"no photo", photo(7)).replace(b"notes.txt", b"")
    page = fetch(keeping.url, "/upload", method="POST", body=both, headers={**headers, "Accept": "text/html"})
    assert page.status == 201
    assert files(keeping) - before == {"form one.jpg", "photo.jpg"}
    assert "2 photos are in the inbox" in page.body.decode()


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        (b"", "image/jpeg", 400, "no_photo"),
        (b"MZ\x90\0 no photo", "image/jpeg", 415, "unsupported_media_type"),
        (b"\0\0\0\x18ftypmp42" + bytes(5000), "image/jpeg", 415, "unsupported_media_type"),
        (photo(1), "text/html", 415, "unsupported_media_type"),
        (photo(1) + bytes(200_000), "image/jpeg", 413, "too_large"),
        (b"x", "multipart/form-data", 400, "bad_request"),
    ],
    ids=["empty", "program", "video", "other type", "too large", "no form"],
)
def test_what_is_no_photo_is_refused(keeping: DaemonProcess, data: bytes, kind: str, status: int, code: str) -> None:
    before = files(keeping)
    reply = send(keeping, "x.jpg", data, **{"Content-Type": kind})
    assert (reply.status, reply.code) == (status, code)
    assert files(keeping) == before


def test_default_type_of_curl_is_kept(keeping: DaemonProcess) -> None:
    reply = send(keeping, "curl.jpg", photo(20), **{"Content-Type": "application/x-www-form-urlencoded"})
    assert (reply.status, reply.document["stored"][0]["file"]) == (201, "curl.jpg")


def test_upload_that_hangs_asks_to_look_first(inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox.mkdir(exist_ok=True)
    answers = threading.Event()
    sync = os.fsync

    def hang(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) and os.path.samestat(os.fstat(descriptor), inbox.stat()):
            answers.wait()
        sync(descriptor)

    daemon = Daemon(Settings(inbox=inbox, state=tmp_path / "state", allow_upload=True))
    client = create_app(daemon, Access(None, frozenset({"localhost"})), contextlib.nullcontext).test_client()
    monkeypatch.setattr(upload, "_WRITE_SECONDS", 1.0)
    monkeypatch.setattr(os, "fsync", hang)
    reply = client.post("/upload?name=a.jpg", data=photo(1), content_type="image/jpeg")
    answers.set()

    assert (reply.status_code, reply.get_json()["error"]["code"]) == (503, "inbox_hangs")
    assert "look before you send it again" in reply.get_json()["error"]["message"]
    assert "Retry-After" not in reply.headers
    daemon.ledger.close()


def test_other_sites_cannot_upload(keeping: DaemonProcess) -> None:
    before = files(keeping)
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert send(keeping, "evil.jpg", photo(1), **headers).code == "foreign_origin"
    assert files(keeping) == before


def test_uploads_are_off_by_default(shared_daemon: DaemonProcess) -> None:
    assert send(shared_daemon, "a.jpg", photo(1)).code == "upload_off"
    assert files(shared_daemon) == set()
    assert "allow_upload = true" in fetch(shared_daemon.url, "/page/upload").body.decode()
    assert "/page/upload" not in fetch(shared_daemon.url, "/").body.decode()


def test_other_machines_need_a_token_to_upload() -> None:
    done = dogid("run", "--host", "0.0.0.0", "--port", "0", "--insecure-no-auth", "--allow-upload")
    assert done.returncode == 2
    assert "other machines could fill the inbox (allow_upload)" in done.stderr


def test_aborted_and_slow_uploads_leave_nothing(keeping: DaemonProcess) -> None:
    before = files(keeping)
    head = request_head(keeping, "/upload?name=half.jpg", "POST", Content_Length="190000", Content_Type="image/jpeg")
    with connect(keeping) as aborted:
        aborted.sendall(head + photo(8)[:5000])
    with hold_connections(keeping, 4) as connections:
        for connection in connections:
            connection.sendall(head + photo(8)[:100])
        data = photo(9, "PNG", size=(200, 200))
        assert len(data) > 65_536
        # slow ones are cut once they have had their time, and let others in
        assert eventually(lambda: send(keeping, "whole.png", data).status == 201, "a photo is kept beside slow uploads")
    assert files(keeping) - before == {"whole.png"}


@needs_root
def test_full_disk_refuses_and_leaves_nothing(make_daemon: MakeDaemon, inbox: Path) -> None:
    script = f'mount -t tmpfs -o size=104M,nr_inodes=3 tmpfs "{inbox}" && exec "$@"'
    before = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    daemon = make_daemon("--allow-upload", "--settle", "1", before=before).start()
    there = Path(f"/proc/{daemon.pid}/root{inbox}")
    assert send(daemon, "a.jpg", photo(1)).status == 201
    for fill, reason in (
        (bytes(1), "No space left on device; make room"),
        (bytes(9_900_000), "MB are free on its disk"),
    ):
        put(there / ".fill.tmp", fill)  # first no file more, then too few bytes
        reply = send(daemon, "b.jpg", photo(2))
        assert (reply.status, reply.code) == (507, "insufficient_storage")
        assert reason in reply.document["error"]["message"]
        assert {path.name for path in there.iterdir()} == {"a.jpg", ".fill.tmp"}
