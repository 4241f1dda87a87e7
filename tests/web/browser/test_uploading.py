"""Photos that are put into the inbox from the page, with a script and without."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Route, expect

from dogid.photo.decode import decodable_formats
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo
from tests.web.browser.gallery import HOSTILE, TURNED
from tests.web.browser.visitor import DESKTOP, PHONE, Visitor


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that keeps uploads of at most 300,000 bytes."""
    folder: Path = tmp_path_factory.mktemp("keeping")
    flags = ("--settle", "1", "--allow-upload", "--max-upload", "300000")
    daemon = DaemonProcess(folder / "inbox", folder / "state", *flags)
    try:
        yield daemon.start()
    finally:
        daemon.close()


def payload(name: str, data: bytes) -> FilePayload:
    """A file as a person chooses it."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": data}


def test_many_photos_are_kept_and_each_refusal_has_its_reason(visitor: Visitor, keeping: DaemonProcess) -> None:
    visitor.expect_status(415)
    page = visitor.use_device(PHONE, "dark", has_touch=True, is_mobile=True)
    page.goto(keeping.url)
    expect(page.get_by_role("link", name="add it to the inbox")).to_have_attribute("href", "/page/upload")
    page.get_by_role("link", name="Add photos").click()
    visitor.assert_accessible()
    chosen = [payload("one.jpg", photo(1)), payload("one.jpg", photo(2)), payload(HOSTILE, photo(3))]
    wrong = [payload(TURNED, b"no photo at all"), payload("large.jpg", photo(4) + bytes(300_000))]
    page.get_by_label("Photos from this device").set_input_files([*chosen, *wrong])

    expect(page.locator("#sum")).to_have_text("3 photos are in the inbox, 2 not added. Show photos")
    rows, turned = page.locator("#uploads li"), TURNED.replace("\u202e", "\\u202e")
    expect(rows).to_have_text(
        [
            "one.jpgin the inbox",
            "one.jpgin the inbox as one-2.jpg",
            f"{HOSTILE}in the inbox as _img src=x onerror=document.title='taken'_.jpg",
            f"{turned}Not added: {turned}: not a photo in a known format ({decodable_formats()})",
            "large.jpgNot added: the photo is larger than 300000 bytes (max_upload)",
        ]
    )
    visitor.assert_fits()
    visitor.assert_accessible()
    visitor.save_screenshot("uploads")
    for name, seed in (("one.jpg", 1), ("one-2.jpg", 2)):
        keeping.wait_for_classified(name, photo(seed))


def test_lost_connection_can_be_tried_again(visitor: Visitor, keeping: DaemonProcess) -> None:
    page = visitor.page
    page.goto(keeping.url + "page/upload")

    def lose(route: Route) -> None:
        assert route.fetch().status == 201  # the daemon keeps the photo, and the browser never learns that
        route.abort()

    page.route("**/upload?*", lose)
    page.get_by_label("Photos from this device").set_input_files([payload("again.jpg", photo(5))])
    expect(page.locator("#uploads")).to_contain_text("Not added: no connection to dogid")
    assert (keeping.inbox / "again.jpg").exists()

    page.unroute("**/upload?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#sum")).to_have_text("1 photo is in the inbox. Show photos")
    assert [path.name for path in keeping.inbox.glob("again*")] == ["again.jpg"]


def test_signed_out_visitor_keeps_the_list(visitor: Visitor, keeping: DaemonProcess) -> None:
    visitor.expect_status(401)
    page = visitor.page
    page.goto(keeping.url + "page/upload")
    page.route("**/upload?*", lambda route: route.fulfill(status=401, json={"error": {"code": "unauthorized"}}))
    chosen = [payload("first.jpg", photo(11)), payload("second.jpg", photo(12))]
    page.get_by_label("Photos from this device").set_input_files(chosen)
    expect(page.locator("#sum")).to_contain_text("0 photos are in the inbox, 2 to go")
    expect(page.get_by_role("link", name="Sign in")).to_have_attribute("target", "_blank")
    expect(page.locator("#uploads li")).to_have_text(["first.jpgwaiting", "second.jpgwaiting"])
    visitor.assert_accessible()

    page.unroute("**/upload?*")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#sum")).to_have_text("2 photos are in the inbox. Show photos")


def test_form_keeps_photos_without_javascript(visitor: Visitor, keeping: DaemonProcess) -> None:
    page = visitor.use_device(DESKTOP, java_script_enabled=False)
    page.goto(keeping.url + "page/upload")
    chosen = [payload("form.jpg", photo(6)), payload("form.jpg", photo(7))]
    page.get_by_label("Photos from this device").set_input_files(chosen)
    page.get_by_role("button", name="Add to the inbox").click()

    expect(page.locator("#sum")).to_have_text("2 photos are in the inbox. Show photos")
    expect(page.locator("#uploads li").nth(1)).to_have_text("form.jpg in the inbox as form-2.jpg")
    visitor.expect_status(400)
    page.get_by_role("button", name="Add to the inbox").click()
    expect(page.get_by_role("heading", name="Not done")).to_be_visible()
    expect(page.get_by_text("No photo was chosen")).to_be_visible()
    expect(page.get_by_role("link", name="Back")).to_have_attribute("href", "/page/upload")
