"""Photos that anybody may show, which packages of PyPI and Debian ship: for the pictures of the page in the README.

`readme/PHOTOS.md` names their authors and licences.
"""

import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

_WHEELS = ("scikit-image", "scikit-learn")
_DEBIAN = "lomiri-wallpapers-16.04"
_SIDE = 1600  # pixels of a photo's longer side, as it is kept: crops of it are as large as tiles need


@dataclass(frozen=True, slots=True)
class FreePhoto:
    """One photo."""

    kind: str
    """What it shows, as the model is taught."""
    path: str
    """In its package."""


PHOTOS = (
    FreePhoto("cat", "skimage/data/chelsea.png"),
    FreePhoto("dog", "usr/share/backgrounds/friends_by_Aitzol_Berasategi.jpg"),
    FreePhoto("flower", "sklearn/datasets/images/flower.jpg"),
    FreePhoto("flower", "usr/share/backgrounds/seeding_by_Clements_Engelhardt.jpg"),
    FreePhoto("food", "skimage/data/coffee.png"),
    FreePhoto("food", "usr/share/backgrounds/Picture_0B_by_freespace.jpg"),
    FreePhoto("mountain", "usr/share/backgrounds/aitzgorri_by_Aitzol_Berasategi.jpg"),
    FreePhoto("mountain", "usr/share/backgrounds/picosdeeuropa_by_Aitzol_Berasategi.jpg"),
    FreePhoto("mountain", "usr/share/backgrounds/sunset_by_Aitzol_Berasategi.jpg"),
    FreePhoto("other", "usr/share/backgrounds/Picture_1A_by_freespace.jpg"),
    FreePhoto("other", "usr/share/backgrounds/life_by_Aitzol_Berasategi.jpg"),
    FreePhoto("other", "sklearn/datasets/images/china.jpg"),
    FreePhoto("other", "skimage/data/rocket.jpg"),
    FreePhoto("other", "skimage/data/astronaut.png"),
)


def download(folder: Path) -> list[Image.Image]:
    """Download the packages into a folder; return PHOTOS, in their order, with at most _SIDE pixels a side."""
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", *_WHEELS]
    subprocess.run(pip, cwd=folder, check=True)
    subprocess.run(["apt-get", "download", "--quiet", _DEBIAN], cwd=folder, check=True)
    (debian,) = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", debian.name, "."], cwd=folder, check=True)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if name in {one.path for one in PHOTOS}])
    return [_open(folder / one.path) for one in PHOTOS]


def _open(path: Path) -> Image.Image:
    with Image.open(path) as image:
        shrunk = image.convert("RGB")
    shrunk.thumbnail((_SIDE, _SIDE))
    return shrunk


def crop(image: Image.Image, seed: int, least: float, most: float) -> bytes:
    """Return a JPEG of a part of a photo, another for each seed, with a share of its sides from least to most."""
    random = np.random.default_rng(seed)
    share = random.uniform(least, most)
    width, height = round(image.width * share), round(image.height * share)
    left, top = round(random.uniform(0, image.width - width)), round(random.uniform(0, image.height - height))
    part = image.crop((left, top, left + width, top + height))
    stream = io.BytesIO()
    part.save(stream, "JPEG", quality=90)
    return stream.getvalue()
