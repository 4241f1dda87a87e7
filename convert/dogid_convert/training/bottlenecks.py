"""The output of the frozen part of a network for each photo, computed once and cached.

Named as in TensorFlow's retrain example. A photo has 1 + N bottlenecks: of the photo as the daemon will see it, and
of N augmented copies (`augmentation`). Their file is named by the photo's content and by all else that they depend on.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dogid.dataset.labelled_photos import LabelledPhoto
from dogid.errors import DogidError, PhotoError
from dogid.photo.decode import decode_complete
from dogid.photo.pixels import Pixels
from dogid.system.memory import free_memory
from dogid_convert.support import interruption
from dogid_convert.training.augmentation import Augmentation, augment
from dogid_convert.training.backbone import MEAN, STD, Backbone, make_runner
from dogid_convert.training.bottleneck_cache import BottleneckCache, Half
from dogid_convert.training.head import Floats

_FORMAT = 2  # of the cached files; another number, and all are computed again
_DECODE_AHEAD = 16  # photos decoded while the network works: more need memory, fewer let it wait
_MAX_MEMORY_SHARE = 0.8  # the training itself needs the rest


@dataclass(frozen=True, slots=True)
class BottleneckSpec:
    """Everything that a bottleneck depends on but the photo itself."""

    backbone: Backbone
    tensor: str
    """The node of the backbone whose values are computed."""
    augmentations: int
    seed: int
    augmentation: Augmentation = Augmentation()

    def key(self) -> str:
        """Return a name for these bottlenecks, the same for the same values."""
        made_of = (_FORMAT, self.backbone.sha256, self.tensor, self.backbone.size, self.augmentations)
        varied = (self.seed, self.augmentation.key()) if self.augmentations else ()
        return hashlib.sha256(repr((made_of, varied)).encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Bottlenecks:
    """The values of all photos that could be decoded."""

    values: Half
    """[photos, 1 + augmentations, ...]; [:, 0] are of the photos as they are."""
    photos: tuple[LabelledPhoto, ...]
    unreadable: tuple[tuple[Path, str], ...]
    """The other photos, with the reason."""
    reused: int
    """How many photos' values came from the cache."""


@dataclass(frozen=True, slots=True)
class _Pixels:
    values: Pixels
    """[1 + augmentations, height, width, 3]."""


def compute_bottlenecks(
    photos: Sequence[LabelledPhoto],
    spec: BottleneckSpec,
    folder: Path,
    progress: Callable[[Iterable[LabelledPhoto]], Iterable[LabelledPhoto]] = iter,
    log: Callable[[str], None] = lambda _: None,
) -> Bottlenecks:
    """Return the bottlenecks of photos, from the cache in folder as far as they are there.

    A cache that cannot be written is logged once, and costs only the time of the next run. Raise DogidError where they
    do not fit into memory.
    """
    cache = BottleneckCache(folder, spec.key())
    network = make_runner(spec.backbone, spec.tensor)
    values = np.zeros((0, 1 + spec.augmentations, 0), np.float16)
    readable: list[LabelledPhoto] = []
    unreadable: list[tuple[Path, str]] = []
    reused, caching = 0, True
    for photo, outcome in _load_in_order(progress(photos), spec, cache):
        interruption.check()
        if isinstance(outcome, str):
            unreadable.append((photo.path, outcome))
            continue
        if isinstance(outcome, _Pixels):
            # one photo at a time: its values do not depend on which other photos were computed with it
            row = _to_float16(network(((outcome.values.astype(np.float32) - MEAN) / STD).astype(np.float32)))
            if caching:
                try:
                    cache.write(photo.sha256, row)
                except OSError as error:
                    caching = False
                    log(f"{folder}: {error.strerror}: bottlenecks are not cached, the next run computes them again")
        else:
            row = outcome
            reused += 1
        if not readable:
            values = _allocate(len(photos), row)
        values[len(readable)] = row
        readable.append(photo)
    return Bottlenecks(values[: len(readable)], tuple(readable), tuple(unreadable), reused)


def _allocate(photos: int, row: Half) -> Half:
    """Return an array for that many rows. Raise DogidError where memory is too small: Linux would kill the process."""
    needed, there = photos * row.nbytes, free_memory()
    if there is not None and needed > _MAX_MEMORY_SHARE * there:
        raise DogidError(
            f"the bottlenecks of {photos} photos need {needed / 1e9:.1f} GB of memory, {there / 1e9:.1f} GB are free: "
            "take fewer augmented copies (--augment) or fine-tune fewer convolutions (--fine-tune)"
        )
    return np.empty((photos, *row.shape), np.float16)


def _load_in_order(
    photos: Iterable[LabelledPhoto], spec: BottleneckSpec, cache: BottleneckCache
) -> Iterator[tuple[LabelledPhoto, Half | _Pixels | str]]:
    """Yield each photo's cached values, or its pixels, or why it cannot be read; threads decode ahead."""
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        waiting = []
        for photo in photos:
            waiting.append((photo, pool.submit(_read_or_decode, photo, spec, cache)))
            if len(waiting) > _DECODE_AHEAD:
                first, future = waiting.pop(0)
                yield first, future.result()
        for photo, future in waiting:
            yield photo, future.result()
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C the photos that were to be decoded ahead are of no use


def _read_or_decode(photo: LabelledPhoto, spec: BottleneckSpec, cache: BottleneckCache) -> Half | _Pixels | str:
    cached = cache.read(photo.sha256, 1 + spec.augmentations)
    if cached is not None:
        return cached
    try:
        return _decode(photo, spec)
    except PhotoError as error:
        return f"{error.code}: {error.message}"
    except OSError as error:
        return error.strerror or str(error)


def _decode(photo: LabelledPhoto, spec: BottleneckSpec) -> _Pixels:
    data = photo.read()
    size = spec.backbone.size
    stack = [decode_complete(data, size).pixels]
    for number in range(spec.augmentations):
        rng = np.random.default_rng([int(photo.sha256[:16], 16), number, spec.seed])
        stack.append(augment(data, size, rng, spec.augmentation))
    return _Pixels(np.stack(stack))


def _to_float16(values: Floats) -> Half:
    largest = np.finfo(np.float16).max
    return np.clip(values, -largest, largest).astype(np.float16)
