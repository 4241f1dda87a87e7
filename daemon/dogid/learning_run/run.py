"""One learning run, from the reviews in the ledger to a model on the shelf.

`learn_model` does the work, in a process of its own: the daemon starts one for `POST /learn` (`child`).
"""

import shutil
import sqlite3
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dogid.clock import Clock, iso_utc
from dogid.learning.learn import check_contradictions, learn
from dogid.learning.learned import Learned
from dogid.learning.photos import LearningError
from dogid.learning.precise_thresholds import DEFAULT_PRECISION
from dogid.learning_run.gather import REPLAYED, Report, gather
from dogid.learning_run.report import describe_contradictions, describe_learned
from dogid.model.classifier import Model
from dogid.model.write_head import NewModel, write_head
from dogid.quantities import count_of
from dogid.settings import Settings
from dogid.shelf.folder import put_on_shelf, shelf_folder
from dogid.shelf.open_model import open_model
from dogid.shelf.prune import prune_shelf
from dogid.system.malloc import trim_malloc

_PLACE = ".learning-"  # how the names of the folders begin in which models are written


@dataclass(frozen=True, slots=True)
class LearningRun:
    """What a run has made."""

    model: Path
    """On the shelf."""
    document: dict[str, Any]
    """The report."""


def learn_model(
    chosen: Settings, state: Path, db: sqlite3.Connection, report: Report, precision: float = DEFAULT_PRECISION
) -> LearningRun:
    """Learn from the reviews in a ledger, and put the new model on the shelf, whether or not it passed the gate.

    precision (0..1) is the share of sure answers that shall be right, for the thresholds that the report proposes.
    Raise DogidError where nothing can be learned or written; OSError.
    """
    started = time.monotonic()
    _remove_leftovers(state)
    model = open_model(chosen, embeddings=True)
    trim_malloc()  # what its self-test has used: 8 MB
    gathered = gather(model, chosen, state, db, report)
    if gathered.unreadable and not gathered.reviewed:
        file, reason = gathered.unreadable[0]
        raise LearningError(f"no reviewed photo can be read: {file}: {reason}; review others")
    report(f"learning from {count_of(len(gathered.reviewed), 'reviewed photo')}")
    learned = learn(gathered.parent, gathered.reviewed, gathered.read_recent, replayed=REPLAYED, precision=precision)
    report("writing the model")
    path, sha256 = _write(model, state, learned)
    prune_shelf(state, {model.file.path, path})
    document = {
        "model": str(path),
        "name": path.name,
        "sha256": sha256,
        "parent": {"name": model.file.name, "sha256": model.file.sha256},
        "activated": False,
        "precision": precision,
        **describe_learned(learned, gathered),
        "seconds": round(time.monotonic() - started, 1),
        "at": iso_utc(Clock().wall_ms()),
    }
    return LearningRun(path, document)


def _remove_leftovers(state: Path) -> None:
    """Remove what runs that were killed have left; the caller's is the only one."""
    for place in shelf_folder(state).glob(f"{_PLACE}*"):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place, ignore_errors=True)


def find_contradictions(chosen: Settings, state: Path, db: sqlite3.Connection, report: Report) -> list[dict[str, Any]]:
    """Return what contradicts itself among stored and reviewed photos; nothing is written. Raise DogidError."""
    gathered = gather(open_model(chosen, embeddings=True), chosen, state, db, report, store=False)
    return describe_contradictions(check_contradictions(gathered.parent, gathered.reviewed, gathered.read_recent))


def _write(parent: Model, state: Path, learned: Learned) -> tuple[Path, str]:
    """Return the path on the shelf and the hash of the new model's file."""
    new = NewModel(
        learned.head, learned.labels, learned.embeddings, learned.learned_from, "dogid learn", learned.learned_labels,
        learned.kept, learned.dropped,
    )  # fmt: skip
    folder = shelf_folder(state)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_PLACE, dir=folder) as place:
        written = write_head(parent, Path(place) / "learned.tflite", new)
        content = written.path.read_bytes()
    name = f"learned-{iso_utc(Clock().wall_ms())[:10]}"
    source = f"dogid learn, from {parent.file.name}"
    return put_on_shelf(state, name, content, source, passed=learned.gate.passed), written.sha256
