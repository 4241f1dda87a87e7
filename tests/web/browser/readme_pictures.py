"""Makes the README's two pictures of the page again: `python -m tests.web.browser.readme_pictures`.

It downloads free photos, trains a model on crops of ten of them, and lets a daemon classify other crops of the same
ten, 94 to 100 % of whose area is in a single crop of the training, and of the four that are new to the model: high
scores in the pictures are no measure of its quality. The thresholds of all labels are 0.9. It takes some two minutes.
"""

import io
import os
import shutil
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.support.daemon import DaemonProcess, dogid
from tests.support.http_client import fetch
from tests.support.photos import put
from tests.web.browser.free_photos import PHOTOS, crop, download
from tests.web.browser.visitor import DESKTOP, PHONE, Visitor

FOLDER = Path(__file__).parent / "readme"
_LESSONS = 24  # parts of each photo to learn from
_HELD_BACK = {3, 5, 8, 10}  # of PHOTOS: not learned from, so that some answers are about photos new to the model
_UNSURE = 0.9  # threshold of all labels
# of PHOTOS, and the least share of its sides: small parts are hard
_SHOWN = (
    (0, 0.85), (6, 0.9), (4, 0.8), (2, 0.9), (3, 0.3), (12, 0.9), (8, 0.9), (5, 0.85), (1, 0.75), (7, 0.9), (11, 0.9),
    (0, 0.5), (9, 0.9), (2, 0.5), (10, 0.9), (3, 0.8), (4, 0.3), (13, 0.9), (6, 0.4), (1, 0.5), (8, 0.3), (5, 0.5),
    (7, 0.4), (12, 0.4),
)  # fmt: skip
_CAMERAS = ("Garden", "Phone", "Trip")


def main() -> None:
    """Make both pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="free-photos-") as scratch:
        folder = Path(scratch)
        photos = download(folder / "packages")
        model = train(folder, photos)
        config = folder / "dogid.toml"
        labels = {photo.kind for photo in PHOTOS}
        config.write_text("[thresholds]\n" + "".join(f"{label} = {_UNSURE}\n" for label in sorted(labels)))
        flags = ("--config", str(config), "--model", str(model), "--settle", "1")
        daemon = DaemonProcess(folder / "inbox", folder / "state", *flags)
        daemon.inbox.mkdir()
        try:
            daemon.start()
            fill(daemon, photos)
            take(daemon)
        finally:
            daemon.close()


def train(folder: Path, photos: list[Image.Image]) -> Path:
    """Return a model that has learned from parts of most of the photos."""
    for at, photo in enumerate(PHOTOS):
        for number in range(0 if at in _HELD_BACK else _LESSONS):
            put(folder / "lessons" / photo.kind / f"{at}-{number}.jpg", crop(photos[at], 1000 * at + number, 0.5, 1))
    graph, model = folder / "graph", folder / "album.tflite"
    for command in (
        ("retrain", str(folder / "lessons"), "-o", str(graph), "--cache", str(folder / "cache")),
        ("convert", str(graph / "retrained_graph.pb"), "-o", str(model), "--calibrate", str(folder / "lessons")),
    ):
        done = dogid(*command, timeout=900)
        assert done.returncode == 0, done.stderr
    return model


def fill(daemon: DaemonProcess, photos: list[Image.Image]) -> None:
    """Put crops of all photos into the inbox, one after the other; confirm some answers."""
    for number, (at, least) in enumerate(reversed(_SHOWN)):
        name = f"{_CAMERAS[at % len(_CAMERAS)]}/IMG_{2041 + number * 3}.jpg"
        file = put(daemon.inbox / name, crop(photos[at], 90_000 + number, least, min(1, least + 0.1)))
        taken = time.time() - 1700 * (len(_SHOWN) - number)
        os.utime(file, (taken, taken))
        result = daemon.wait_for_answer(name)
        if number % 7 == 3 and result["label"] == PHOTOS[at].kind:
            word = b'{"verdict": "confirmed", "by": "the album\'s owner"}'
            headers = {"Content-Type": "application/json"}
            fetch(daemon.url, f"/results/{result['id']}/label", method="POST", body=word, headers=headers)


def take(daemon: DaemonProcess) -> None:
    """Take the page on a desk in the light, and a photo on a phone in the dark."""
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        visitor = Visitor(browser)
        visitor.use_device(DESKTOP)
        visitor.page.goto(daemon.url)
        visitor.wait_for_pictures()
        keep(visitor, "desktop")
        visitor.use_device(PHONE, "dark")
        cat = next(result for result in daemon.results() if result["label"] == "cat")
        visitor.page.goto(f"{daemon.url}page/photo/{cat['id']}")
        visitor.wait_for_pictures()
        keep(visitor, "phone")
        visitor.close()
        browser.close()


def keep(visitor: Visitor, name: str) -> None:
    """Write a small PNG of what the visitor sees."""
    with Image.open(io.BytesIO(visitor.page.screenshot())) as picture:
        small = picture.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
