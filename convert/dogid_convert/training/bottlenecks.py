"""What a frozen part of a network makes of each photo, computed once and kept.

Named as in TensorFlow's retrain example. A photo has 1 + N bottlenecks: of the photo as the daemon will see it, and
of N views (`augmentation`). They are kept by the photo's content and by all that they depend on.
"""

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dogid.errors import DogidError, PhotoError
from dogid.photo.decode import Pixels, decode
from dogid_convert.data.dataset import LabelledPhoto
from dogid_convert.support import interruption
from dogid_convert.support.atomic_files import write_all
from dogid_convert.support.free_memory import free_memory
from dogid_convert.training.augmentation import Augmentation, view
from dogid_convert.training.backbone import MEAN, STD, Backbone, Floats, runner

_FORMAT = 1  # of the kept files; another number, and all are computed again
_AHEAD = 16  # photos that are decoded while the network works
_MOST_OF_MEMORY = 0.8  # the training itself needs some, too

Half = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to compute: everything a bottleneck depends on but the photo itself."""

    backbone: Backbone
    tensor: str
    """The node of the backbone whose values are wanted."""
    views: int
    seed: int
    augmentation: Augmentation = Augmentation()

    def key(self) -> str:
        """Return a name for these bottlenecks, the same for the same values."""
        made_of = (_FORMAT, self.backbone.sha256, self.tensor, self.backbone.size, self.views)
        varied = (self.seed, self.augmentation.key()) if self.views else ()
        return hashlib.sha256(repr((made_of, varied)).encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Bottlenecks:
    """The values of all photos that could be decoded."""

    values: Half
    """[photos, 1 + views, ...]; [:, 0] are of the photos as they are."""
    photos: tuple[LabelledPhoto, ...]
    unreadable: tuple[tuple[Path, str], ...]
    """The other photos, with the reason."""
    reused: int
    """How many photos' values were kept from an earlier run."""


@dataclass(frozen=True, slots=True)
class _Pixels:
    values: Pixels
    """[1 + views, height, width, 3]."""


def compute(
    photos: Sequence[LabelledPhoto],
    wanted: Wanted,
    cache: Path,
    progress: Callable[[Iterable[LabelledPhoto]], Iterable[LabelledPhoto]] = iter,
    say: Callable[[str], None] = lambda _: None,
) -> Bottlenecks:
    """Return the bottlenecks of photos, from the cache folder as far as they are there.

    A cache that cannot be written to is told once, and costs only the time of the next run. Raise DogidError where they
    do not fit into memory.
    """
    folder = cache / "bottlenecks" / wanted.key()
    network = runner(wanted.backbone, wanted.tensor)
    values = np.zeros((0, 1 + wanted.views, 0), np.float16)
    good: list[LabelledPhoto] = []
    unreadable: list[tuple[Path, str]] = []
    reused, keeping = 0, True
    for photo, outcome in _in_order(progress(photos), wanted, folder):
        interruption.check()
        if isinstance(outcome, str):
            unreadable.append((photo.path, outcome))
            continue
        if isinstance(outcome, _Pixels):
            # one photo at a time: its values do not depend on which other photos were computed with it
            row = _as_half(network(((outcome.values.astype(np.float32) - MEAN) / STD).astype(np.float32)))
            if keeping:
                try:
                    _keep(_place(folder, photo), row)
                except OSError as error:
                    keeping = False
                    say(f"{cache}: {error.strerror}: bottlenecks are not kept, the next run computes them again")
        else:
            row = outcome
            reused += 1
        if not good:
            values = _room(len(photos), row)
        values[len(good)] = row
        good.append(photo)
    return Bottlenecks(values[: len(good)], tuple(good), tuple(unreadable), reused)


def _room(photos: int, row: Half) -> Half:
    """Return an array for that many rows. Raise DogidError where memory is too small: Linux would kill the process."""
    needed, there = photos * row.nbytes, free_memory()
    if there is not None and needed > _MOST_OF_MEMORY * there:
        raise DogidError(
            f"the bottlenecks of {photos} photos need {needed / 1e9:.1f} GB of memory, {there / 1e9:.1f} GB are free: "
            "take fewer views (--augment) or fine-tune fewer convolutions (--fine-tune)"
        )
    return np.empty((photos, *row.shape), np.float16)


def _in_order(
    photos: Iterable[LabelledPhoto], wanted: Wanted, folder: Path
) -> Iterator[tuple[LabelledPhoto, Half | _Pixels | str]]:
    """Give each photo's kept values, or its pixels, or why it has none; decoded ahead in threads."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        waiting = []
        for photo in photos:
            waiting.append((photo, pool.submit(_kept_or_pixels, photo, wanted, _place(folder, photo))))
            if len(waiting) > _AHEAD:
                first, future = waiting.pop(0)
                yield first, future.result()
        for photo, future in waiting:
            yield photo, future.result()


def _kept_or_pixels(photo: LabelledPhoto, wanted: Wanted, place: Path) -> Half | _Pixels | str:
    kept = _kept(place, 1 + wanted.views)
    if kept is not None:
        return kept
    try:
        return _pixels(photo, wanted)
    except PhotoError as error:
        return f"{error.code}: {error.message}"
    except OSError as error:
        return error.strerror or str(error)


def _pixels(photo: LabelledPhoto, wanted: Wanted) -> _Pixels:
    data = photo.read()
    size = wanted.backbone.size
    stack = [decode(data, size).pixels]
    for number in range(wanted.views):
        rng = np.random.default_rng([int(photo.sha256[:16], 16), number, wanted.seed])
        stack.append(view(data, size, rng, wanted.augmentation))
    return _Pixels(np.stack(stack))


def _as_half(values: Floats) -> Half:
    largest = np.finfo(np.float16).max
    return np.clip(values, -largest, largest).astype(np.float16)


def _place(folder: Path, photo: LabelledPhoto) -> Path:
    return folder / photo.sha256[:2] / f"{photo.sha256}.npy"


def _kept(place: Path, rows: int) -> Half | None:
    try:
        values = np.load(place, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or damaged: computed again
        return None
    return values if values.dtype == np.float16 and values.shape[0] == rows else None


def _keep(place: Path, values: Half) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    with interruption.held():
        write_all(place.parent, {place.name: buffer.getvalue()})
