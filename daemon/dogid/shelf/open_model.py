"""From the settings to a model that is loaded: the file or name that they give, else the active one on the shelf.

A model that cannot be used any more, since its file is gone or damaged, is replaced by the one that was active before
it, and by the shipped one in the end.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dogid.errors import UsageError
from dogid.model.classifier import Model, load_model
from dogid.model.model_file import InputOptions
from dogid.model.shipped import shipped_model
from dogid.settings import Settings
from dogid.shelf.folder import hash_file, noted_labels, path_on_shelf, read_note, shelf_folder
from dogid.shelf.pointer import DamagedPointerError, Entry, Pointer, read_pointer

log = logging.getLogger(__name__)


class UnknownModelError(UsageError):
    """There is no model of this name on the shelf."""


class Origin(StrEnum):
    """Why a model was chosen. The values are part of the public interface."""

    SET = "set"
    """The settings name it."""
    ACTIVATED = "activated"
    SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model's file, and how it is fed; it has not been loaded."""

    path: Path
    labels: Path | None
    options: InputOptions
    origin: Origin
    entry: Entry | None = None
    """Of the shelf, where it was activated."""
    problem: str | None = None
    """Why it is not the active one; None where it is, or where the settings name it."""


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model that was loaded."""

    model: Model
    found: FoundModel


def open_model(chosen: Settings, *, embeddings: bool = False) -> Model:
    """Load the model that the settings name, fed as they say; the active one where they name none.

    embeddings: whether its classifiers give embeddings, too. Log an error where another one had to take its place.
    Raise UsageError naming the file and the reason.
    """
    opened = choose_model(chosen, embeddings=embeddings)
    if opened.found.problem is not None:
        log.error("%s", opened.found.problem)
    return opened.model


def choose_model(chosen: Settings, *, embeddings: bool = False) -> OpenedModel:
    """Load the model that the settings name, or the active one, or the first one before it that can be loaded.

    embeddings: whether its classifiers give embeddings, too. Raise UsageError naming the file and the reason.
    """
    broken: list[str] = []
    for found in _candidates(chosen, broken):
        try:
            model = _load(found, embeddings=embeddings)
        except UsageError as error:
            if found.entry is None:
                raise
            broken.append(str(error))
        else:
            return OpenedModel(model, found)
    raise UsageError("; ".join(broken))  # unreachable: the last candidate raises


def find_model(chosen: Settings) -> FoundModel:
    """Return the file of the model that `choose_model` would load, without loading it. Raise UsageError."""
    return next(_candidates(chosen, []))


def open_activated(chosen: Settings, entry: Entry | None, *, embeddings: bool = False) -> OpenedModel:
    """Load one entry of the shelf, None for the shipped model. Raise UsageError naming the file and the reason."""
    found = _find_shipped(chosen) if entry is None else _find_entry(chosen, entry)
    return OpenedModel(_load(found, embeddings=embeddings), found)


def explain_unusable(chosen: Settings, entry: Entry) -> str | None:
    """Return why the file of an entry of the shelf is not what was activated; None where it is."""
    try:
        _find_entry(chosen, entry)
    except UsageError as error:
        return str(error)
    return None


def _load(found: FoundModel, *, embeddings: bool) -> Model:
    return load_model(found.path, found.labels, found.options, embeddings=embeddings)


def _candidates(chosen: Settings, broken: list[str]) -> Iterator[FoundModel]:
    """Yield what may be loaded, the best first; broken has the reasons why those before are not."""
    if chosen.model is not None:
        yield _find_set(chosen, chosen.model)
        return
    try:
        pointer = read_pointer(chosen.state)
    except DamagedPointerError as error:
        broken.append(str(error))
        pointer = Pointer()
    for entry in (pointer.active, *pointer.former):
        if entry is None:
            break
        try:
            yield _find_entry(chosen, entry, broken)
        except UsageError as error:
            broken.append(str(error))
    yield _find_shipped(chosen, broken)


def _find_entry(chosen: Settings, entry: Entry, broken: list[str] | None = None) -> FoundModel:
    """Return the file of an entry of the shelf. Raise UsageError where it is gone, or is not what was activated."""
    path = path_on_shelf(chosen.state, entry.name)
    try:
        # before it is loaded: the interpreter may crash on a file that was damaged
        sha256 = hash_file(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot read the model: {error.strerror or error}") from error
    if sha256 != entry.sha256:
        raise UsageError(f"{path}: was changed or damaged since it was activated; its SHA-256 is not {entry.sha256}")
    note = read_note(path)
    noted = InputOptions() if note is None or note.sha256 != sha256 else note.options
    options = _fill_in(noted, _options(chosen))
    # the setting `labels` belongs to a model of the settings: one that was learned from it has others inside
    return FoundModel(path, noted_labels(path), options, Origin.ACTIVATED, entry, _problem(broken, path.name))


def _find_shipped(chosen: Settings, broken: list[str] | None = None) -> FoundModel:
    path = shipped_model()
    return FoundModel(
        path, chosen.labels, _options(chosen), Origin.SHIPPED, problem=_problem(broken, f"the shipped {path.name}")
    )


def _problem(broken: list[str] | None, name: str) -> str | None:
    if not broken:
        return None
    way_out = "activate another: dogid model list, dogid model activate NAME"
    return f"the active model cannot be used, and {name} runs instead: {'; '.join(broken)}; {way_out}"


def _options(chosen: Settings) -> InputOptions:
    return InputOptions(chosen.normalisation, chosen.channels, chosen.size)


def _fill_in(options: InputOptions, others: InputOptions) -> InputOptions:
    """Return options, with those of others where they leave it to the file."""
    return InputOptions(
        options.normalisation or others.normalisation, options.channels or others.channels, options.size or others.size
    )


def _find_set(chosen: Settings, named: Path) -> FoundModel:
    """Return the model that the settings name; one of the shelf as it is noted there, but for what they set.

    Raise UsageError where there is none of that name.
    """
    path = _find_named(chosen, named)
    if path.parent != shelf_folder(chosen.state):
        return FoundModel(path, chosen.labels, _options(chosen), Origin.SET)
    note = read_note(path)
    noted = InputOptions() if note is None else note.options
    return FoundModel(path, chosen.labels or noted_labels(path), _fill_in(_options(chosen), noted), Origin.SET)


def _find_named(chosen: Settings, named: Path) -> Path:
    """Return the path of the model that the settings name. Raise UsageError where a name is not on the shelf."""
    # where no rights are given, loading it explains that
    if os.path.exists(named) or named.name != str(named):
        return named
    on_shelf = path_on_shelf(chosen.state, named.name)
    if on_shelf.is_file():
        return on_shelf
    shipped = shipped_model()
    if named.name in (shipped.name, shipped.stem):
        return shipped
    if named.suffix:  # a file in the working folder
        return named
    raise UsageError(explain_unknown_model(chosen.state, named.name))


def explain_unknown_model(state: Path, name: str) -> str:
    """Return the message for a name that no model on the shelf has, with the way out."""
    from dogid.shelf.catalogue import find_entry

    if find_entry(name) is not None:
        missing = path_on_shelf(state, name)
        return f"{name}: not downloaded yet ({missing} is missing); get it: dogid model get {name}"
    return (
        f"{name}: no such file, nor a model of that name in {shelf_folder(state)}{_suggestion(name)}; `dogid model"
        " list` shows those that are there, `dogid model get --list` those that can be had by name"
    )


def _suggestion(name: str) -> str:
    import difflib  # most starts do not need it

    from dogid.shelf.catalogue import CATALOGUE

    near = difflib.get_close_matches(name, [entry.name for entry in CATALOGUE], 1)
    return f": did you mean {near[0]}?" if near else ""
