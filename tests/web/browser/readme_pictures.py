"""Makes the pictures of all views in `readme/` again: `python -m tests.web.browser.readme_pictures [FOLDER]`.

It downloads free photos, trains a model and fills an inbox (see `album`); then it takes each view, on a desk in the
light and on a phone in the dark, as small files: VIEW-desk.webp and VIEW-phone.webp. It takes some three minutes.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.support.daemon import DaemonProcess
from tests.web.browser.album import Album
from tests.web.browser.free_photos import download
from tests.web.browser.visitor import DESKTOP, PHONE, Visitor

FOLDER = Path(__file__).parent / "readme"
SCREENS: dict[str, tuple[dict[str, int], Literal["light", "dark"]]] = {
    "desk": (DESKTOP, "light"),
    "phone": (PHONE, "dark"),
}
VIEWS = (
    "photos", "filtered", "label", "photo", "full", "review", "models", "status", "failed", "failed-photo", "upload",
    "sign-in", "empty",
)  # fmt: skip
_QUALITY = 60  # of WebP: higher ones make larger files, with lower ones letters get a halo


def main() -> None:
    """Make all pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="free-photos-") as scratch, sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        take(Visitor(browser), Path(scratch), folder)
        browser.close()


def take(visitor: Visitor, scratch: Path, folder: Path) -> None:
    """Take all views of an album, from its first photo to its failures, and of a daemon without photos."""
    album = Album(scratch, download(scratch / "packages"))
    nothing = DaemonProcess(scratch / "nothing" / "inbox", scratch / "nothing" / "state")
    daemon = album.daemon
    try:
        album.train()
        album.fill()
        unsure = next(one for one in daemon.results() if one["unsure"] and not one["reviewed"])
        views = {
            "photos": "",
            "filtered": "?label=mountain&folder=Garden",
            "label": "page/label?label=other",
            "photo": f"page/photo/{unsure['id']}?unsure=yes",
            "full": f"page/full/{next(one['id'] for one in daemon.results() if one['label'] == 'cat')}?label=cat",
            "review": "review",
        }
        keep(visitor, daemon, views, folder)
        album.learn()
        keep(visitor, daemon, {"models": "models#report"}, folder)
        album.break_some()
        failed = next(one for one in daemon.results() if one["error"] and one["error"]["code"] == "truncated")
        views = {
            "status": "status",
            "failed": "?status=failed",
            "failed-photo": f"page/photo/{failed['id']}?status=failed",
            "upload": "page/upload",
            "sign-in": "page/login",
        }
        keep(visitor, daemon, views, folder)
        nothing.inbox.mkdir(parents=True)
        keep(visitor, nothing.start(), {"empty": ""}, folder)
        visitor.close()
    finally:
        daemon.close()
        nothing.close()


def keep(visitor: Visitor, daemon: DaemonProcess, views: dict[str, str], folder: Path) -> None:
    """Write a small picture of each view, on each screen."""
    for screen, (size, scheme) in SCREENS.items():
        visitor.use_device(size, scheme, reduced_motion="reduce")  # an animation would be taken in the middle
        for view, path in views.items():
            visitor.page.goto("about:blank")
            visitor.page.goto(daemon.url + path)
            visitor.wait_for_pictures()
            with Image.open(io.BytesIO(visitor.page.screenshot())) as picture:
                picture.convert("RGB").save(folder / f"{view}-{screen}.webp", quality=_QUALITY, method=6)


if __name__ == "__main__":
    main()
