"""A photo that is dropped on the page is answered for, and not kept."""

import base64
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.conftest import MakeDaemon
from tests.support.answers import answer
from tests.support.daemon import DaemonProcess
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


def test_a_photo_that_is_dropped_is_answered_and_not_kept(page: Page, daemon: DaemonProcess, inbox: Path) -> None:
    data = photo(11)
    page.goto(daemon.url)
    drop(page, "dropped.jpg", data)

    told = page.locator("#answers li")
    expect(told.locator("b")).to_have_text(next(iter(answer(data))))
    expect(told.locator(".file")).to_have_text("dropped.jpg")
    assert list(inbox.iterdir()) == []
    assert daemon.results() == []


def test_a_photo_that_is_chosen_is_answered(page: Page, daemon: DaemonProcess, tmp_path: Path) -> None:
    chosen = tmp_path / HOSTILE
    chosen.write_bytes(photo(12))
    page.goto(daemon.url)
    page.get_by_label("choose one").set_input_files(chosen)

    expect(page.locator("#answers li b")).to_have_text(next(iter(answer(chosen.read_bytes()))))
    expect(page.locator("#answers .file")).to_have_text(HOSTILE)
    assert page.title() == "dogid"


def test_a_file_that_is_no_photo_is_refused_with_the_reason(visitor: Visitor, daemon: DaemonProcess) -> None:
    visitor.expects(422)
    page = visitor.page
    page.goto(daemon.url)
    page.get_by_label("choose one").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"no photo"})

    expect(page.locator("#answers li")).to_contain_text("Not classified: not a photo in a known format")


def test_a_file_above_the_limit_is_not_even_sent(page: Page, make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("--max-upload", "2000").start()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto(daemon.url)
    drop(page, "large.jpg", photo(13))

    expect(page.locator("#answers li")).to_contain_text("larger than 2000 bytes (max_upload)")
    assert "POST" not in sent


def test_a_photo_that_would_be_too_large_in_the_inbox_may_be_tried(page: Page, make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("--max-bytes", "2000").start()
    page.goto(daemon.url)
    drop(page, "large.jpg", photo(13))

    expect(page.locator("#answers li b")).to_have_text(next(iter(answer(photo(13)))))


def test_an_answer_that_is_no_answer_is_told_with_its_status(visitor: Visitor, daemon: DaemonProcess) -> None:
    visitor.expects(502)
    page = visitor.page
    page.route("**/classify", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    page.goto(daemon.url)
    drop(page, "a.jpg", photo(14))

    expect(page.locator("#answers li")).to_contain_text("Not classified: dogid returned status 502")
