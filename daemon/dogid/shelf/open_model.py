"""From the settings to a model that is loaded: its file, or the name of one on the shelf."""

from pathlib import Path

from dogid.errors import UsageError
from dogid.model.classifier import Model, load_model
from dogid.model.model_file import InputOptions
from dogid.model.shipped import shipped_model
from dogid.settings import Settings
from dogid.shelf.catalogue import CATALOGUE, find_entry

_SHELF = "models"
_ENDING = ".tflite"


def open_model(chosen: Settings, *, embeddings: bool = False) -> Model:
    """Load the model that the settings name, fed as they say; the shipped one where they name none.

    embeddings: whether its classifiers give embeddings, too. Raise UsageError naming the file and the reason.
    """
    options = InputOptions(chosen.normalisation, chosen.channels, chosen.size)
    return load_model(find_model(chosen), chosen.labels, options, embeddings=embeddings)


def find_model(chosen: Settings) -> Path:
    """Return the path of the model that the settings name. Raise UsageError where a name is not on the shelf."""
    if chosen.model is None:
        return shipped_model()
    named = chosen.model
    if named.exists() or not _is_name(named):
        return named
    on_shelf = path_on_shelf(chosen.state, named.name)
    if on_shelf.is_file():
        return on_shelf
    if find_entry(named.name) is None:
        raise UsageError(
            f"{named}: no such file, nor a model of that name in {on_shelf.parent}{_suggestion(named.name)}; `dogid "
            "model get --list` shows the models that can be had by name"
        )
    raise UsageError(f"{named}: not downloaded yet ({on_shelf} is missing); get it: dogid model get {named}")


def path_on_shelf(state: Path, name: str) -> Path:
    """Return where a state folder keeps the model of this name."""
    return state / _SHELF / (name if name.endswith(_ENDING) else name + _ENDING)


def _suggestion(name: str) -> str:
    import difflib  # most starts do not need it

    near = difflib.get_close_matches(name, [entry.name for entry in CATALOGUE], 1)
    return f": did you mean {near[0]}?" if near else ""


def _is_name(path: Path) -> bool:
    """Whether a setting may be a name on the shelf: one word that is no file's name."""
    return path.name == str(path) and not path.suffix
