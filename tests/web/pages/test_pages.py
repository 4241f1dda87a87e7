"""What the page's addresses answer, asked of a real daemon without a browser."""

import io
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from html import unescape
from pathlib import Path

import numpy as np
from PIL import Image

from dogid.photo.decode import decode
from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, picture, put

SMALL = 66_000  # bytes, of all that a visitor loads besides thumbnails


def ask(daemon: DaemonProcess, path: str, **headers: str) -> tuple[int, bytes, Message]:
    """GET a path; return status, body and headers, whatever the status."""
    request = urllib.request.Request(urllib.parse.urljoin(daemon.url, path), headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def thumbnail(daemon: DaemonProcess, name: str) -> tuple[int, bytes, Message]:
    """Ask for the thumbnail of a file's present result."""
    return ask(daemon, f"/page/thumbnail/{daemon.wait_for_answer(name)['id']}")


def addresses(daemon: DaemonProcess, name: str) -> tuple[str, str, str]:
    """Where the page and a photo's own page say that its pictures are: tile, large, what the model saw."""
    number = daemon.wait_for_answer(name)["id"]
    html = ask(daemon, "/")[1].decode() + ask(daemon, f"/page/photo/{number}")[1].decode()
    tile, large, seen = re.findall(rf'src="(/page/(?:thumbnail|seen)/{number}\b[^"]*)"', html)
    return tile, unescape(large), seen


def test_pages_are_smaller_than_70_kilobytes(daemon: DaemonProcess, inbox: Path) -> None:
    for number in range(30):
        put(inbox / f"Camera {number % 8}" / f"garden-2026-11-{number:02d}T12-00-00.jpg", photo(number, size=(64, 64)))
    daemon.wait_for_all_answers(30)

    for path, photos in (("/", 24), ("/review", 30), ("/status", 0)):
        _, html, _ = ask(daemon, path, Accept="text/html")
        parts = set(re.findall(r'(?:href|src)="(/page/static/[^"]+)"', html.decode()))
        sizes = {part: len(ask(daemon, part)[1]) for part in parts}

        assert {part.rpartition(".")[2].partition("?")[0] for part in parts} == {"css", "js", "svg"}
        assert html.count(b"/page/thumbnail/") == photos
        assert len(html) + sum(sizes.values()) < SMALL, (len(html), sizes)


def test_static_files_are_cached_under_versioned_addresses(
    shared_daemon: DaemonProcess,
) -> None:
    _, html, _ = ask(shared_daemon, "/")
    address = re.findall(r'href="(/page/static/page.css[^"]+)"', html.decode())[0]
    status, _, headers = ask(shared_daemon, address)
    assert (status, headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")

    bare = address.partition("?")[0]
    assert ask(shared_daemon, bare)[2]["Cache-Control"] == "no-cache"
    assert ask(shared_daemon, bare, **{"If-None-Match": headers["ETag"]})[0] == 304
    assert ask(shared_daemon, "/page/static/..%2fviews.py")[0] == 404
    assert ask(shared_daemon, "/page/static/nothing.css")[0] == 404


def test_thumbnail_is_small_upright_and_undistorted(shared_daemon: DaemonProcess) -> None:
    sideways = Image.Exif()
    sideways[0x0112] = 6
    put(shared_daemon.inbox / "turned.jpg", photo(1, size=(1200, 600), exif=sideways))

    status, data, headers = thumbnail(shared_daemon, "turned.jpg")
    shown = Image.open(io.BytesIO(data))

    assert (status, headers["Content-Type"], shown.format) == (200, "image/jpeg", "JPEG")
    assert shown.size == (160, 320)
    upright = picture(1, (1200, 600)).transpose(Image.Transpose.ROTATE_270).resize((160, 320))
    assert np.abs(np.asarray(shown, float) - np.asarray(upright, float)).mean() < 12


def test_pictures_are_cached_by_browsers(shared_daemon: DaemonProcess) -> None:
    put(shared_daemon.inbox / "kept.jpg", photo(1))
    tags = set()
    for path in addresses(shared_daemon, "kept.jpg"):
        _, _, headers = ask(shared_daemon, path)
        assert headers["Cache-Control"] == "private, max-age=86400"
        status, body, again = ask(shared_daemon, path, **{"If-None-Match": headers["ETag"]})
        assert (status, body, again["ETag"]) == (304, b"", headers["ETag"])
        tags.add(headers["ETag"])
    assert len(tags) == 3


def test_only_versioned_picture_urls_are_cached(make_daemon: MakeDaemon, inbox: Path, tmp_path: Path) -> None:
    before: dict[str, bytes] = {}
    for seed in (1, 2):
        put(inbox / "a.jpg", photo(seed))
        daemon = make_daemon("--settle", "1", state=tmp_path / f"state-{seed}").start()
        assert daemon.wait_for_classified("a.jpg", photo(seed))["id"] == 1
        for path in addresses(daemon, "a.jpg"):
            assert path not in before, "a browser would show what it has kept of another photo"
            before[path] = ask(daemon, path)[1]
            bare = path.partition("?")[0]
            assert ask(daemon, bare)[2]["Cache-Control"] == "private, no-cache"
        daemon.stop()

    daemon = make_daemon("--settle", "1", state=tmp_path / "state-2").start()
    for path in before:
        kept = ask(daemon, path)[2]["Cache-Control"] == "private, max-age=86400"
        assert kept == (path in addresses(daemon, "a.jpg"))


def test_original_is_the_files_bytes_and_no_page(shared_daemon: DaemonProcess) -> None:
    name = "<b>ü\u202e.html.jpg"
    data = photo(5, kind="PNG")
    file = put(shared_daemon.inbox / name, data)
    put(shared_daemon.inbox / "text.jpg", b"<html><script>x</script>")
    number = shared_daemon.wait_for_answer(name)["id"]
    broken = shared_daemon.wait_for_answer("text.jpg")["id"]

    status, body, headers = ask(shared_daemon, f"/page/original/{number}")
    assert (status, body, headers["Content-Type"]) == (200, data, "image/png")
    assert headers["Content-Disposition"] == f"inline; filename*=UTF-8''{urllib.parse.quote(name, safe='')}"
    assert headers["X-Content-Type-Options"] == "nosniff"
    put(file, photo(6, kind="PNG"))
    shared_daemon.wait_for_classified(name, photo(6, kind="PNG"))
    for gone in (number, broken, 1 << 63):
        assert ask(shared_daemon, f"/page/original/{gone}")[0] == 404


def test_deleted_photo_gives_404_to_conditional_request(shared_daemon: DaemonProcess) -> None:
    file = put(shared_daemon.inbox / "deleted.jpg", photo(1))
    tags = {path: ask(shared_daemon, path)[2]["ETag"] for path in addresses(shared_daemon, "deleted.jpg")}
    file.unlink()

    for path, tag in tags.items():
        assert ask(shared_daemon, path, **{"If-None-Match": tag})[0] == 404


def test_deleted_photo_has_no_thumbnail(
    shared_daemon: DaemonProcess,
) -> None:
    file = put(shared_daemon.inbox / "left.jpg", photo(1))
    assert thumbnail(shared_daemon, "left.jpg")[0] == 200
    file.unlink()

    status, body, headers = thumbnail(shared_daemon, "left.jpg")
    assert (status, headers["Content-Type"]) == (404, "image/svg+xml; charset=utf-8")
    assert b"no longer in the inbox" in body


def test_older_result_never_shows_newer_photo(
    shared_daemon: DaemonProcess,
) -> None:
    put(shared_daemon.inbox / "replaced.jpg", photo(1))
    old = shared_daemon.wait_for_classified("replaced.jpg", photo(1))
    assert ask(shared_daemon, f"/page/thumbnail/{old['id']}")[0] == 200
    put(shared_daemon.inbox / "replaced.jpg", photo(2))
    new = shared_daemon.wait_for_classified("replaced.jpg", photo(2))

    assert ask(shared_daemon, f"/page/thumbnail/{old['id']}")[0] == 404
    assert ask(shared_daemon, f"/page/seen/{old['id']}")[0] == 404
    assert ask(shared_daemon, f"/page/thumbnail/{new['id']}")[0] == 200
    _, html, _ = ask(shared_daemon, f"/page/photo/{old['id']}")
    assert f'href="/page/photo/{new["id"]}"' in html.decode()


def test_no_thumbnail_of_photo_outside_inbox(shared_daemon: DaemonProcess, tmp_path: Path) -> None:
    outside = put(tmp_path / "secret.jpg", photo(1))
    put(shared_daemon.inbox / "outside.jpg", photo(1))
    result = shared_daemon.wait_for_classified("outside.jpg", photo(1))
    os.replace(outside, tmp_path / "moved.jpg")
    (shared_daemon.inbox / "outside.jpg").unlink()
    (shared_daemon.inbox / "outside.jpg").symlink_to(tmp_path / "moved.jpg")

    assert ask(shared_daemon, f"/page/thumbnail/{result['id']}")[0] == 404
    assert ask(shared_daemon, f"/page/seen/{result['id']}")[0] == 404


def test_seen_picture_is_exact_model_input(shared_daemon: DaemonProcess) -> None:
    data = photo(3, size=(700, 500))
    put(shared_daemon.inbox / "seen.jpg", data)
    status, png, _ = ask(shared_daemon, f"/page/seen/{shared_daemon.wait_for_answer('seen.jpg')['id']}")

    assert status == 200
    shown = Image.open(io.BytesIO(png))
    assert shown.format == "PNG"
    assert np.array_equal(np.asarray(shown), decode(data, (224, 224)).pixels)


def test_pending_photo_is_shown_with_reason(waiting_daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "half.jpg", photo(1)[:5000])
    result = waiting_daemon.wait_for_pending("half.jpg", "truncated")

    status, html, _ = ask(waiting_daemon, "/")
    assert status == 200
    assert "Pending" in html.decode()
    status, html, _ = ask(waiting_daemon, f"/page/photo/{result['id']}")
    assert status == 200
    assert "The file ends early." in html.decode()
    assert ask(waiting_daemon, f"/page/thumbnail/{result['id']}")[0] == 404


def test_invalid_filters_show_the_page(shared_daemon: DaemonProcess) -> None:
    for query in ("status=nonsense", "before=x", "before=99999999999999999999", "label=%00%ff", "before=-1", "x=y"):
        assert ask(shared_daemon, f"/?{query}")[0] == 200


def test_missing_result_is_an_html_404(daemon: DaemonProcess) -> None:
    for number in (1, 1 << 63, 1 << 80):
        status, body, headers = ask(daemon, f"/page/photo/{number}")
        assert (status, headers["Content-Type"]) == (404, "text/html; charset=utf-8")
        assert f"There is no result {number}" in body.decode()
        assert ask(daemon, f"/page/thumbnail/{number}")[0] == 404


def test_login_form_shows_failure(shared_daemon: DaemonProcess) -> None:
    _, form, _ = ask(shared_daemon, "/page/login")
    assert b'<form action="/login" method="post">' in form
    assert b'name="token"' in form
    assert b'role="alert"' not in form
    assert b'role="alert"' in ask(shared_daemon, "/page/login?failed=1")[1]


def test_page_has_no_inline_styles_or_scripts(shared_daemon: DaemonProcess) -> None:
    put(shared_daemon.inbox / "plain.jpg", photo(1))
    result = shared_daemon.wait_for_answer("plain.jpg")
    for path in ("/", f"/page/photo/{result['id']}", "/page/login"):
        html = ask(shared_daemon, path)[1].decode()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src=)|(?:src|href)=\"(?:https?:)?//", html)


def test_sign_out_is_shown_to_signed_in_users(daemon: DaemonProcess) -> None:
    for path, status in (("/", 200), ("/page/photo/1", 404)):
        assert b'action="/logout"' not in ask(daemon, path)[1]
        answer = ask(daemon, path, Cookie="dogid_session=x")
        assert answer[0] == status
        assert b'<form class="out" action="/logout" method="post"><button>Sign out</button></form>' in answer[1]
    assert b'action="/logout"' not in ask(daemon, "/page/login", Cookie="dogid_session=x")[1]
