"""The page of the models, and what the page of photos shows of answers that are in doubt or damaged."""

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import expect

from dogid.learning_run.last_report import keep_report
from dogid.ledger.database import FILE_NAME
from dogid.model.shipped import shipped_model
from dogid.shelf.folder import put_on_shelf
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually
from tests.web.browser.visitor import DESKTOP, PHONE, Visitor

_HERE, _ELSEWHERE = sha256(photo(1)).hexdigest(), "ab" * 32


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon with two photos, all of whose answers are unsure."""
    folder: Path = tmp_path_factory.mktemp("doubtful")
    config = folder / "dogid.toml"
    config.write_text("[thresholds]\ndachshund = 1\nother = 1\npoodle = 1\npug = 1\n")
    daemon = DaemonProcess(folder / "inbox", folder / "state", "--settle", "1", "--config", str(config))
    for number in (1, 2):
        put(daemon.inbox / f"{number}.jpg", photo(number))
    try:
        daemon.start()
        daemon.wait_for_all_answers(2)
        yield daemon
    finally:
        daemon.close()


def test_failed_model_and_contradictions_are_shown(visitor: Visitor, doubtful: DaemonProcess) -> None:
    put_on_shelf(doubtful.state, "worse", shipped_model().read_bytes(), "a test", passed=False)
    contradiction = {"name": None, "label": "other", "other": "rottweiler", "reason": "looks like a rottweiler"}
    keep_report(doubtful.state, {"contradictions": [contradiction | {"sha256": one} for one in (_HERE, _ELSEWHERE)]})
    page = visitor.page
    page.goto(doubtful.url + "models")

    expect(page.locator(".shelf li").filter(has_text="worse.tflite")).to_contain_text("did not pass")
    asked = page.locator("#contradictions")
    expect(asked.get_by_role("heading", name="1 photo: other, or rottweiler?")).to_be_visible()
    unseen = asked.locator(".asked").filter(has_text="1 photo without a picture: other, or rottweiler?")
    expect(unseen).to_contain_text("they are not on this machine")
    expect(unseen.get_by_role("button", name="rottweiler")).to_have_count(0)  # a person cannot see what they show
    asked.get_by_text("One by one").first.click()
    asked.get_by_text("One by one").last.click()
    expect(asked.locator("img")).to_have_count(1)  # of the photo that is here, too
    visitor.wait_for_pictures()
    visitor.assert_accessible()
    visitor.save_screenshot("contradictions")
    asked.locator("li").filter(has_text=_ELSEWHERE[:12]).get_by_role("button", name="Leave out").click()
    expect(asked).to_contain_text("1 photo: left out")
    asked.get_by_role("button", name="rottweiler").first.click()
    expect(asked).to_contain_text("1 photo: relabelled as rottweiler")
    expect(asked.get_by_role("heading", name="or rottweiler?")).to_have_count(0)
    answers = {one["sha256"]: one["answer"] for one in doubtful.get("/learn/contradictions")["contradictions"]}
    assert answers == {_HERE: "relabel", _ELSEWHERE: "drop"}
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    visitor.assert_fits()
    for _ in answers:
        asked.get_by_role("button", name="Take back").first.click()
    expect(asked.get_by_role("heading", name="1 photo: other, or rottweiler?")).to_be_visible()
    expect(unseen).to_be_visible()


def test_unsure_answers_have_room(visitor: Visitor, doubtful: DaemonProcess) -> None:
    page = visitor.page
    page.goto(doubtful.url)
    page.locator("#filters").get_by_role("link", name="Unsure").click()
    tile = page.locator("#photos > li").first
    expect(tile).to_contain_text("unsure")
    name = tile.locator(".answer b")
    # in one step: the page may put a new tile in its place meanwhile
    line, longer = name.evaluate(
        """element => {
          const before = element.getBoundingClientRect().height;
          element.textContent = "german shepherd";
          return [before, element.getBoundingClientRect().height];
        }"""
    )
    assert longer < 1.5 * line  # not broken
    visitor.save_screenshot("unsure")

    page.goto(doubtful.url + "status")
    for cell in page.locator("#drift td").all():
        cell.evaluate("element => { element.textContent = '100.0 %'; }")
    page.locator("#drift td").last.evaluate("element => { element.textContent = '12345 of 67890'; }")

    for screen in (DESKTOP, PHONE):
        page.set_viewport_size({"width": screen["width"], "height": screen["height"]})
        hidden = page.locator("#weeks .scroll").first.evaluate("element => element.scrollWidth - element.clientWidth")
        assert hidden == 0, screen


def test_damaged_row_leaves_others_and_is_counted(visitor: Visitor, doubtful: DaemonProcess) -> None:
    page = visitor.page
    sound, damaged = (doubtful.wait_for_answer(f"{number}.jpg")["id"] for number in (1, 2))
    db = sqlite3.connect(doubtful.state / FILE_NAME)
    with db:
        db.execute("UPDATE photo SET scores = '{' WHERE id = ?", (damaged,))
    db.close()

    page.goto(doubtful.url)
    expect(page.locator(f"#photos > li[data-id='{sound}']")).to_be_visible()
    eventually(lambda: doubtful.status()["ledger"]["damaged_rows"] == 1, "it is counted")
    again = eventually(lambda: doubtful.results_by_name().get("2.jpg"), "it is looked at again")
    expect(page.locator(f"#photos > li[data-id='{again['id']}']")).to_be_visible()
    page.goto(doubtful.url + "status")
    expect(page.locator("#facts")).to_contain_text("Repaired")
    visitor.assert_accessible()
