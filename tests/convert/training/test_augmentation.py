import numpy as np

from dogid.photo.decode import decode
from dogid_convert.training.augmentation import Augmentation, augment
from tests.convert.training_material import pattern_photo

PHOTO = pattern_photo("red", 1)


def test_copy_has_the_size_of_the_input() -> None:
    copy = augment(PHOTO, (80, 48), np.random.default_rng(0), Augmentation())

    assert copy.shape == (48, 80, 3)
    assert copy.dtype == np.uint8


def test_same_random_state_gives_same_copy() -> None:
    copies = [augment(PHOTO, (64, 64), np.random.default_rng(seed), Augmentation()) for seed in (1, 1, 2)]

    assert np.array_equal(copies[0], copies[1])
    assert not np.array_equal(copies[0], copies[2])


def test_copy_keeps_the_photos_colour() -> None:
    photo = decode(PHOTO, (64, 64)).pixels
    redder = []
    for seed in range(20):
        copy = augment(PHOTO, (64, 64), np.random.default_rng(seed), Augmentation(grey=0.0))
        redder.append(float(copy[:, :, 0].mean()) > float(copy[:, :, 2].mean()))

    assert photo[:, :, 0].mean() > photo[:, :, 2].mean()
    assert all(redder)


def test_key_depends_on_the_limits() -> None:
    assert Augmentation().key() == Augmentation().key()
    assert Augmentation().key() != Augmentation(grey=0.5).key()
