import numpy as np

from dogid.photo.decode import decode
from dogid_convert.training.augmentation import Augmentation, view
from tests.convert.training_material import pattern_photo

PHOTO = pattern_photo("red", 1)


def test_a_view_has_the_size_of_the_input() -> None:
    seen = view(PHOTO, (80, 48), np.random.default_rng(0), Augmentation())

    assert seen.shape == (48, 80, 3)
    assert seen.dtype == np.uint8


def test_the_same_chance_gives_the_same_view() -> None:
    views = [view(PHOTO, (64, 64), np.random.default_rng(seed), Augmentation()) for seed in (1, 1, 2)]

    assert np.array_equal(views[0], views[1])
    assert not np.array_equal(views[0], views[2])


def test_a_view_still_shows_the_photo() -> None:
    photo = decode(PHOTO, (64, 64)).pixels
    redder = []
    for seed in range(20):
        seen = view(PHOTO, (64, 64), np.random.default_rng(seed), Augmentation(grey=0.0))
        redder.append(float(seen[:, :, 0].mean()) > float(seen[:, :, 2].mean()))

    assert photo[:, :, 0].mean() > photo[:, :, 2].mean()
    assert all(redder)


def test_other_figures_have_another_key() -> None:
    assert Augmentation().key() == Augmentation().key()
    assert Augmentation().key() != Augmentation(grey=0.5).key()
