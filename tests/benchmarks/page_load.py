"""How long a visitor waits for the page: until it is complete with its pictures, in a browser that has kept nothing.

`python -m tests.benchmarks.page_load` prints the median of some loads of a page with thirty photos.
"""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.daemon import DaemonProcess
from tests.web.browser.gallery import fill
from tests.web.browser.visitor import DESKTOP, Visitor

_LOADS = 7
_GOAL_MS = 300

_COMPLETE = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const pictures = performance.getEntriesByType("resource").filter((part) => part.name.includes("/page/thumbnail/"));
    return Math.max(page.loadEventEnd, ...pictures.map((picture) => picture.responseEnd));
}"""


def load(visitor: Visitor, daemon: DaemonProcess) -> float:
    """Open the page in a fresh tab; return the milliseconds until all in view was there."""
    page = visitor.use_device(DESKTOP)
    page.goto(daemon.url, wait_until="load")
    visitor.wait_for_pictures()
    complete: float = page.evaluate(_COMPLETE)
    return complete


def measure(folder: Path) -> list[float]:
    """Return the milliseconds of each load, after one that compiles the templates and makes the thumbnails."""
    (folder / "inbox").mkdir()
    daemon = DaemonProcess(folder / "inbox", folder / "state", "--settle", "1").start()
    try:
        daemon.wait_for_all_answers(fill(daemon.inbox))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            visitor = Visitor(browser)
            load(visitor, daemon)
            times = [load(visitor, daemon) for _ in range(_LOADS)]
            browser.close()
    finally:
        daemon.close()
    return times


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        median = statistics.median(measure(Path(folder)))
    sys.stdout.write(f"complete after {median:.0f} ms (median of {_LOADS} loads; goal: {_GOAL_MS} ms)\n")
    sys.exit(median >= _GOAL_MS)
