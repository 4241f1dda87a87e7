"""Reviewed photos are embedded within the limits of all decoding, and the daemon hands its limits on."""

import contextlib
import hashlib
from pathlib import Path

from dogid import settings
from dogid.learning_run.child import _flags
from dogid.learning_run.embed import embed_photos
from dogid.ledger.database import open_for_reading, open_for_writing
from dogid.ledger.reviews import Review
from dogid.model.classifier import load_model
from dogid.model.shipped import shipped_model
from dogid.photo.decode import limit_pixels
from dogid.settings import Settings
from tests.support.photos import photo, put


def review(path: Path) -> Review:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Review(1, sha256, 1, path.name.encode(), "labelled", "pug", "me", 0, None, None, None)


def test_reviewed_photo_that_cannot_be_read_is_left_out_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    open_for_writing(tmp_path / "state").connection.close()
    put(tmp_path / "small.jpg", photo(1, size=(64, 48)))
    put(tmp_path / "large.jpg", photo(2, size=(640, 480)))
    model, chosen = load_model(shipped_model(), embeddings=True), Settings(inbox=tmp_path, max_pixels=100_000)
    put(tmp_path / "broken.jpg", photo(3)[:200])
    put(tmp_path / "gone.jpg", b"gone")
    small, large, broken, gone = (review(tmp_path / f"{name}.jpg") for name in ("small", "large", "broken", "gone"))
    (tmp_path / "gone.jpg").unlink()

    try:
        with contextlib.closing(open_for_reading(tmp_path / "state")) as db:
            made, unreadable = embed_photos(model, chosen, db, [large, small, broken, gone])
    finally:
        limit_pixels()  # it is of the whole process

    assert set(made) == {small.sha256}
    assert {sha256: reason.partition(":")[0] for sha256, reason in unreadable.items()} == {
        large.sha256: "too_large",
        broken.sha256: "truncated",
    }


def test_daemon_hands_its_limits_to_a_learning_run() -> None:
    flags = _flags(Settings(max_pixels=5000, memory=100, decode_timeout=2.0, settle=1.0))

    assert flags == ["--max-pixels", "5000", "--memory", "100", "--decode-timeout", "2.0"]
    assert set(settings.DECODING_SETTINGS) <= set(settings.LEARNING_SETTINGS)
