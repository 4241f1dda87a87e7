"""A ledger of photos with hostile names, dates, words of people and failures, for the tests of exports and outputs."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from dogid.cli import main
from dogid.errors import PhotoCode
from dogid.ledger.outcomes import Classified, Timings
from dogid.ledger.review_writer import say_label, say_verdict
from tests.ledger.ledger_folder import Inbox, add, fail

HOSTILE = (
    "=HYPERLINK(1).jpg",
    "-x.jpg",
    "@x.jpg",
    "+1.jpg",
    '"quoted", comma.jpg',
    "two\nlines.jpg",
    "'mark.jpg",
    "é🐕.jpg",
)


def classify(
    inbox: Inbox, name: str, label: str = "cat", score: float = 0.75, taken_at: str | None = "2026-05-01T12:34:56+02:00"
) -> int:
    """Put a file into the inbox, with a result; return its id."""
    data = f"photo {name}".encode()
    path = inbox.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    inbox.observe(name)
    (job,) = (job for job in inbox.ledger.claim(99, ()) if job.path == name.encode())
    scores = {label: score, "rest": round(1 - score, 6)}
    made = Classified(job, job.version, sha256(data).hexdigest(), 64, 48, scores, inbox.model_id, Timings(1, 2, 4))
    inbox.ledger.record([replace(made, taken_at=taken_at)])
    return job.id


def fill(inbox: Inbox) -> None:
    """Add photos of two cameras and of none: classified, reviewed, undated, failed and pending."""
    for name in HOSTILE:
        classify(inbox, f"gate/{name}", taken_at="2026-05-01T12:34:56+02:00")
    corrected = classify(inbox, "pond/long name of a photo.jpg", "person", 0.6, "2026-05-02T06:00:00+02:00")
    inbox.ledger.review([corrected], say_label("wolf, grey", "=anna"))
    unknown = classify(inbox, "pond/a.jpg", "cat", 0.5, None)
    inbox.ledger.review([unknown], say_verdict("unsure", "anna"))
    classify(inbox, "alone.jpg", "empty", 0.9)
    fail(inbox, add(inbox, "broken.jpg"), PhotoCode.CORRUPT)
    add(inbox, "waiting.jpg")


def export(inbox: Inbox, *flags: str | Path) -> int:
    """Run `dogid export` in this process; return its exit status."""
    return main(["export", *map(str, flags), "--inbox", str(inbox.folder), "--state", str(inbox.state)])
