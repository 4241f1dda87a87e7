"""The networks that a training may start from, by name or file. Needs no TensorFlow: refusals do not wait for it."""

import os
from pathlib import Path

from dogid.errors import UsageError

AUTO, IMAGENET, SHIPPED = "auto", "imagenet", "shipped"
"""Names that a user can give for bases of dogid's own; `AUTO` compares all of them."""
KERAS_PREFIX = "keras:"
_KERAS_NAMES = ("mobilenet_v1", "mobilenet_v2", "inception_v3")
_FILES = {IMAGENET: "imagenet_base.pb", SHIPPED: "retrained_graph.pb"}
"""In the repository's folder models, or the user's data folder. Where two do equally well, the first is taken."""


def find_bases(base: str | None) -> tuple[str, ...]:
    """Return what to compare: one path or name, or for `AUTO` the files of all bases that are here.

    None stands for what DOGID_BASE names, or else for `AUTO`.
    Raise UsageError where there are none, or no such one.
    """
    base = base or os.environ.get("DOGID_BASE") or AUTO
    if base.startswith(KERAS_PREFIX):
        check_keras_name(base.removeprefix(KERAS_PREFIX))
        return (base,)
    if base in _FILES:
        return (str(_find_file(base)),)
    if base != AUTO:
        if not Path(base).exists():
            names = f"{', '.join([AUTO, *_FILES])} or {KERAS_PREFIX}NAME"
            raise UsageError(f"the base cannot be used: {base}: no such file or folder, and none of {names}")
        return (base,)
    found = tuple(str(path) for name in _FILES if (path := _look_for(name)) is not None)
    if not found:
        raise UsageError(_describe_missing(IMAGENET))
    return found


def check_keras_name(name: str) -> None:
    """Raise UsageError where there is no such network of Keras to start from."""
    if name not in _KERAS_NAMES:
        known = ", ".join(KERAS_PREFIX + known for known in _KERAS_NAMES)
        raise UsageError(f"no base {KERAS_PREFIX}{name}: there are {known}")


def _find_file(name: str) -> Path:
    found = _look_for(name)
    if found is None:
        raise UsageError(_describe_missing(name))
    return found


def _look_for(name: str) -> Path | None:
    """Return the file of one of dogid's own bases: in the source tree, or in the user's data folder."""
    return next((path for path in _places(name) if path.is_file()), None)


def _places(name: str) -> tuple[Path, Path]:
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return Path(__file__).parents[3] / "models" / _FILES[name], data / "dogid" / _FILES[name]


def _describe_missing(name: str) -> str:
    return (
        "no base to retrain: an installed dogid carries no float graph. Give one with --base (a frozen graph, a Keras "
        f"file or {KERAS_PREFIX}mobilenet_v2), or copy models/{_FILES[name]} of dogid's repository to "
        f"{_places(name)[1]}, or name it in DOGID_BASE"
    )
