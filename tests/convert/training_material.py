"""Photos and networks for the tests of training: coloured patterns, and small untrained MobileNets."""

import atexit
import functools
import io
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dogid.photo.decode import decode
from dogid_convert.support.quiet_tensorflow import load_tensorflow

if TYPE_CHECKING:
    from dogid_convert.training.backbone import Backbone

SIDE = 96


def pattern_photo(label: str, number: int, side: int = 64) -> bytes:
    """Return a JPEG of stripes: red ones lie down, blue ones stand. Every number gives another photo."""
    rng = np.random.default_rng([len(label), number])
    wave = (np.sin(np.arange(side) / side * rng.uniform(20, 40) + rng.uniform(0, 6)) + 1) * 100
    pixels = rng.integers(0, 56, (side, side, 3)).astype(np.float64)
    if label.startswith("red"):
        pixels[:, :, 0] += wave[:, None]
    else:
        pixels[:, :, 2] += wave[None, :]
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def make_folder(root: Path, labels: tuple[str, ...] = ("blue", "red"), photos: int = 30, first: int = 0) -> Path:
    """Draw that many photos for each label into root, numbered from first on, and return it."""
    for label in labels:
        folder = root / label
        folder.mkdir(parents=True)
        for number in range(first, first + photos):
            (folder / f"cam{number % 3}__{number:03}.jpg").write_bytes(pattern_photo(label, number))
    return root


def _pattern_pixels() -> NDArray[np.float32]:
    """Return patterns of both labels as the networks' input, [photos, SIDE, SIDE, 3] in -1..1."""
    photos = [decode(pattern_photo(label, number), (SIDE, SIDE)) for label in ("blue", "red") for number in range(8)]
    pixels = np.stack([photo.pixels for photo in photos])
    return ((pixels - 128.0) / 128.0).astype(np.float32)


@functools.cache
def _made() -> Path:
    """Return a folder with the small networks, made once for all tests of this process."""
    load_tensorflow()
    import tensorflow as tf

    from dogid_convert.sources.keras import freeze_model

    folder = Path(tempfile.mkdtemp(prefix=f"dogid-bases-{os.getpid()}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    tf.keras.utils.set_random_seed(1)
    body = tf.keras.applications.MobileNet((SIDE, SIDE, 3), alpha=0.25, include_top=False, pooling="avg", weights=None)
    for layer in body.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.0
    body(_pattern_pixels(), training=True)  # else the values vanish from layer to layer, and with them the gradients
    answer = tf.keras.layers.Dense(5, activation="softmax")(tf.keras.layers.Dropout(0.5)(body.output))
    model = tf.keras.Model(body.input, answer)
    model.save(folder / "small.h5")
    model.save(folder / "small.keras")
    (folder / "small.pb").write_bytes(freeze_model(model, batch=None).SerializeToString(deterministic=True))
    return folder


def small_graph() -> Path:
    """Return a frozen graph: a MobileNet of a quarter's width with dropout and five classes, untrained."""
    return _made() / "small.pb"


def small_backbone() -> "Backbone":
    """Return what that graph is as a base: read once for all tests of this process, and a copy for each."""
    backbone = _read_small_backbone()
    graph = type(backbone.graph)()
    graph.CopyFrom(backbone.graph)
    return replace(backbone, graph=graph)


@functools.cache
def _read_small_backbone() -> "Backbone":
    from dogid_convert.training import base_network

    return base_network.load(str(small_graph()))


def small_saved_model() -> Path:
    """Return the same network as a SavedModel folder."""
    import tensorflow as tf

    folder = _made() / "saved"
    if not folder.exists():
        tf.keras.models.load_model(_made() / "small.keras").export(folder, verbose=False)
    return folder


def small_keras_file(suffix: str) -> Path:
    """Return the same network as a Keras file; suffix is `.h5` or `.keras`."""
    return _made() / f"small{suffix}"


def blind_graph(path: Path) -> Path:
    """Write the small network with a first convolution of zeros: its embeddings say nothing."""
    from dogid_convert.graph import surgery

    graph = small_backbone().graph
    constants = (node for node in graph.node if node.op == "Const")
    first = next(node for node in constants if surgery.read_constant(node).ndim == 4)
    zeros = surgery.replace_constants(graph, {first.name: np.zeros_like(surgery.read_constant(first))})
    path.write_bytes(zeros.SerializeToString())
    return path
