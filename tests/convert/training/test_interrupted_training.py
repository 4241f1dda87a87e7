"""Each long loop of a training ends after a Ctrl-C that a library has swallowed."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dogid_convert.support.quiet_tensorflow import load_tensorflow

load_tensorflow()

from dogid.dataset.labelled_photos import LabelledPhoto, find_photos  # noqa: E402
from dogid.photo.decode import decode_complete  # noqa: E402
from dogid.photo.pixels import DecodedPhoto  # noqa: E402
from dogid_convert.support import interruption  # noqa: E402
from dogid_convert.training import bottlenecks  # noqa: E402
from dogid_convert.training.bottlenecks import BottleneckSpec, compute_bottlenecks  # noqa: E402
from dogid_convert.training.head_choice import UNPROVED, EmbeddedPhotos, fit_head  # noqa: E402
from tests.convert.trainer_material import make_trainer  # noqa: E402
from tests.convert.training_material import make_folder, small_backbone  # noqa: E402
from tests.support.ctrl_c import as_in_a_terminal, press, swallowed_press  # noqa: E402


@pytest.fixture(autouse=True)
def sigint_as_in_a_terminal() -> Iterator[None]:
    with as_in_a_terminal(), interruption.sigint_tracked():
        yield


@pytest.mark.parametrize("fine", [True, False])
def test_training_does_not_start_after_ctrl_c(fine: bool) -> None:
    trainer, samples, _ = make_trainer(fine=fine, patience=0)
    swallowed_press()

    with pytest.raises(KeyboardInterrupt):
        trainer.train(samples)


def test_fine_tuning_ends_after_ctrl_c() -> None:
    trainer, samples, _ = make_trainer(fine=True, patience=0)
    epochs = []

    def after_epoch(number: int) -> bool:
        epochs.append(number)
        swallowed_press()
        return False

    with pytest.raises(KeyboardInterrupt):
        trainer._layers.train(samples, trainer._head, 0, after_epoch)

    assert epochs == [1]


def test_fitting_a_head_ends_after_ctrl_c() -> None:
    rng = np.random.default_rng(0)
    embeddings = rng.normal(0, 1, (60, 1, 8)).astype(np.float32)
    photos = EmbeddedPhotos(embeddings, np.arange(60) % 3, np.ones(60, np.float32), 3)
    swallowed_press()

    with pytest.raises(KeyboardInterrupt):
        fit_head(photos, UNPROVED)


def test_bottlenecks_end_after_ctrl_c(tmp_path: Path) -> None:
    dataset = find_photos(make_folder(tmp_path / "photos", photos=20))
    backbone = small_backbone()
    spec = BottleneckSpec(backbone, backbone.embedding, 0, 0)

    def pressed_at_the_last(photos: Iterable[LabelledPhoto]) -> Iterator[LabelledPhoto]:
        yield from photos
        swallowed_press()

    with pytest.raises(KeyboardInterrupt):
        compute_bottlenecks(dataset.photos, spec, tmp_path / "cache", pressed_at_the_last)

    # those that are decoded ahead of the network when it is pressed
    assert 0 < len(list(tmp_path.rglob("*.npy"))) < 40


def test_photos_decoded_ahead_are_cancelled_by_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = find_photos(make_folder(tmp_path / "photos", photos=5))
    backbone = small_backbone()
    spec = BottleneckSpec(backbone, backbone.embedding, 0, 0)
    begun, is_stopping = [], threading.Event()

    class Pool(ThreadPoolExecutor):
        """Two threads, which decode nothing to the end before it is known whether the photos behind are wanted."""

        def __init__(self, _threads: int) -> None:
            super().__init__(2)

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            is_stopping.set()
            super().shutdown(wait=wait)

    def decode_late(data: bytes, size: tuple[int, int]) -> DecodedPhoto:
        begun.append(data)
        is_stopping.wait()
        return decode_complete(data, size)

    def pressed_at_the_last(photos: Iterable[LabelledPhoto]) -> Iterator[LabelledPhoto]:
        yield from photos
        press()

    monkeypatch.setattr(bottlenecks, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(bottlenecks, "decode_complete", decode_late)
    monkeypatch.setattr(bottlenecks, "_DECODE_AHEAD", len(dataset.photos))
    with pytest.raises(KeyboardInterrupt):
        compute_bottlenecks(dataset.photos, spec, tmp_path / "cache", pressed_at_the_last)

    assert len(begun) <= 2 < len(dataset.photos)
