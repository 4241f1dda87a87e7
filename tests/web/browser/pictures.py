"""Takes pictures of all views, to be looked at: `python -m tests.web.browser.pictures FOLDER [VIEW...]`.

Each view is taken at five widths, light and dark, of inboxes with no photo, one, 24 and 500, and of one with hostile
names, broken files, and labels in Hebrew, Arabic, Chinese and Japanese. Pictures are named INBOX-VIEW-WIDTH-SCHEME.png.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.web.browser.drawings import KINDS, drawing
from tests.web.browser.gallery import fill
from tests.web.browser.visitor import Visitor

WIDTHS = {320: 640, 390: 844, 768: 1024, 1280: 900, 1920: 1080}
"""Heights by width: small and usual phones, a tablet, a laptop, a desk."""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_LABELS = ("כלב תחש ארוך מאוד", "كلب البودل الصغير", "巴哥犬和其他小型犬", "その他")
_OUTPUTS = """
[outputs.barn]
type = "command"
command = ["true"]
[outputs.phone]
type = "command"
command = ["sh", "-c", "echo the other side is away >&2; exit 75"]
[[rule]]
name = "all"
to = ["barn", "phone"]
[thresholds]
dachshund = 0.999
other = 0.9
"""

Fill = Callable[[Path], int]


def _fill_with_drawings(count: int) -> Fill:
    def put_all(inbox: Path) -> int:
        for number in range(count):
            camera = ("Garden", "Front door", "Barn")[number % 3]
            size = drawing(KINDS[number % len(KINDS)], number) if count < 100 else photo(number, size=(96, 72))
            put(inbox / camera / f"2026-11-{number % 28 + 1:02d}T{number % 24:02d}-30-00.jpg", size)
        return count

    return put_all


def _fill_with_hostile(inbox: Path) -> int:
    video = b"\0\0\0\x18ftypmp42" + bytes(5000)
    for number in range(4):
        put(inbox / f"clip-{number}.mp4", video)
    return fill(inbox) + 4


INBOXES: dict[str, Fill] = {
    "none": _fill_with_drawings(0),
    "one": _fill_with_drawings(1),
    "some": _fill_with_drawings(24),
    "many": _fill_with_drawings(500),
    "hostile": _fill_with_hostile,
}


def main() -> None:
    """Take all pictures, or those of the inboxes that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inbox", choices=INBOXES, action="append")
    parser.add_argument("--view", action="append", help="only these views")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        for name in args.inbox or INBOXES:
            with tempfile.TemporaryDirectory(prefix="pictures-") as scratch:
                take_inbox(browser, args.folder, name, Path(scratch), args.view)
        browser.close()


def take_inbox(browser: Browser, folder: Path, name: str, scratch: Path, views: list[str] | None) -> None:
    """Take the pictures of one inbox."""
    (scratch / "inbox").mkdir()
    (scratch / "dogid.toml").write_text(_OUTPUTS if name != "none" else "")
    labels = put(scratch / "labels.txt", "\n".join(_LABELS).encode())
    flags = ["--config", str(scratch / "dogid.toml"), "--settle", "1", "--allow-upload"]
    if name == "hostile":
        flags += ["--labels", str(labels)]
    daemon = DaemonProcess(scratch / "inbox", scratch / "state", *flags)
    count = INBOXES[name](daemon.inbox)
    try:
        daemon.start()
        if count:
            daemon.wait_for_all_answers(count)
        visitor = Visitor(browser)
        visitor.expect_status(404)
        for view, path in find_views(daemon).items():
            if views and view not in views:
                continue
            for scheme in SCHEMES:
                page = visitor.use_device({"width": 1280, "height": 900}, scheme)
                page.goto(daemon.url + path)
                for width, height in WIDTHS.items():
                    page.set_viewport_size({"width": width, "height": height})
                    visitor.wait_for_pictures()
                    page.screenshot(path=folder / f"{name}-{view}-{width}-{scheme}.png")
                    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                    if wide > 0:
                        sys.stdout.write(f"{name}-{view}-{width}: {wide} pixels too wide\n")
        visitor.close()
    finally:
        daemon.close()


def find_views(daemon: DaemonProcess) -> dict[str, str]:
    """Return the path of each view that this inbox has, by its name."""
    views = {
        "photos": "",
        "review": "review",
        "models": "models",
        "status": "status",
        "upload": "page/upload",
        "login": "page/login",
        "missing": "page/photo/987654321",
    }
    results = daemon.get("/results?limit=1000")["results"]
    classified = [result for result in results if result["status"] == "classified"]
    failed = [result for result in results if result["status"] == "failed"]
    if classified:
        views["photo"] = f"page/photo/{max(classified, key=lambda result: len(result['file']))['id']}"
    if failed:
        views |= {"failed": "?status=failed", "failed-photo": f"page/photo/{failed[0]['id']}"}
    return views


if __name__ == "__main__":
    main()
