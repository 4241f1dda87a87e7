"""People review photos on the page: by keys, by mouse, by touch, without JavaScript."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually
from tests.web.browser.visitor import DESKTOP, PHONE, Visitor

_PHOTOS = 60
_HOSTILE = "<b onclick=x>'\"& llama"


@pytest.fixture(scope="module")
def unreviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon with unreviewed photos; the tests of this file review them one after the other."""
    folder: Path = tmp_path_factory.mktemp("reviewing")
    daemon = DaemonProcess(folder / "inbox", folder / "state", "--settle", "1")
    for number in range(_PHOTOS):
        put(daemon.inbox / f"{number:02d}.jpg", photo(number, size=(96, 72)))
    try:
        daemon.start()
        daemon.wait_for_all_answers(_PHOTOS)
        yield daemon
    finally:
        daemon.close()


def words(daemon: DaemonProcess) -> dict[int, tuple[str, str | None]]:
    """Verdict and label of what stands, by the id of the result."""
    found = daemon.results()
    return {one["id"]: (one["reviewed"]["verdict"], one["reviewed"]["label"]) for one in found if one["reviewed"]}


def wait_for_words(daemon: DaemonProcess, expected: dict[int, tuple[str, str | None]]) -> None:
    """Wait until the daemon has just these words."""
    eventually(lambda: words(daemon) == expected, lambda: f"{words(daemon)} is {expected}")


def open_review(page: Page, daemon: DaemonProcess) -> Callable[[int], Locator]:
    """Open the page; return what finds the tile of a result."""
    page.goto(daemon.url + "review")
    page.wait_for_selector("body.live")
    return lambda number: page.locator(f"#photos > li[data-id='{number}']")


def first_ids(page: Page, count: int) -> list[int]:
    """Ids of the first tiles."""
    return [int(number) for number in page.locator("#photos > li").evaluate_all(
        f"tiles => tiles.slice(0, {count}).map(tile => tile.dataset.id)"
    )]  # fmt: skip


def answers(daemon: DaemonProcess) -> dict[int, dict[str, Any]]:
    """Results by id."""
    return {one["id"]: one for one in daemon.results()}


def test_review_by_keys_and_undo(visitor: Visitor, unreviewed: DaemonProcess) -> None:
    page, labels = visitor.page, answers(unreviewed)
    tile = open_review(page, unreviewed)
    ids = first_ids(page, 12)
    model = page.locator("[name=label]").evaluate_all("buttons => buttons.map(button => button.value)")

    for key in ("Enter", "c", "2", "u", "s"):
        page.keyboard.press(key)
    page.keyboard.press("n")
    page.keyboard.type("wolf")
    page.keyboard.press("Enter")
    page.keyboard.press(str(len(model) + 1))  # the new label has a key from now on
    page.keyboard.press("ArrowRight")
    page.keyboard.press("n")
    page.keyboard.type("wo")  # completed
    page.keyboard.press("Enter")
    confirmed = {number: ("confirmed", labels[number]["label"]) for number in ids[:2]}
    said = {**confirmed, ids[2]: ("labelled", model[1]), ids[3]: ("unsure", None)}
    said |= dict.fromkeys((ids[5], ids[6], ids[8]), ("labelled", "wolf"))
    wait_for_words(unreviewed, said)
    expect(tile(ids[4])).to_have_count(0)
    expect(tile(ids[7])).to_have_count(1)
    expect(page.locator("#progress")).to_contain_text("7 photos looked at")
    expect(page.locator("#progress")).to_contain_text("new labels: wolf (3 of 20 photos)")

    for number in (ids[8], ids[6], ids[5], ids[4], ids[3]):
        page.keyboard.press("z")
        expect(tile(number)).to_have_count(1)
    wait_for_words(unreviewed, {**confirmed, ids[2]: ("labelled", model[1])})
    page.reload()
    for number in (ids[2], ids[1], ids[0]):  # also what was said before the page was loaded
        page.keyboard.press("z")
        expect(tile(number)).to_have_count(1)
    wait_for_words(unreviewed, {})


def test_review_by_mouse_all_selected_at_once(visitor: Visitor, unreviewed: DaemonProcess) -> None:
    page = visitor.page
    tile = open_review(page, unreviewed)
    ids = first_ids(page, 12)
    before = words(unreviewed)

    tile(ids[0]).locator("img").click()
    tile(ids[3]).locator("img").click(modifiers=["Shift"])
    expect(page.locator("#selected")).to_contain_text("4 selected")
    tile(ids[1]).locator("img").click()  # not this one
    page.locator("#typed").fill(_HOSTILE)
    page.get_by_role("button", name="Label", exact=True).click()
    said = before | dict.fromkeys((ids[0], ids[2], ids[3]), ("labelled", _HOSTILE))
    wait_for_words(unreviewed, said)
    expect(tile(ids[1])).to_have_class("tile current")

    boxes = [tile(number).bounding_box() for number in (ids[4], ids[5])]
    start, end = [(box["x"] + box["width"] / 2, box["y"] + 60) for box in boxes if box]
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()
    expect(page.locator("#selected")).to_contain_text("2 selected")
    page.get_by_role("button", name=_HOSTILE).click()
    wait_for_words(unreviewed, said | dict.fromkeys((ids[4], ids[5]), ("labelled", _HOSTILE)))
    page.get_by_role("button", name="Undo").click()
    wait_for_words(unreviewed, said)
    visitor.assert_accessible()


def test_refused_word_brings_photo_back(visitor: Visitor, unreviewed: DaemonProcess) -> None:
    page, before = visitor.page, words(unreviewed)
    visitor.expect_status(400)
    tile = open_review(page, unreviewed)
    (number,) = first_ids(page, 1)

    page.evaluate("document.getElementById('typed').removeAttribute('maxlength')")
    page.locator("#typed").fill("w" * 201)
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_have_text("the label has 201 characters; 200 are allowed")
    expect(tile(number)).to_have_count(1)
    assert words(unreviewed) == before


def test_review_by_touch(visitor: Visitor, unreviewed: DaemonProcess) -> None:
    page = visitor.use_device({"width": 320, "height": 640}, has_touch=True)
    before = words(unreviewed)
    tile = open_review(page, unreviewed)
    ids = first_ids(page, 2)
    visitor.assert_fits()

    for number in ids:
        tile(number).locator("img").tap()
    page.get_by_role("button", name="Unsure").tap()

    wait_for_words(unreviewed, before | dict.fromkeys(ids, ("unsure", None)))


def test_review_without_javascript(visitor: Visitor, unreviewed: DaemonProcess) -> None:
    page = visitor.use_device(DESKTOP, java_script_enabled=False)
    visitor.expect_status(400)
    before = words(unreviewed)
    page.goto(unreviewed.url + "review?order=new")
    ids = [int(box.get_attribute("value") or 0) for box in page.get_by_role("checkbox").all()[:3]]

    page.get_by_role("button", name="Unsure").click()
    expect(page.locator("main")).to_contain_text("no photo is selected")
    page.get_by_role("link", name="Back").click()
    for number in ids[:2]:
        page.locator(f"[data-id='{number}'] label").click()
    page.get_by_label("Label, known or new").fill("lynx")
    page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_contain_text("lynx (2 of 20 photos)")
    assert page.url.endswith("/review?order=new")
    assert words(unreviewed) == before | dict.fromkeys(ids[:2], ("labelled", "lynx"))

    page.get_by_role("listitem").filter(has_text="2 photos: labelled lynx").get_by_role("button").click()
    expect(page.locator(f"[data-id='{ids[0]}']")).to_have_count(1)
    assert words(unreviewed) == before


def test_photo_and_tile_take_word_in_one_tap(visitor: Visitor, unreviewed: DaemonProcess) -> None:
    page, results = visitor.page, unreviewed.results()
    open_ones = [one for one in results if not one["reviewed"]]
    before = words(unreviewed)
    first, second = (one for one in results[:20] if one in open_ones[:2])
    page.goto(unreviewed.url)

    page.get_by_role("button", name=f"{first['label']} is right: {first['file']}").click()
    expect(page.locator(f"[data-id='{first['id']}'] .said")).to_contain_text("✓ confirmed")
    expect(page.locator(f"[data-id='{first['id']}'] .said a")).to_be_focused()
    page.get_by_role("link", name=f"{second['label']} is wrong: {second['file']}").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    visitor.assert_accessible()
    chosen = next(label for label in unreviewed.status()["model"]["labels"] if label != second["label"])
    page.get_by_role("dialog").get_by_role("button", name=chosen, exact=True).click()
    expect(page.locator(f"[data-id='{second['id']}'] .said")).to_contain_text(f"✎ {chosen}")
    said = before | {first["id"]: ("confirmed", first["label"]), second["id"]: ("labelled", chosen)}
    wait_for_words(unreviewed, said)

    page.goto(f"{unreviewed.url}page/photo/{second['id']}")
    page.get_by_label("Label, known or new").fill("lynx")
    page.keyboard.press("Enter")
    expect(page.locator(".words")).to_contain_text("✎ lynx")
    expect(page.locator(".words")).to_contain_text(second["label"])
    page.get_by_role("button", name="Take back").click()
    expect(page.locator(".words")).to_contain_text("nothing yet")
    del said[second["id"]]
    wait_for_words(unreviewed, said)


def test_all_photos_are_reviewed_with_one_key_each(visitor: Visitor, unreviewed: DaemonProcess) -> None:
    page = visitor.use_device(DESKTOP)
    before = words(unreviewed)
    open_review(page, unreviewed)
    visitor.wait_for_pictures()
    for _ in range(_PHOTOS - len(before)):
        page.wait_for_selector(".tile.current")
        page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Nothing to review")).to_be_visible()
    eventually(lambda: len(words(unreviewed)) == _PHOTOS, "all photos have a word")

    visitor.use_device(PHONE)
    visitor.page.goto(unreviewed.url + "review")
    expect(visitor.page.get_by_role("heading", name="Nothing to review")).to_be_visible()
    visitor.assert_accessible()
