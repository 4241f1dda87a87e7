"""The shelf itself: the folder of models in a state folder, and what dogid notes beside a model."""

import hashlib
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dogid.clock import Clock, iso_utc
from dogid.model.model_file import AS_DEFINED, InputOptions
from dogid.model.shipped import shipped_model
from dogid.preprocessing import parse_normalisation
from dogid.system.atomic_files import write_all_atomically

_FOLDER = "models"
ENDING = ".tflite"
_NOTE, _LABELS = ".shelf.json", ".labels.json"
_OTHER_CHARACTERS = re.compile(r"[^\w.-]+")  # what no name on the shelf has
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}")
_UNFINISHED_SECONDS = 3600.0  # after which no file is being written any more; less may take one that a slow card gets
_LONGEST_NAME = 80  # characters; file systems take 255 bytes, and the ending, a hash and the notes' endings follow
_HASH_DIGITS = 8  # of a name that is taken by other content; fewer may be taken, too


@dataclass(frozen=True, slots=True)
class Note:
    """What dogid notes beside a model; those of `model get` have none until they are activated with flags."""

    sha256: str
    """Of the model's file."""
    added_at: str
    """ISO 8601, UTC."""
    source: str
    """Where it came from, for people."""
    options: InputOptions
    """How the model is fed, as far as the user has set it."""
    is_own: bool
    """Whether dogid has put the file there, and may remove it; false where the user did, or `model get`."""
    passed: bool | None = None
    """Whether a learned model has passed the gate; None for others, and where that is not known."""


def shelf_folder(state: Path) -> Path:
    """Return the folder of models in a state folder."""
    return state / _FOLDER


def path_on_shelf(state: Path, name: str) -> Path:
    """Return where a state folder keeps the model of this name."""
    return shelf_folder(state) / (name if name.endswith(ENDING) else name + ENDING)


def models_on_shelf(state: Path) -> Iterator[Path]:
    """Yield the files of all models on the shelf, by name; what is being written is hidden, and left out."""
    for path in sorted(shelf_folder(state).glob(f"*{ENDING}")):
        if not path.name.startswith(".") and not path.is_symlink() and path.is_file():
            yield path


def find_on_shelf(state: Path, name: str) -> Path | None:
    """Return the model of this name, with or without its ending; None where there is none.

    The name is compared with those in the folder, and leads nowhere else whatever it contains.
    """
    return next((path for path in models_on_shelf(state) if name in (path.name, path.stem)), None)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hex. Raise OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put_on_shelf(
    state: Path,
    name: str,
    content: bytes,
    source: str,
    *,
    labels: Sequence[str] | None = None,
    options: InputOptions = AS_DEFINED,
    passed: bool | None = None,
) -> Path:
    """Put a model onto the shelf, whole or not at all; return its file. One that is there, undamaged, stays as it is.

    name: the wanted one; where another model has it, the beginning of the hash is added. content: of the `.tflite`.
    source: where it came from, for people. labels: in the order of the outputs, where they are not inside. options: how
    it is fed, where the file does not say. passed: whether a learned model has passed the gate. Raise OSError.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    path = _free_path(state, name, sha256)
    before = read_note(path)
    is_own = before.is_own if before is not None else not path.exists()
    note = {
        "sha256": sha256,
        "added_at": iso_utc(Clock().wall_ms()),
        "source": source,
        "normalisation": None if options.normalisation is None else options.normalisation.setting,
        "channels": options.channels,
        "size": options.size,
        "is_own": is_own,
        "passed": before.passed if passed is None and before is not None and before.sha256 == sha256 else passed,
    }
    contents = {path.stem + _NOTE: json.dumps(note, ensure_ascii=False).encode()}
    if labels is not None:
        contents[path.stem + _LABELS] = json.dumps(list(labels), ensure_ascii=False).encode()
    if not path.exists() or hash_file(path) != sha256:
        contents[path.name] = content  # last: what is noted of it is there before it
    write_all_atomically(path.parent, contents)
    return path


def _free_path(state: Path, name: str, sha256: str) -> Path:
    stem = _OTHER_CHARACTERS.sub("_", name.removesuffix(ENDING)).lstrip(".")[:_LONGEST_NAME] or "model"
    path = path_on_shelf(state, stem + ENDING)
    # the shipped model has its name for itself: it can be activated by it, and results name their model
    note = read_note(path)
    is_ours = note is not None and note.is_own and note.sha256 == sha256  # perhaps damaged since: it is written again
    if (path.exists() and not is_ours and hash_file(path) != sha256) or (
        path.name == shipped_model().name and not path.exists()
    ):
        return path_on_shelf(state, f"{stem}-{sha256[:_HASH_DIGITS]}{ENDING}")
    return path


def read_note(model: Path) -> Note | None:
    """Return what is noted of a model on the shelf; None where nothing is, or the note is damaged."""
    try:
        document: dict[str, Any] = json.loads(model.with_name(model.stem + _NOTE).read_bytes())
        normalisation = document["normalisation"]
        options = InputOptions(
            None if normalisation is None else parse_normalisation(str(normalisation)),
            document["channels"],
            document["size"],
        )
        passed = document.get("passed")
        return Note(
            str(document["sha256"]),
            str(document["added_at"]),
            str(document["source"]),
            options,
            bool(document["is_own"]),
            passed if isinstance(passed, bool) else None,
        )
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def explain_damage(path: Path, sha256: str) -> str | None:
    """Return why a model is not the one that dogid put on the shelf, with the way out; None where it is, or may be.

    sha256: of its file, in hex. What the user has put there may be replaced at will.
    """
    note = read_note(path)
    if note is None or not note.is_own or note.sha256 == sha256:
        return None
    again = "run dogid learn" if note.source.startswith("dogid learn") else f"activate its file ({note.source})"
    return f"was damaged or changed since dogid put it on the shelf: delete it and {again} again"


def noted_labels(model: Path) -> Path | None:
    """Return the file with the labels of a model that has none inside; None where there is no such file."""
    path = model.with_name(model.stem + _LABELS)
    return path if path.is_file() else None


def unfinished_files(state: Path) -> Iterator[Path]:
    """Yield files that were being written when a process ended, an hour ago or more."""
    for path in shelf_folder(state).glob(".*"):
        # as tempfile.mkstemp names them; an unfinished download has another ending, and is resumed
        if _TEMPORARY.fullmatch(path.name) and time.time() - path.lstat().st_mtime > _UNFINISHED_SECONDS:
            yield path


def remove_model(path: Path) -> None:
    """Remove a model from the shelf, and then what is noted of it. Raise OSError."""
    path.unlink(missing_ok=True)
    for ending in (_LABELS, _NOTE):
        path.with_name(path.stem + ending).unlink(missing_ok=True)
