"""A new class is taught by mouse and by keys: from an empty state to an activated model."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.daemon import DaemonProcess
from tests.support.photos import put
from tests.web.browser.drawings import drawing
from tests.web.browser.visitor import PHONE, Visitor

_TAUGHT, _BY_MOUSE = 12, 9
_MOST_TABS = 40
LEARNED = 240_000  # milliseconds; on a busy machine
pytestmark = pytest.mark.timeout(400)


def press_button(page: Page, name: str) -> None:
    """Go to a button by the Tab key, as who has no mouse, and press it."""
    button = page.get_by_role("button", name=name)
    for _ in range(_MOST_TABS):
        page.keyboard.press("Tab")
        if button.first.evaluate("element => element === document.activeElement"):
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"no Tab leads to {name}")


def test_new_class_is_taught_by_mouse_and_keys(visitor: Visitor, daemon: DaemonProcess, inbox: Path) -> None:
    page = visitor.page
    for number in range(_TAUGHT + 2):
        put(inbox / f"{number:02d}.jpg", drawing("garden", number))
    daemon.wait_for_all_answers(_TAUGHT + 2)

    page.goto(daemon.url)
    page.get_by_role("link", name="Review", exact=True).click()
    tiles = page.locator("#photos > li")
    expect(tiles).to_have_count(_TAUGHT + 2)
    tiles.first.locator("img").click()
    tiles.nth(_BY_MOUSE - 1).locator("img").click(modifiers=["Shift"])
    page.get_by_label("Label, known or new").fill("garden")
    page.get_by_role("button", name="Label", exact=True).click()
    expect(tiles).to_have_count(_TAUGHT + 2 - _BY_MOUSE)
    for _ in range(_TAUGHT - _BY_MOUSE):
        page.keyboard.press("n")
        page.keyboard.type("garden")
        page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_contain_text(f"garden ({_TAUGHT} of 20 photos)")
    visitor.save_screenshot("teach-1-reviewed")

    page.get_by_role("link", name="Models").click()
    press_button(page, "Learn a new model")
    expect(page.get_by_role("status")).to_contain_text("Learning a new model")
    visitor.assert_accessible()
    visitor.save_screenshot("teach-2-learning")
    report = page.locator(".report")
    expect(report).to_contain_text(f"new label garden: {_TAUGHT} photos", timeout=LEARNED)
    expect(report).to_contain_text("old labels:")
    expect(report).to_contain_text("→ garden")
    visitor.wait_for_pictures()
    visitor.assert_accessible()
    visitor.save_screenshot("teach-3-report")
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    visitor.assert_fits()

    report.get_by_role("button", name="Activate").click()
    expect(page.locator(".shelf .active")).to_contain_text("dogid.tflite and 12 corrections")
    put(inbox / "new.jpg", drawing("garden", 100))
    assert daemon.wait_for_answer("new.jpg")["label"] == "garden"
    press_button(page, "Go back to it")
    expect(page.locator(".shelf .active h2")).to_contain_text("dogid.tflite")
    assert daemon.status()["model"]["labels"] == ["dachshund", "other", "poodle", "pug"]
