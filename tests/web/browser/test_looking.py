"""What the page shows, on a desk and on a phone, in the light and in the dark."""

import re
import urllib.parse
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.support.daemon import DaemonProcess
from tests.support.waiting import eventually
from tests.web.browser.gallery import FAILED, HEBREW, HOSTILE, LONGEST, TURNED
from tests.web.browser.visitor import DESKTOP, PHONE, Visitor

VIEWS = ("photos", "failed", "photo", "failed-photo", "login", "empty", "missing", "review", "models", "status")


def address(daemon: DaemonProcess, view: str) -> str:
    """Where a view is found."""
    photos = daemon.results_by_name()
    paths = {
        "photos": "/",
        "failed": "/?status=failed",
        "photo": f"/page/photo/{photos['garden-20.jpg']['id']}",
        "failed-photo": f"/page/photo/{photos['cut.jpg']['id']}",
        "login": "/page/login?failed=1",
        "empty": "/?label=no+such+label",
        "missing": "/page/photo/987654",
        "review": "/review",
        "models": "/models",
        "status": "/status",
    }
    return urllib.parse.urljoin(daemon.url, paths[view])


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_accessible_and_fits_the_screen(visitor: Visitor, gallery: DaemonProcess, view: str) -> None:
    page = visitor.page
    if view == "missing":
        visitor.expect_status(404)
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": DESKTOP["width"], "height": DESKTOP["height"]})
        page.goto(address(gallery, view))
        for screen, size in (("desktop", DESKTOP), ("phone", PHONE)):
            page.set_viewport_size({"width": size["width"], "height": size["height"]})
            visitor.wait_for_pictures()

            visitor.assert_fits()
            visitor.save_screenshot(f"{view}-{screen}-{scheme}")
            if (screen, scheme) != (
                "phone",
                "dark",
            ):  # its layout is that in the light, its colours are those on a desk
                visitor.assert_accessible()


def test_table_of_days_is_accessible(visitor: Visitor, gallery: DaemonProcess) -> None:
    visitor.page.goto(gallery.url)
    visitor.page.get_by_text("As a table").click()

    expect(visitor.page.locator("#table")).to_be_visible()
    visitor.assert_accessible()


def test_hostile_names_are_shown_as_text(page: Page, gallery: DaemonProcess) -> None:
    for shown in (HOSTILE, TURNED.replace("\u202e", "\\u202e"), HEBREW, LONGEST):
        page.goto(gallery.url + "?" + urllib.parse.urlencode({"status": "classified"}))
        tile = page.locator("#photos > li").filter(has=page.get_by_text(shown, exact=True))
        expect(tile).to_have_count(1)
        tile.locator("a").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(shown)
        assert page.title().endswith(f"{shown} · dogid")
        assert page.locator("img[src=x]").count() == 0
    assert page.title() != "taken"


def test_long_name_keeps_page_width(visitor: Visitor, gallery: DaemonProcess) -> None:
    page = visitor.use_device(PHONE)
    page.goto(gallery.url)
    visitor.assert_fits()

    page.goto(gallery.url + f"page/photo/{gallery.results_by_name()[LONGEST]['id']}")
    visitor.assert_fits()


def test_filters_are_bookmarkable_links(page: Page, gallery: DaemonProcess) -> None:
    page.goto(gallery.url)
    page.get_by_role("link", name="Failed 3").click()

    expect(page).to_have_url(re.compile(r"\?status=failed$"))
    expect(page.locator("#photos .file")).to_have_text([r["file"] for r in gallery.results() if r["file"] in FAILED])
    expect(page.get_by_role("link", name="Failed 3")).to_have_attribute("aria-current", "page")

    page.get_by_role("link", name="All 31").click()
    label = gallery.results_by_name()["garden-20.jpg"]["label"]
    page.get_by_role("list", name="Label").get_by_role("link", name=label).click()
    expect(page).to_have_url(re.compile(rf"\?label={label}$"))
    assert set(page.locator("#photos .answer b").all_text_contents()) == {label}


def test_filters_and_pages_work_without_javascript(visitor: Visitor, gallery: DaemonProcess) -> None:
    page = visitor.use_device(DESKTOP, java_script_enabled=False)
    page.goto(gallery.url)
    newest = page.locator("#photos .file").all_text_contents()
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newest")).to_be_visible()  # on a busy machine the page takes a moment
    older = page.locator("#photos .file").all_text_contents()

    assert len(newest) == 24
    assert len(newest) + len(older) == len(set(newest + older)) == len(gallery.results())
    page.get_by_role("link", name="Newest").click()
    expect(page.locator("#photos .file")).to_have_text(newest)


def test_failed_photos_show_reason_and_fix(page: Page, gallery: DaemonProcess) -> None:
    page.goto(gallery.url + "?status=failed")
    row = page.locator("#photos > li").filter(has_text="cut.jpg")

    expect(row.get_by_text("The file ends early.")).to_be_visible()
    expect(row.get_by_text("Copy it into the inbox once more.")).to_be_visible()
    assert gallery.results_by_name()["cut.jpg"]["error"]["message"] not in row.inner_text()  # which says the same


def test_photo_page_shows_scores_history_timings_and_input(page: Page, gallery: DaemonProcess) -> None:
    result = gallery.results_by_name()["garden-20.jpg"]
    page.goto(gallery.url)
    page.get_by_role("link", name="garden-20.jpg").first.click()

    for label in result["scores"]:
        expect(page.locator(".scores")).to_contain_text(label)
    expect(page.locator(".history li").first).to_contain_text(f"{result['label']} {result['score']:.3f}")
    expect(page.locator(".about").last).to_contain_text(f"{result['timings_ms']['total']:.1f} ms")
    expect(page.locator(".about").last).to_contain_text(result["sha256"])
    expect(page.get_by_alt_text("The model's input: 224 by 224 pixels")).to_be_visible()
    page.wait_for_function("document.querySelector('.large').naturalWidth === 480")


def test_status_page_is_one_of_the_navigation(page: Page, gallery: DaemonProcess) -> None:
    page.goto(gallery.url)
    pages = page.get_by_role("navigation", name="Pages")
    expect(pages.get_by_role("link")).to_have_text(["Photos", "Review", "Models", "Status"])
    pages.get_by_role("link", name="Status").click()
    facts = page.locator("#facts")

    expect(pages.locator("[aria-current]")).to_have_text("Status")
    expect(page.locator(".health")).to_have_text("Working")
    expect(facts).to_contain_text(str(gallery.inbox))
    expect(facts).to_contain_text("dogid.tflite")
    expect(facts).to_contain_text("self-test passed")
    expect(facts).to_contain_text("free")


def test_failed_photos_are_grouped_by_what_helps(page: Page, gallery: DaemonProcess) -> None:
    page.goto(gallery.url + "status")
    cards = page.locator("#failed .card")

    expect(cards).to_have_count(len(FAILED))  # each for another reason
    cut = cards.filter(has_text="cut.jpg")
    expect(cut.get_by_role("heading")).to_have_text(
        "It was probably not copied completely. Copy it into the inbox once more."
    )
    expect(cut).to_contain_text("1 photo: The file ends early.")


def test_page_is_usable_by_keyboard(page: Page, gallery: DaemonProcess) -> None:
    page.goto(gallery.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#photos') !== null"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/page/photo/*")


def test_page_makes_no_external_requests(visitor: Visitor, gallery: DaemonProcess) -> None:
    visitor.page.goto(gallery.url)
    visitor.wait_for_pictures()

    eventually(lambda: any("/events" in address for address in visitor.requested_urls), "the page listens to events")
    assert [address for address in visitor.requested_urls if not address.startswith(gallery.url)] == []
