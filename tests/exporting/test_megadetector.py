"""`dogid export --format megadetector`: what Timelapse and MegaDetector's own validator ask of a batch file."""

import json
from pathlib import Path

from tests.exporting.answered_ledger import HOSTILE, classify, export
from tests.ledger.ledger_folder import Inbox


def test_batch_file_has_whole_frames_with_classifications(answered: Inbox, tmp_path: Path) -> None:
    assert export(answered, "--format", "megadetector", "-o", tmp_path / "md.json") == 0
    batch = json.loads((tmp_path / "md.json").read_text())
    classes = batch["classification_categories"]
    images = {image["file"]: image for image in batch["images"]}

    assert batch["info"]["format_version"] == "1.6"
    assert batch["detection_categories"]["1"] == "animal"
    assert all(number.isdecimal() and label for number, label in classes.items())
    assert len(images) == len(batch["images"]) == len(HOSTILE) + 4  # without the pending one
    (detection,) = images["gate/-x.jpg"]["detections"]
    assert detection["bbox"] == [0.0, 0.0, 1.0, 1.0]
    assert (detection["category"], detection["conf"]) == ("1", 0.75)
    assert [(classes[number], score) for number, score in detection["classifications"]] == [
        ("cat", 0.75),
        ("rest", 0.25),
    ]


def test_words_of_people_failures_and_empty_photos_are_in_the_batch_file(answered: Inbox, tmp_path: Path) -> None:
    assert export(answered, "--format", "megadetector", "-o", tmp_path / "md.json") == 0
    batch = json.loads((tmp_path / "md.json").read_text())
    images = {image["file"]: image for image in batch["images"]}

    (corrected,) = images["pond/long name of a photo.jpg"]["detections"]
    (number, score), *rest = corrected["classifications"]
    assert (batch["classification_categories"][number], score, rest) == ("wolf, grey", 1.0, [])
    (unsure,) = images["pond/a.jpg"]["detections"]
    assert (batch["detection_categories"][unsure["category"]], unsure["classifications"]) == ("unknown", [])
    assert images["alone.jpg"]["detections"] == []
    assert images["broken.jpg"] == {"file": "broken.jpg", "detections": None, "failure": "corrupt: bad"}


def test_blank_label_and_photo_named_as_a_video_are_as_the_format_has_them(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    classify(inbox, "gate/clip.MP4", " ")
    assert export(inbox, "--format", "megadetector", "-o", tmp_path / "md.json") == 0
    batch = json.loads((tmp_path / "md.json").read_text())
    (image,) = batch["images"]

    assert all(name.strip() for name in batch["classification_categories"].values())
    assert (image["frame_rate"], image["frames_processed"]) == (1.0, [0])
    assert [detection["frame_number"] for detection in image["detections"]] == [0]
    inbox.close()
