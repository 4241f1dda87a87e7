"""Ways out of the inbox by `/?file=`."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.attacks.wire import exchange, multipart_form, request, request_head
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put

MINE, SECRET = photo(1, size=(64, 64)), photo(2, size=(64, 64))


@pytest.fixture(scope="module", autouse=True)
def secret(open_daemon: DaemonProcess) -> Path:
    """A photo beside the inbox that nobody may ask for, and links in the inbox that lead to it."""
    inbox = open_daemon.inbox
    put(inbox / "mine.jpg", MINE)
    secret = put(inbox.parent / "secret.jpg", SECRET)
    (inbox / "sub").mkdir()
    (inbox / "link.jpg").symlink_to("../secret.jpg")
    (inbox / "absolute.jpg").symlink_to(secret)
    (inbox / "up").symlink_to("..")
    (inbox / "system").symlink_to("/")
    (inbox / "self").symlink_to("/proc/self")
    (inbox / "sub" / "link.jpg").symlink_to("../../secret.jpg")
    (inbox / "chain.jpg").symlink_to("sub/link.jpg")
    (inbox / "loop").symlink_to("loop")
    put(inbox.parent / "inbox-of-others" / "secret.jpg", SECRET)
    return secret


TARGETS = [
    "../secret.jpg",
    "..%2fsecret.jpg",
    "..%2Fsecret.jpg",
    "%2e%2e/secret.jpg",
    "%2e%2e%2fsecret.jpg",
    "%252e%252e%252fsecret.jpg",  # decoded twice
    "%25252e%25252e%25252fsecret.jpg",
    "..%c0%afsecret.jpg",  # overlong UTF-8
    "%c0%ae%c0%ae/secret.jpg",
    "%e0%80%ae%e0%80%ae/secret.jpg",
    "..%ef%bc%8fsecret.jpg",  # a full-width solidus
    "%ef%bc%8e%ef%bc%8e/secret.jpg",
    "..\\secret.jpg",
    "..%5csecret.jpg",
    "%5c..%5c..%5csecret.jpg",
    "....//secret.jpg",
    "..../secret.jpg",
    "..;/secret.jpg",
    "./.././secret.jpg",
    "sub/../../secret.jpg",
    "sub//..//../secret.jpg",
    "../inbox/../secret.jpg",
    "../inbox-of-others/secret.jpg",
    "../secret.jpg%00.jpg",
    "%00../secret.jpg",
    "mine.jpg%00/../../secret.jpg",
    "../secret.jpg%0a",
    "%0d%0a../secret.jpg",
    "+../secret.jpg",
    "~/secret.jpg",
    "$HOME/secret.jpg",
    "link.jpg",
    "absolute.jpg",
    "up/secret.jpg",
    "sub/link.jpg",
    "chain.jpg",
    "loop",
    "mine.jpg/../../secret.jpg",
    "{secret}",
    "/{secret}",
    "{inbox}/../secret.jpg",
    "{inbox}-of-others/secret.jpg",
    "{inbox}/link.jpg",
    "file://{secret}",
    "file:{secret}",
    "file:///proc/self/root{secret}",
    "/proc/self/root{secret}",
    "/proc/self/cwd/../../../../../..{secret}",
    "system{secret}",
    "self/root{secret}",
    "self/cwd",
    "self/environ",
    "/proc/self/environ",
    "/dev/stdin",
    "/dev/fd/0",
    "/etc/passwd",
    "",
    ".",
    "..",
    "/",
    "a/" * 3000 + "secret.jpg",
    "../" * 2000 + "etc/passwd",
    "x" * 5000,
]


@pytest.mark.parametrize("name", TARGETS, ids=lambda name: name[:40])
def test_path_variants_stay_in_inbox(open_daemon: DaemonProcess, secret: Path, name: str) -> None:
    target = name.replace("{secret}", str(secret)).replace("{inbox}", str(open_daemon.inbox))

    reply = exchange(open_daemon, request_head(open_daemon, f"/?file={target}"))

    assert reply is not None
    assert reply.status in (400, 403, 404, 422), reply.body[:300]
    assert set(reply.document) == {"error"}
    assert str(open_daemon.inbox.parent).encode() not in reply.body, "the response reveals the path of the inbox"


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.jpg",
        "/%2e%2e/secret.jpg",
        "/results/../../secret.jpg",
        "/results/%2e%2e%2fsecret.jpg",
        "/page/static/../../../../../../../../etc/passwd",
        "/page/static/%2e%2e/%2e%2e/__init__.py",
        "/page/static/..%2f..%2fapp.py",
        "/page/static/%2fetc/passwd",
        "/page/static//etc/passwd",
        "/page/static/..\\..\\app.py",
        "//etc/passwd",
        "/static/../app.py",
    ],
)
def test_url_path_variants_reach_no_file(open_daemon: DaemonProcess, target: str) -> None:
    reply = exchange(open_daemon, request_head(open_daemon, target))

    assert reply is not None
    assert reply.status in (308, 400, 404)
    assert b"root:" not in reply.body
    assert b"import" not in reply.body
    assert not (reply.headers["Location"] or "").startswith("//"), "it sends people to another site"


@pytest.mark.parametrize("query", ["file=mine.jpg&file=../secret.jpg", "file=mine.jpg&%66ile=../secret.jpg"])
def test_repeated_file_parameter_is_refused(open_daemon: DaemonProcess, query: str) -> None:
    reply = exchange(open_daemon, request_head(open_daemon, f"/?{query}"))

    assert reply is not None
    assert reply.status == 400


def test_upload_name_is_never_a_path(open_daemon: DaemonProcess) -> None:
    before = _files(open_daemon.inbox.parent)
    headers, body = multipart_form(b"../../../sent.jpg", MINE)

    reply = request(open_daemon, "/classify", "POST", headers, body)

    assert reply.status == 200
    assert _files(open_daemon.inbox.parent) == before


SWAPPED = 600


@pytest.fixture
def swapping(open_daemon: DaemonProcess, secret: Path) -> Iterator[list[int]]:
    """In a loop: a photo becomes a link to the secret, a folder becomes a link to its parent, and back again."""
    inbox, over, swaps = open_daemon.inbox, threading.Event(), [0]
    outside = secret.parent / "outside"
    put(outside / "photo.jpg", SECRET)
    put(inbox / "folder" / "photo.jpg", MINE)
    put(inbox / "swapped.jpg", MINE)

    def swap() -> None:
        real, link = secret.parent / "real", secret.parent / "link"
        while not over.is_set():
            link.symlink_to(secret)
            os.replace(link, inbox / "swapped.jpg")
            put(real, MINE)
            os.replace(real, inbox / "swapped.jpg")
            os.rename(inbox / "folder", secret.parent / "folder-away")
            (inbox / "folder").symlink_to(outside)
            os.unlink(inbox / "folder")
            os.rename(secret.parent / "folder-away", inbox / "folder")
            swaps[0] += 1

    thread = threading.Thread(target=swap)
    thread.start()
    yield swaps
    over.set()
    thread.join()


def test_swapped_links_never_leak_outside_photo(open_daemon: DaemonProcess, swapping: list[int]) -> None:
    mine = request(open_daemon, "/?file=mine.jpg").document
    theirs = request(open_daemon, "/classify", "POST", body=SECRET).document["scores"]
    assert dict(zip(*mine, strict=True)) != theirs, "the two photos must have different scores"

    def ask(number: int) -> tuple[int, object]:
        reply = request(open_daemon, "/?file=" + ("swapped.jpg", "folder/photo.jpg")[number % 2])
        return reply.status, reply.document

    with ThreadPoolExecutor(2) as askers:  # as many as the daemon answers at once
        replies = list(askers.map(ask, range(SWAPPED)))

    assert swapping[0] > 50, "the files were not swapped while they were asked for"
    answers = [answer for status, answer in replies if status == 200]
    assert len(answers) > 50, "hardly any request met a file"
    assert all(answer == mine for answer in answers), "the secret was read"
    assert {status for status, _ in replies} <= {200, 403, 404, 422, 503}


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.suffix == ".jpg"}
