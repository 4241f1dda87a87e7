"""How long a visitor waits."""

import statistics

from playwright.sync_api import Page

from tests.support.daemon import DaemonProcess
from tests.web.browser.visitor import DESKTOP, Visitor

_LOADS = 7
_COMPLETE_MS = 300

_COMPLETE = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const pictures = performance.getEntriesByType("resource").filter((part) => part.name.includes("/page/thumbnail/"));
    return Math.max(page.loadEventEnd, ...pictures.map((picture) => picture.responseEnd));
}"""


def load(visitor: Visitor, daemon: DaemonProcess) -> float:
    """Open the page in a browser that has kept nothing; return the milliseconds until all in view was there."""
    page: Page = visitor.sits_at(DESKTOP)
    page.goto(daemon.url, wait_until="load")
    visitor.sees_all_pictures()
    complete: float = page.evaluate(_COMPLETE)
    return complete


def test_the_page_is_complete_with_its_pictures_in_less_than_a_third_of_a_second(
    visitor: Visitor, gallery: DaemonProcess
) -> None:
    load(visitor, gallery)  # the templates are compiled and the thumbnails made
    times = [load(visitor, gallery) for _ in range(_LOADS)]

    assert statistics.median(times) < _COMPLETE_MS, times
