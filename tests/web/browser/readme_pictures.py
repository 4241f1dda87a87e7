"""Makes the README's two pictures of the page again.

`python -m tests.web.browser.readme_pictures` draws dogs, trains and converts a model of them (the shipped one rightly
says that they are none), lets a daemon look at new drawings, and takes the pictures.
"""

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.support.daemon import DaemonProcess, dogid
from tests.web.browser.drawings import KINDS, drawing
from tests.web.browser.visitor import DESKTOP, PHONE, Visitor

FOLDER = Path(__file__).parent / "readme"
_LESSONS = 30  # drawings of each kind to learn from
_SHOWN = ("pug", "dachshund", "garden", "poodle", "dachshund", "pug", "garden", "dachshund") * 3


def main() -> None:
    """Make both pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="garden-") as scratch:
        folder = Path(scratch)
        model = train(folder)
        daemon = DaemonProcess(folder / "inbox", folder / "state", "--model", str(model), "--settle", "1")
        fill(daemon.inbox)
        try:
            daemon.start()
            daemon.wait_for_all_answers(len(_SHOWN) + 1)
            take(daemon)
        finally:
            daemon.close()


def train(folder: Path) -> Path:
    """Return a model that recognizes the drawings."""
    for number in range(_LESSONS):
        for at, kind in enumerate(KINDS):
            lesson = folder / "lessons" / kind / f"{number}.jpg"
            lesson.parent.mkdir(parents=True, exist_ok=True)
            lesson.write_bytes(drawing(kind, number * len(KINDS) + at))
    graph, model = folder / "graph", folder / "garden.tflite"
    for command in (
        ("retrain", str(folder / "lessons"), "-o", str(graph), "--cache", str(folder / "cache")),
        ("convert", str(graph / "retrained_graph.pb"), "-o", str(model), "--calibrate", str(folder / "lessons")),
    ):
        done = dogid(*command, timeout=600)
        assert done.returncode == 0, done.stderr
    return model


def fill(inbox: Path) -> None:
    """Put drawings that the model has not seen into the inbox, and one that was cut off."""
    inbox.mkdir()
    for at, kind in enumerate(_SHOWN):
        (inbox / f"garden-{at:04d}.jpg").write_bytes(drawing(kind, 1000 + at))
    (inbox / "garden-0017b.jpg").write_bytes(drawing("pug", 2000)[:20_000])


def take(daemon: DaemonProcess) -> None:
    """Look at the page on a desk in the light, and at a photo on a phone in the dark."""
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        visitor = Visitor(browser)
        visitor.use_device(DESKTOP)
        visitor.page.goto(daemon.url)
        visitor.wait_for_pictures()
        keep(visitor, "desktop")
        visitor.use_device(PHONE, "dark")
        visitor.page.goto(f"{daemon.url}page/photo/{daemon.results_by_name()['garden-0021.jpg']['id']}")
        visitor.wait_for_pictures()
        keep(visitor, "phone")
        visitor.close()
        browser.close()


def keep(visitor: Visitor, name: str) -> None:
    """Write a small PNG of what the visitor sees."""
    with Image.open(io.BytesIO(visitor.page.screenshot())) as picture:
        small = picture.convert("RGB").quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    small.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
