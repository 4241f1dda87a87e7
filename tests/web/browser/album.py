"""A daemon with free photos, a model that has learned from parts of most of them, and a bit of all that goes wrong.

High scores are no measure of the model's quality: the photos it classifies are other crops of those it was trained on,
and `readme/PHOTOS.md` says how many. The thresholds of all labels are 0.9.
"""

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image

from tests.support.daemon import DaemonProcess, dogid
from tests.support.http_client import fetch
from tests.support.photos import put
from tests.support.waiting import eventually
from tests.web.browser.free_photos import PHOTOS, crop

_LESSONS = 24  # parts of each photo to learn from
_HELD_BACK = {3, 5, 8, 10}  # of PHOTOS: not learned from, so that some answers are about photos new to the model
_UNSURE = 0.9  # threshold of all labels
# of PHOTOS, and the least share of its sides: small parts are hard
_SHOWN = (
    (0, 0.85), (6, 0.9), (4, 0.8), (2, 0.9), (3, 0.3), (12, 0.9), (8, 0.9), (5, 0.85), (1, 0.75), (7, 0.9), (11, 0.9),
    (0, 0.5), (9, 0.9), (2, 0.5), (10, 0.9), (3, 0.8), (4, 0.3), (13, 0.9), (6, 0.4), (1, 0.5), (8, 0.3), (5, 0.5),
    (7, 0.4), (12, 0.4),
)  # fmt: skip
_APART_MS = 9 * 3_600_000  # between two photos: 24 of them fill nine days
_CAMERAS = ("Garden", "Phone", "Trip")
_NEW_LABEL, _TAUGHT, _SUNSET = "sunset", 24, 8
_OUTPUTS = """
[outputs.home]
type = "command"
command = ["true"]
[outputs.phone]
type = "command"
command = ["sh", "-c", "echo no route to the phone >&2; exit 75"]
[[rule]]
to = ["home", "phone"]
"""
_VIDEO = b"\0\0\0\x18ftypmp42" + bytes(5000)


class Album:
    """The daemon's folders, its model and its photos."""

    def __init__(self, folder: Path, photos: list[Image.Image]) -> None:
        self._folder, self._photos = folder, photos
        self._config = folder / "dogid.toml"
        self._thresholds = "[thresholds]\n" + "".join(f"{one} = {_UNSURE}\n" for one in {one.kind for one in PHOTOS})
        self._config.write_text(self._thresholds)
        self.daemon = DaemonProcess(folder / "inbox", folder / "state", "--config", str(self._config), "--settle", "1")
        self.daemon.inbox.mkdir()

    def train(self) -> None:
        """Have the daemon use a model that has learned from parts of most of the photos."""
        lessons, graph, model = self._folder / "lessons", self._folder / "graph", self._folder / "album.tflite"
        for at, photo in enumerate(PHOTOS):
            for number in range(0 if at in _HELD_BACK else _LESSONS):
                part = crop(self._photos[at], 1000 * at + number, 0.5, 1)
                put(lessons / photo.kind / f"{at}-{number}.jpg", part)
        for command in (
            ("retrain", str(lessons), "-o", str(graph), "--cache", str(self._folder / "cache")),
            ("convert", str(graph / "retrained_graph.pb"), "-o", str(model), "--calibrate", str(lessons)),
            ("model", "activate", str(model), "--state", str(self.daemon.state)),
        ):
            done = dogid(*command, timeout=900)
            assert done.returncode == 0, done.stderr

    def fill(self) -> None:
        """Have the daemon classify crops of all photos, of the last days; confirm some answers."""
        self.daemon.start()
        for number, (at, least) in enumerate(reversed(_SHOWN)):
            name = f"{_CAMERAS[at % len(_CAMERAS)]}/IMG_{2041 + number * 3}.jpg"
            file = put(self.daemon.inbox / name, crop(self._photos[at], 90_000 + number, least, min(1, least + 0.1)))
            taken = time.time() - _APART_MS / 1000 * (len(_SHOWN) - number)
            os.utime(file, (taken, taken))
            result = self.daemon.wait_for_answer(name)
            if number % 7 == 3 and result["label"] == PHOTOS[at].kind:
                self._post(f"/results/{result['id']}/label", {"verdict": "confirmed", "by": "the album's owner"})
        self.daemon.stop()
        with closing(sqlite3.connect(self.daemon.state / "ledger.db")) as db:
            (newest,) = db.execute("SELECT max(id) FROM photo").fetchone()
            for table, photo, times in (("photo", "id", ("seen_at", "classified_at")), ("event", "photo_id", ("at",))):
                moved = ", ".join(f"{at} = {at} - (? - {photo}) * ?" for at in times)
                db.execute(f"UPDATE {table} SET {moved}", (newest, _APART_MS) * len(times))
            db.commit()
        self.daemon.start()

    def learn(self) -> None:
        """Teach a new label by more crops of one photo; wait for the report."""
        for number in range(_TAUGHT):
            least = 0.5 + number / _TAUGHT / 2
            part = crop(self._photos[_SUNSET], 70_000 + number, least, min(1, least + 0.05))
            put(self.daemon.inbox / "Trip" / f"IMG_{2201 + number}.jpg", part)
        self.daemon.wait_for_all_answers(len(_SHOWN) + _TAUGHT)
        results = self.daemon.results()
        taught = [one["id"] for one in results if one["file"] >= "Trip/IMG_2201"]
        self._post("/labels", {"ids": taught, "label": _NEW_LABEL})
        self._post("/learn", {})
        eventually(lambda: not self.daemon.get("/learn")["running"], "the learning run ends")

    def break_some(self) -> None:
        """Add a photo, files that fail and an output that does not get through; allow uploads."""
        self.daemon.stop()
        whole = crop(self._photos[7], 80_000, 0.9, 1)
        put(self.daemon.inbox / "Garden" / "IMG_2301.jpg", whole[: len(whole) // 3])
        put(self.daemon.inbox / "Phone" / "holiday.mp4", _VIDEO)
        put(self.daemon.inbox / "Phone" / "birthday.mp4", _VIDEO)
        put(self.daemon.inbox / "Trip" / "IMG_2302.jpg", b"")
        self._config.write_text(_OUTPUTS + self._thresholds)
        self.daemon.flags = (*self.daemon.flags, "--allow-upload")
        self.daemon.start()
        put(self.daemon.inbox / "Garden" / "IMG_2303.jpg", whole)  # outputs begin with what comes after
        self.daemon.wait_for_all_answers(len(_SHOWN) + _TAUGHT + 5)
        eventually(
            lambda: any(output["error"] for output in self.daemon.status()["outputs"]), "an output is in difficulties"
        )

    def _post(self, path: str, document: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/json"}
        reply = fetch(self.daemon.url, path, method="POST", body=json.dumps(document).encode(), headers=headers)
        assert reply.status < 300, reply.body
