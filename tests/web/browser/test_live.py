"""The page keeps itself up to date."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.web.browser.visitor import Visitor

SOON = 30_000  # milliseconds
LOOK_AGAIN = "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))"


def test_empty_inbox_shows_what_to_do(page: Page, daemon: DaemonProcess, inbox: Path) -> None:
    page.goto(daemon.url)

    expect(page.get_by_role("heading", name="No photos yet")).to_be_visible()
    expect(page.locator("#empty pre")).to_have_text(f"cp photo.jpg {inbox}/")


def test_arriving_photo_appears_without_reload(page: Page, daemon: DaemonProcess, inbox: Path) -> None:
    page.goto(daemon.url)
    page.evaluate("window.sameDocument = true")

    put(inbox / "first.jpg", photo(1))
    result = daemon.wait_for_answer("first.jpg")

    tile = page.locator("#photos > li")
    expect(tile).to_have_count(1, timeout=SOON)
    expect(tile.locator(".answer b")).to_have_text(result["label"])
    expect(tile.locator(".file")).to_have_text("first.jpg")
    expect(page.locator("#empty")).not_to_contain_text("No photos")
    expect(page.get_by_role("link", name=re.compile("^All 1$"))).to_be_visible()
    expect(page.locator("#chart title").last).to_contain_text(f"1 {result['label']}")
    expect(page.get_by_role("status")).to_contain_text(result["label"])
    assert page.evaluate("window.sameDocument")


def test_new_tile_comes_first_and_focus_stays(page: Page, daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "a.jpg", photo(1))
    daemon.wait_for_answer("a.jpg")
    page.goto(daemon.url)
    page.locator("#photos a").first.focus()

    put(inbox / "b.jpg", photo(2))

    expect(page.locator("#photos .file")).to_have_text(["b.jpg", "a.jpg"], timeout=SOON)
    assert page.evaluate("document.activeElement.querySelector('.file').textContent") == "a.jpg"


def test_failing_photo_appears_with_reason(page: Page, daemon: DaemonProcess, inbox: Path) -> None:
    page.goto(daemon.url)

    put(inbox / "text.jpg", b"no photo")

    expect(page.locator("#photos > li")).to_contain_text("dogid does not decode this kind of file.", timeout=SOON)


def test_page_polls_without_events(visitor: Visitor, daemon: DaemonProcess, inbox: Path) -> None:
    page = visitor.page
    visitor.expect_status(404)
    page.route("**/events", lambda route: route.fulfill(status=404, body=""))
    page.goto(daemon.url)

    put(inbox / "a.jpg", photo(1))

    expect(page.locator("#photos .file")).to_have_text(["a.jpg"], timeout=SOON)


def test_page_reports_lost_connection_and_recovers(visitor: Visitor, make_daemon: MakeDaemon, inbox: Path) -> None:
    daemon = make_daemon("--settle", "1").start()
    page = visitor.page
    page.goto(daemon.url)
    gone: list[Route] = []

    def refuse(route: Route) -> None:
        gone.append(route)
        route.abort("connectionrefused")

    page.route("**/*", refuse)
    page.evaluate(LOOK_AGAIN)
    expect(page.locator("#link")).to_have_text("No connection to dogid; trying again", timeout=SOON)

    page.unroute("**/*")
    put(inbox / "a.jpg", photo(1))
    expect(page.locator("#photos .file")).to_have_text(["a.jpg"], timeout=SOON)
    expect(page.locator("#link")).to_be_hidden()
    assert gone


def respond_with(status: int) -> Callable[[Route], None]:
    """Return a handler that answers every request with an error."""
    return lambda route: route.fulfill(status=status, body="{}")


def test_error_response_is_shown_with_status(visitor: Visitor, daemon: DaemonProcess) -> None:
    page = visitor.page
    page.goto(daemon.url)
    for status in (500, 503):
        visitor.expect_status(status)
        page.route(daemon.url, respond_with(status))
        page.evaluate(LOOK_AGAIN)
        expect(page.locator("#link")).to_have_text(f"dogid returned status {status}; trying again", timeout=SOON)
        page.unroute(daemon.url)

    page.evaluate(LOOK_AGAIN)
    expect(page.locator("#link")).to_be_hidden(timeout=SOON)


def test_script_error_is_shown_as_such(visitor: Visitor, daemon: DaemonProcess) -> None:
    page = visitor.page
    page.goto(daemon.url)
    page.evaluate("() => { DOMParser.prototype.parseFromString = () => { throw new Error('no parser'); }; }")
    page.evaluate(LOOK_AGAIN)

    expect(page.locator("#link")).to_have_text("This page cannot be updated: no parser. Reload it.", timeout=SOON)
    assert any("no parser" in complaint for complaint in visitor.console_errors)
    visitor.console_errors.clear()


def test_burst_of_photos_causes_few_refreshes(visitor: Visitor, daemon: DaemonProcess, inbox: Path) -> None:
    visitor.page.goto(daemon.url)
    expect(visitor.page.locator(".health")).to_be_visible()
    asked_before = visitor.requested_urls.count(daemon.url)

    for number in range(100):
        put(inbox / f"{number:03d}.jpg", photo(number, size=(64, 64)))
    daemon.wait_for_all_answers(100)

    expect(visitor.page.get_by_role("link", name=re.compile("^Classified 100$"))).to_be_visible(timeout=SOON)
    expect(visitor.page.locator("#photos > li")).to_have_count(24)
    assert visitor.requested_urls.count(daemon.url) - asked_before < 40


def test_page_of_pending_photo_shows_result_when_classified(
    page: Page, waiting_daemon: DaemonProcess, inbox: Path
) -> None:
    data = photo(1)
    file = put(inbox / "slow.jpg", data[:5000])
    waiting = waiting_daemon.wait_for_pending("slow.jpg", "truncated")
    page.goto(f"{waiting_daemon.url}page/photo/{waiting['id']}")
    expect(page.get_by_role("heading", name="Waiting to be classified")).to_be_visible()

    put(file, data)

    expect(page.locator(".scores .best")).to_be_visible(timeout=SOON)
    expect(page.get_by_alt_text("The photo slow.jpg")).to_be_visible()
