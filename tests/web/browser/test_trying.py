"""A photo that is dropped on the page is answered for, and not kept."""

import base64
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.expected_scores import expected_scores
from tests.support.photos import photo
from tests.web.browser.gallery import HOSTILE
from tests.web.browser.visitor import Visitor

_DROP = """([name, data]) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const carried = new DataTransfer();
    carried.items.add(new File([bytes], name, {type: "image/jpeg"}));
    for (const kind of ["dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
    }
}"""


def drop(page: Page, name: str, data: bytes) -> None:
    """Drop a file on the page, as a file manager does."""
    page.evaluate(_DROP, [name, base64.b64encode(data).decode()])


def test_dropped_photo_is_classified_and_not_stored(page: Page, shared_daemon: DaemonProcess) -> None:
    data = photo(11)
    page.goto(shared_daemon.url)
    drop(page, "dropped.jpg", data)

    shown = page.locator("#answers li")
    expect(shown.locator("b")).to_have_text(next(iter(expected_scores(data))))
    expect(shown.locator(".file")).to_have_text("dropped.jpg")
    assert list(shared_daemon.inbox.iterdir()) == []
    assert shared_daemon.results() == []


def test_chosen_photo_is_classified(page: Page, shared_daemon: DaemonProcess, tmp_path: Path) -> None:
    chosen = tmp_path / HOSTILE
    chosen.write_bytes(photo(12))
    page.goto(shared_daemon.url)
    page.get_by_label("choose one").set_input_files(chosen)

    expect(page.locator("#answers li b")).to_have_text(next(iter(expected_scores(chosen.read_bytes()))))
    expect(page.locator("#answers .file")).to_have_text(HOSTILE)
    assert page.title() == "dogid"


def test_dropped_non_photo_shows_reason(visitor: Visitor, shared_daemon: DaemonProcess) -> None:
    visitor.expect_status(422)
    page = visitor.page
    page.goto(shared_daemon.url)
    page.get_by_label("choose one").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"no photo"})

    expect(page.locator("#answers li")).to_contain_text("Not classified: not a photo in a known format")


def test_file_above_upload_limit_is_not_sent(page: Page, make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("--max-upload", "2000").start()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto(daemon.url)
    drop(page, "large.jpg", photo(13))

    expect(page.locator("#answers li")).to_contain_text("larger than 2000 bytes (max_upload)")
    assert "POST" not in sent


def test_max_bytes_does_not_limit_uploads(page: Page, make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("--max-bytes", "2000").start()
    page.goto(daemon.url)
    drop(page, "large.jpg", photo(13))

    expect(page.locator("#answers li b")).to_have_text(next(iter(expected_scores(photo(13)))))


def test_error_of_a_proxy_is_shown_with_status(visitor: Visitor, shared_daemon: DaemonProcess) -> None:
    visitor.expect_status(502)
    page = visitor.page
    page.route("**/classify", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    page.goto(shared_daemon.url)
    drop(page, "a.jpg", photo(14))

    expect(page.locator("#answers li")).to_contain_text("Not classified: dogid returned status 502")
