"""What is on the shelf: each model with its labels, what it was made from, and whether it is active."""

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dogid.clock import iso_utc
from dogid.errors import UsageError
from dogid.model.model_file import ModelFile, read_model_file
from dogid.model.shipped import shipped_model
from dogid.quantities import count_of
from dogid.shelf.folder import explain_damage, hash_file, models_on_shelf, noted_labels, read_note
from dogid.shelf.open_model import FoundModel
from dogid.shelf.pointer import DamagedPointerError, Entry, Pointer, read_pointer

_SHOWN_HASH = 8  # digits of a SHA-256 in texts for people


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model of the shelf, or the shipped one."""

    name: str
    sha256: str | None
    """Of the file; None where it cannot be read."""
    size: int
    """In bytes."""
    labels: tuple[str, ...]
    made_from: str
    """For people."""
    added_at: str
    """When it came onto the shelf, ISO 8601, UTC; of the shipped one, when it was installed."""
    activated_at: str | None
    active: bool
    previous: bool
    """Whether a rollback goes to it."""
    passed: bool | None
    """Whether a learned model has passed the gate; None for others, and where that is not known."""
    shipped: bool
    problem: str | None
    """Why it cannot be used; None where nothing is known."""

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def list_models(state: Path) -> list[ListedModel]:
    """Return all models of a state folder's shelf and the shipped one: the active one first, then by name."""
    try:
        pointer = read_pointer(state)
    except DamagedPointerError:
        pointer = Pointer()
    previous = pointer.previous if pointer.can_roll_back else pointer.active
    models = [_list_shipped(pointer, previous)]
    models += [_list(path, pointer, previous) for path in models_on_shelf(state)]
    listed = {model.name for model in models}
    models += [_list_missing(entry) for entry in (pointer.active,) if entry is not None and entry.name not in listed]
    return sorted(models, key=lambda model: (not model.active, model.shipped, model.name))


def _list(path: Path, pointer: Pointer, previous: Entry | None) -> ListedModel:
    entries = {entry.name: entry for entry in (*pointer.former, pointer.active) if entry is not None}
    entry, note = entries.get(path.name), read_note(path)
    is_active = pointer.active is not None and pointer.active.name == path.name
    status = path.stat()
    try:
        file = read_model_file(path, noted_labels(path))
        sha256, labels, made_from, problem = file.sha256, file.labels or (), describe_origin(file.record), None
    except UsageError as error:
        sha256, labels, made_from, problem = None, (), "unknown", str(error)
        with contextlib.suppress(OSError):
            problem = explain_damage(path, hash_file(path)) or problem
    if made_from == "unknown" and note is not None:
        made_from = note.source  # no record says more than where it came from
    if problem is None and is_active and entry is not None and sha256 != entry.sha256:
        problem = "was changed or damaged since it was activated"
    if sha256 is not None and (entry is None or sha256 != entry.sha256):
        problem = explain_damage(path, sha256) or problem
    return ListedModel(
        name=path.name,
        sha256=sha256,
        size=status.st_size,
        labels=tuple(labels),
        made_from=made_from,
        added_at=iso_utc(status.st_mtime_ns // 1_000_000) if note is None else note.added_at,
        activated_at=None if entry is None else entry.at,
        active=is_active,
        previous=previous is not None and not is_active and previous.name == path.name,
        passed=None if note is None or note.sha256 != sha256 else note.passed,
        shipped=False,
        problem=problem,
    )


def _list_shipped(pointer: Pointer, previous: Entry | None) -> ListedModel:
    path = shipped_model()
    file = read_model_file(path)
    status = path.stat()
    return ListedModel(
        name=path.name,
        sha256=file.sha256,
        size=status.st_size,
        labels=tuple(file.labels or ()),
        made_from=describe_origin(file.record),
        added_at=iso_utc(status.st_mtime_ns // 1_000_000),
        activated_at=None,
        active=pointer.active is None,
        previous=pointer.active is not None and previous is None,
        passed=None,
        shipped=True,
        problem=None,
    )


def _list_missing(entry: Entry) -> ListedModel:
    return ListedModel(
        name=entry.name,
        sha256=None,
        size=0,
        labels=(),
        made_from="unknown",
        added_at=entry.at,
        activated_at=entry.at,
        active=True,
        previous=False,
        passed=None,
        shipped=False,
        problem="the file is missing",
    )


def describe_choice(found: FoundModel, file: ModelFile) -> dict[str, Any]:
    """Return, for JSON, why a model was chosen, what it was made from, and what is wrong with the choice."""
    return {
        "sha256": file.sha256,
        "origin": found.origin.value,
        "made_from": describe_origin(file.record),
        "activated_at": None if found.entry is None else found.entry.at,
        "problem": found.problem,
    }


def describe_origin(record: Mapping[str, Any]) -> str:
    """Given dogid's record in a model file, return what the model was made from; `unknown` where it does not say."""
    provenance = record.get("provenance")
    if not isinstance(provenance, Mapping):
        return "unknown"
    parent, corrections = provenance.get("parent"), provenance.get("corrections")
    if isinstance(parent, Mapping) and isinstance(parent.get("file"), str):
        count = len(corrections) if isinstance(corrections, list) else corrections
        learned = f" and {count_of(count, 'correction')}" if isinstance(count, int) else ""
        return f"{parent['file']}{learned}"
    trained, graph = provenance.get("trained_on"), provenance.get("graph")
    if isinstance(trained, Mapping) and isinstance(trained.get("photos"), int):
        version = str(trained.get("data_version") or "")[:_SHOWN_HASH]
        return f"{trained['photos']} photos" + (f" (version {version})" if version else "")
    if isinstance(graph, Mapping) and isinstance(graph.get("file"), str):
        return str(graph["file"])
    return "unknown"
