"""The cache of bottlenecks stays below its size, and runs that share it do not disturb each other."""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dogid.cli import main
from dogid.dataset.labelled_photos import LabelledPhoto, find_photos
from dogid_convert.support.quiet_tensorflow import load_tensorflow
from dogid_convert.training.bottleneck_cache import BottleneckCache, trim
from dogid_convert.training.recipe import Recipe
from dogid_convert.training.retrain import retrain
from tests.convert.training_material import make_folder, small_backbone, small_graph

load_tensorflow()

VALUES = np.ones((1, 500), np.float16)  # a file of 1,128 bytes


def kept(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.npy"))


def make_older(folder: Path, seconds: float) -> None:
    """Pretend that everything there was last used that long ago."""
    for path in folder.rglob("*"):
        then = path.stat().st_mtime - seconds
        os.utime(path, (then, then))


def test_least_recently_used_bottlenecks_are_removed_first(tmp_path: Path) -> None:
    earlier, later = BottleneckCache(tmp_path, "earlier"), BottleneckCache(tmp_path, "later")
    for name in ("aa", "ab", "ac"):
        earlier.write(name, VALUES)
    make_older(tmp_path, 60)
    later.write("ad", VALUES)
    assert earlier.read("ab", 1) is not None  # is its last use

    assert trim(tmp_path, 2_500) == 2

    assert [cache.read(name, 1) is not None for cache, name in ((earlier, "ab"), (later, "ad"))] == [True, True]
    assert earlier.read("aa", 1) is earlier.read("ac", 1) is None


def test_cache_below_its_size_stays(tmp_path: Path) -> None:
    cache = BottleneckCache(tmp_path, "key")
    cache.write("aa", VALUES)

    assert trim(tmp_path, kept(tmp_path)) == 0
    assert cache.read("aa", 1) is not None


def test_trim_touches_no_files_of_others(tmp_path: Path) -> None:
    others = [tmp_path / "notes.npy", tmp_path / "bottlenecks" / "mine.npy", tmp_path / "other" / "a" / "b" / "c.npy"]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    make_older(tmp_path, 1e6)

    trim(tmp_path, 0)

    assert all(path.exists() for path in others)


def test_remains_of_killed_runs_go_and_those_of_running_ones_stay(tmp_path: Path) -> None:
    old, new = tmp_path / "bottlenecks" / "key" / "aa", tmp_path / "bottlenecks" / "key" / "ab"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / ".abc.npy.x1y2").touch()
    empty = tmp_path / "bottlenecks" / "gone" / "aa"
    empty.mkdir(parents=True)
    make_older(tmp_path, 1e6)
    now = time.time()
    os.utime(new / ".abc.npy.x1y2", (now, now))

    for _ in range(3):  # a folder gets a new date when what is in it goes
        trim(tmp_path, 0)
        make_older(tmp_path / "bottlenecks" / "gone", 1e6)
        if old.exists():
            os.utime(old, (now - 1e6, now - 1e6))

    assert not empty.exists()
    assert not old.exists()
    assert [path.name for path in new.iterdir()] == [".abc.npy.x1y2"]


def test_trimming_meanwhile_does_not_disturb_a_run(tmp_path: Path) -> None:
    from dogid_convert.training.bottlenecks import BottleneckSpec, compute_bottlenecks

    photos = find_photos(make_folder(tmp_path / "photos", photos=12)).photos
    backbone = small_backbone()
    spec = BottleneckSpec(backbone, backbone.embedding, 0, 0)
    alone = compute_bottlenecks(photos, spec, tmp_path / "alone")
    removed, messages, over = [], list[str](), threading.Event()

    def trim_all_the_time() -> None:
        while not over.is_set():
            removed.append(trim(tmp_path / "shared", 0))

    thread = threading.Thread(target=trim_all_the_time)
    thread.start()
    try:
        runs = [compute_bottlenecks(photos, spec, tmp_path / "shared", log=messages.append) for _ in range(2)]
    finally:
        over.set()
        thread.join()

    assert sum(removed) > 0
    assert not messages
    for run in runs:
        assert run.values.tobytes() == alone.values.tobytes()


@pytest.mark.parametrize(("size", "limit"), [("30K", 30_000), ("0", 0)])
def test_retrain_leaves_no_more_than_cache_size(size: str, limit: int, tmp_path: Path) -> None:
    photos, cache = make_folder(tmp_path / "photos"), tmp_path / "cache"
    command = ["retrain", str(photos), "-o", str(tmp_path / "out"), "--base", str(small_graph())]

    assert main([*command, "--cache", str(cache), "--cache-size", size]) == 0

    assert kept(cache) <= limit
    assert kept(cache) >= 0.8 * limit  # 60 photos of 640 bytes


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_failed_run_leaves_no_more_than_cache_size(error: type[BaseException], tmp_path: Path) -> None:
    dataset, cache = find_photos(make_folder(tmp_path / "photos")), tmp_path / "cache"

    def fail_at_the_end(photos: Iterable[LabelledPhoto]) -> Iterator[LabelledPhoto]:
        yield from photos
        assert kept(cache) > 5_000
        raise error

    with pytest.raises(error):
        retrain(dataset, Recipe(str(small_graph()), cache_size=5_000), cache, fail_at_the_end, lambda _: None)

    assert 0.8 * 5_000 <= kept(cache) <= 5_000


def test_leftovers_of_killed_run_are_removed_first(tmp_path: Path) -> None:
    photos, cache = make_folder(tmp_path / "photos"), tmp_path / "cache"
    BottleneckCache(cache, "killed").write("aa", VALUES)

    def look(photos: Iterable[LabelledPhoto]) -> Iterator[LabelledPhoto]:
        assert kept(cache) == 0
        yield from photos

    retrain(find_photos(photos), Recipe(str(small_graph()), cache_size=1_000), cache, look, lambda _: None)


def test_size_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["retrain", str(tmp_path), "-o", str(tmp_path / "out"), "--cache-size", "much"])
    assert leaving.value.code == 2
