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


def answers_with(status: int) -> Callable[[Route], None]:
    """What stands in for a daemon that has a fault."""
    return lambda route: route.fulfill(status=status, body="{}")


def test_an_empty_inbox_says_what_to_do(page: Page, daemon: DaemonProcess, inbox: Path) -> None:
    page.goto(daemon.url)

    expect(page.get_by_role("heading", name="No photos yet")).to_be_visible()
    expect(page.locator("#empty pre")).to_have_text(f"cp photo.jpg {inbox}/")


def test_a_photo_that_arrives_is_shown_with_its_label_without_reload(
    page: Page, daemon: DaemonProcess, inbox: Path
) -> None:
    page.goto(daemon.url)
    page.evaluate("window.sameDocument = true")

    put(inbox / "first.jpg", photo(1))
    result = daemon.answered("first.jpg")

    tile = page.locator("#photos > li")
    expect(tile).to_have_count(1, timeout=SOON)
    expect(tile.locator(".answer b")).to_have_text(result["label"])
    expect(tile.locator(".file")).to_have_text("first.jpg")
    expect(page.locator("#empty")).not_to_contain_text("No photos")
    expect(page.get_by_role("link", name=re.compile("^All 1$"))).to_be_visible()
    expect(page.locator("#chart title").last).to_contain_text(f"1 {result['label']}")
    expect(page.get_by_role("status")).to_contain_text(result["label"])
    assert page.evaluate("window.sameDocument")


def test_newest_comes_first_and_tiles_that_are_there_keep_their_place_in_the_document(
    page: Page, daemon: DaemonProcess, inbox: Path
) -> None:
    put(inbox / "a.jpg", photo(1))
    daemon.answered("a.jpg")
    page.goto(daemon.url)
    page.locator("#photos a").focus()

    put(inbox / "b.jpg", photo(2))

    expect(page.locator("#photos .file")).to_have_text(["b.jpg", "a.jpg"], timeout=SOON)
    assert page.evaluate("document.activeElement.querySelector('.file').textContent") == "a.jpg"


def test_a_photo_that_fails_is_shown_with_the_reason_without_reload(
    page: Page, daemon: DaemonProcess, inbox: Path
) -> None:
    page.goto(daemon.url)

    put(inbox / "text.jpg", b"no photo")

    expect(page.locator("#photos > li")).to_contain_text("This is not a photo that dogid can read.", timeout=SOON)


def test_without_events_the_page_polls(visitor: Visitor, daemon: DaemonProcess, inbox: Path) -> None:
    page = visitor.page
    visitor.expects(404)
    page.route("**/events", lambda route: route.fulfill(status=404, body=""))
    page.goto(daemon.url)

    put(inbox / "a.jpg", photo(1))

    expect(page.locator("#photos .file")).to_have_text(["a.jpg"], timeout=SOON)


def test_the_page_says_when_the_daemon_is_gone_and_goes_on_when_it_is_back(
    visitor: Visitor, make_daemon: MakeDaemon, inbox: Path
) -> None:
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


def answering(status: int) -> Callable[[Route], None]:
    """Return a handler that answers whatever is asked by an error."""
    return lambda route: route.fulfill(status=status, body="{}")


def test_an_answer_that_is_an_error_is_told_with_its_status_and_not_as_a_lost_connection(
    visitor: Visitor, daemon: DaemonProcess
) -> None:
    page = visitor.page
    page.goto(daemon.url)
    for status in (500, 503):
        visitor.expects(status)
        page.route(daemon.url, answering(status))
        page.evaluate(LOOK_AGAIN)
        expect(page.locator("#link")).to_have_text(f"dogid returned status {status}; trying again", timeout=SOON)
        page.unroute(daemon.url)

    page.evaluate(LOOK_AGAIN)
    expect(page.locator("#link")).to_be_hidden(timeout=SOON)


def test_a_fault_of_the_page_itself_is_told_as_one(visitor: Visitor, daemon: DaemonProcess) -> None:
    page = visitor.page
    page.goto(daemon.url)
    page.evaluate("() => { DOMParser.prototype.parseFromString = () => { throw new Error('no parser'); }; }")
    page.evaluate(LOOK_AGAIN)

    expect(page.locator("#link")).to_have_text("This page cannot be updated: no parser. Reload it.", timeout=SOON)
    assert any("no parser" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()


def test_a_burst_of_photos_is_shown_without_a_refresh_for_each(
    visitor: Visitor, daemon: DaemonProcess, inbox: Path
) -> None:
    visitor.page.goto(daemon.url)
    expect(visitor.page.locator(".health")).to_be_visible()
    asked_before = visitor.asked.count(daemon.url)

    for number in range(100):
        put(inbox / f"{number:03d}.jpg", photo(number, size=(64, 64)))
    daemon.settled(100)

    expect(visitor.page.get_by_role("link", name=re.compile("^Classified 100$"))).to_be_visible(timeout=SOON)
    assert visitor.page.locator("#photos > li").count() == 24
    assert visitor.asked.count(daemon.url) - asked_before < 40


def test_the_page_of_a_photo_that_waits_shows_its_answer_when_it_has_one(
    page: Page, patient_daemon: DaemonProcess, inbox: Path
) -> None:
    data = photo(1)
    file = put(inbox / "slow.jpg", data[:5000])
    waiting = patient_daemon.waits("slow.jpg", "truncated")
    page.goto(f"{patient_daemon.url}page/photo/{waiting['id']}")
    expect(page.get_by_role("heading", name="Waiting to be classified")).to_be_visible()

    put(file, data)

    expect(page.locator(".scores .best")).to_be_visible(timeout=SOON)
    expect(page.get_by_alt_text("The photo slow.jpg")).to_be_visible()
