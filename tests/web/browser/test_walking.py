"""Through photos by a filter: on a photo's page, in the full screen, and back to the list."""

import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.web.browser.visitor import DESKTOP, PHONE, Visitor

_DOOR, _ARABIC, _JAPANESE = "Front Door", "بوابة", "裏庭"
_PHOTOS = 40


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon with photos of three cameras, in turns. Not to be changed by tests."""
    folder: Path = tmp_path_factory.mktemp("cameras")
    daemon = DaemonProcess(folder / "inbox", folder / "state", "--settle", "1")
    for number in range(_PHOTOS):
        camera = (_DOOR, _ARABIC, _JAPANESE)[number % 3]
        put(daemon.inbox / camera / f"event-{number:02d}-seen-in-the-garden.jpg", photo(number, size=(640, 480)))
    try:
        daemon.start()
        daemon.wait_for_all_answers(_PHOTOS)
        yield daemon
    finally:
        daemon.close()


def of_door(daemon: DaemonProcess) -> list[dict[str, Any]]:
    """Results of one camera, newest first."""
    return [result for result in daemon.results() if result["folder"] == _DOOR]


def filter_link(page: Page, group: str, name: str) -> Locator:
    """The link of a filter, by its name alone: on a busy machine it has no number."""
    named = page.locator("bdi", has_text=re.compile(f"^{re.escape(name)}$"))
    return page.get_by_role("list", name=group).get_by_role("link").filter(has=named)


def choose(page: Page, group: str, name: str) -> None:
    """Follow the link of a filter."""
    filter_link(page, group, name).click()


def shown_id(page: Page) -> int:
    """The result whose page is open."""
    return int(urllib.parse.urlsplit(page.url).path.rpartition("/")[2])


def test_links_lead_through_the_filter_and_back(visitor: Visitor, cameras: DaemonProcess) -> None:
    page = visitor.use_device(DESKTOP, java_script_enabled=False)
    ids = [result["id"] for result in of_door(cameras)]
    page.goto(cameras.url)
    choose(page, "Folder", _DOOR)
    page.get_by_role("link", name="Not reviewed").click()
    page.locator("#photos .tile > a").nth(1).click()
    assert shown_id(page) == ids[1]

    page.get_by_role("link", name="Show the photo").click()
    for number in ids[2:4]:
        page.get_by_role("link", name="Older photo").click()
        expect(page.locator(".original")).to_have_attribute(
            "src", f"/page/original/{number}?v={version(cameras, number)}"
        )
    page.get_by_role("link", name="Close the full screen").click()
    page.get_by_role("link", name="Newer").click()
    assert shown_id(page) == ids[2]
    page.get_by_role("link", name="These photos").click()
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.url).query))
    assert query == {"folder": _DOOR, "reviewed": "false", "before": str(ids[2] + 1)}
    expect(page.locator("#photos > li").first).to_have_attribute("data-id", str(ids[2]))

    page.goto(cameras.url + f"page/photo/{ids[-1]}?{urllib.parse.urlencode({'folder': _DOOR})}")
    expect(page.get_by_role("link", name="Older")).to_have_count(0)


def version(daemon: DaemonProcess, number: int) -> str:
    """The parameter of a picture's address."""
    return str(daemon.get(f"/results/{number}")["sha256"][:12])


def test_keys_walk_and_back_keeps_the_place(visitor: Visitor, cameras: DaemonProcess) -> None:
    page = visitor.page
    ids = [result["id"] for result in of_door(cameras)]
    listed = cameras.url + "?" + urllib.parse.urlencode({"folder": _DOOR, "show": "all"})
    page.goto(listed)
    page.locator("#photos .tile > a").first.click()
    page.wait_for_url(f"**/page/photo/{ids[0]}?*")  # loaded, with its script
    for number in ids[1:3]:
        page.keyboard.press("ArrowRight")
        page.wait_for_url(f"**/page/photo/{number}?*")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**/page/photo/{ids[1]}?*")
    page.go_back()  # one step, however many photos were looked at

    assert page.url == listed
    page.go_forward()
    page.get_by_label("Label, known or new").press("ArrowRight")  # moves the cursor in the field
    assert shown_id(page) == ids[1]


def test_full_screen_zooms_and_is_swiped(visitor: Visitor, cameras: DaemonProcess) -> None:
    page = visitor.use_device(PHONE, has_touch=True)
    ids = [result["id"] for result in of_door(cameras)]
    page.goto(cameras.url + f"page/full/{ids[1]}?{urllib.parse.urlencode({'folder': _DOOR})}")
    page.wait_for_selector("body.live")
    page.wait_for_function("document.querySelector('.original').naturalWidth == 640")
    visitor.assert_fits()
    visitor.assert_accessible()

    page.get_by_role("button", name="Larger").click()
    width = "document.querySelector('.original').getBoundingClientRect().width"
    assert page.evaluate(width) == pytest.approx(1.5 * PHONE["width"])
    page.keyboard.press("0")
    assert page.evaluate(width) == PHONE["width"]
    page.mouse.move(300, 500)
    page.mouse.down()
    page.mouse.move(60, 510, steps=3)
    page.mouse.up()
    page.wait_for_url(f"**/page/full/{ids[2]}?*")
    page.keyboard.press("Escape")
    page.wait_for_url(f"**/page/photo/{ids[2]}?*")


def test_filters_combine_with_counts(page: Page, cameras: DaemonProcess) -> None:
    label = cameras.results()[0]["label"]
    both = [result for result in of_door(cameras) if result["label"] == label]
    page.goto(cameras.url)
    choose(page, "Label", label)
    choose(page, "Folder", _DOOR)

    chosen = page.locator("#filters [aria-current] bdi")
    expect(chosen).to_have_text(["All", label, _DOOR])
    expect(page.locator("#photos > li")).to_have_count(min(len(both), 24))
    first = page.get_by_role("list", name="Day").get_by_role("link").last  # "Today", but after midnight
    day = first.locator("bdi").inner_text()
    first.click()
    expect(chosen).to_have_text(["All", label, _DOOR, day])
    choose(page, "Label", label)  # once more: any label
    expect(chosen).to_have_text(["All", _DOOR, day])
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.url).query))
    assert query.keys() == {"folder", "day"}
    page.get_by_label("File name").fill("EVENT-03-")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#photos .file")).to_have_text(["event-03-seen-in-the-garden.jpg"])
    for known in cameras.status()["model"]["labels"]:  # also those that no photo has
        expect(filter_link(page, "Label", known)).to_have_count(1)


def test_filters_are_folded_on_a_phone(visitor: Visitor, cameras: DaemonProcess) -> None:
    page = visitor.use_device(PHONE, java_script_enabled=False)
    page.goto(cameras.url)
    folders, days = page.locator("ul[aria-label=Folder]"), page.locator("ul[aria-label=Day]")
    expect(folders).to_be_hidden()

    page.get_by_text("Filters", exact=True).click()
    expect(days).to_be_visible()
    choose(page, "Folder", _JAPANESE)
    expect(folders).to_be_visible()  # what is chosen stays in sight, before the others
    expect(days).to_be_hidden()
    places = folders.get_by_role("link").evaluate_all(
        "all => all.map(link => [link.getBoundingClientRect().x, link.querySelector('bdi').textContent])"
    )
    assert min(places)[1] == _JAPANESE


def test_labels_page_and_narrow_screens(visitor: Visitor, cameras: DaemonProcess) -> None:
    """A label's page has its figures; at 320 px no label is broken within a word, in any script."""
    page = visitor.use_device({"width": 320, "height": 640})
    label = cameras.results()[0]["label"]
    mine = [result for result in cameras.results() if result["label"] == label]
    page.goto(cameras.url + "page/label?" + urllib.parse.urlencode({"label": label}))
    expect(page.get_by_role("heading", level=1)).to_have_text(label)
    expect(page.locator(".about").first).to_contain_text(f"By the model{len(mine)}")
    visitor.assert_fits()
    visitor.assert_accessible()
    page.get_by_role("link", name="Photos of this label").click()
    visitor.assert_fits()
    visitor.assert_accessible()

    lines = page.locator("#photos .answer b").evaluate_all(
        "all => all.map(one => { const range = document.createRange(); range.selectNodeContents(one);"
        " return new Set([...range.getClientRects()].filter(r => r.width > 12).map(r => r.top)).size; })"
    )
    assert set(lines) == {1}, "each label is one word"
