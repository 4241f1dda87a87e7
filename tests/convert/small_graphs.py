"""Small classifiers in every form that people have: three layers that distinguish red, green and blue photos."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from dogid.preprocessing import GUESS
from dogid_convert.sources.float_model import FloatSource
from dogid_convert.support.progress import untracked

LABELS = ("blue", "green", "red")
SIDE = 32
(MEAN,), (STD,) = GUESS.mean, GUESS.std

v1 = tf.compat.v1
Body = Callable[[Any], Any]
Pixels = NDArray[np.uint8]


def colour_photos(folder: Path, per_label: int = 20, labels: tuple[str, ...] = LABELS) -> Path:
    """Write noisy photos of one colour each into sub-folders named after it."""
    rng = np.random.default_rng(1)
    for label in labels:
        (folder / label).mkdir(parents=True)
        for i in range(per_label):
            pixels = rng.integers(0, 160, (48, 64, 3))
            pixels[..., ("red", "green", "blue").index(label)] += rng.integers(40, 95)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{i}.png")
    return folder


def weights() -> dict[str, NDArray[np.float32]]:
    """Return the layers' weights: fixed, and such that the colours come out."""
    rng = np.random.default_rng(2)
    first = rng.normal(0, 0.1, (3, 3, 3, 12))
    for channel in range(12):
        first[:, :, channel % 3, channel] += 0.25
    head = rng.normal(0, 0.02, (16, 3))
    second = rng.normal(0, 0.05, (1, 1, 12, 16))
    for channel in range(12):
        colour = channel % 3
        second[0, 0, channel, channel] += 1
        head[channel, 2 - colour] += 3
    shapes = {"first": first, "depth": rng.normal(0.1, 0.05, (3, 3, 12, 1)), "second": second, "head": head}
    return {name: value.astype(np.float32) for name, value in shapes.items()}


def body(pixels: Any, *, dropout: Body = lambda x: x, bias: bool = True) -> Any:
    """Return the logits [batch, 3] of normalised pixels."""
    w = {name: tf.constant(value) for name, value in weights().items()}
    x = tf.nn.relu6(tf.nn.conv2d(pixels, w["first"], 2, "SAME"))
    x = tf.nn.relu6(tf.nn.depthwise_conv2d(x, w["depth"], [1, 1, 1, 1], "SAME") + 0.1)
    x = tf.nn.relu6(tf.nn.conv2d(x, w["second"], 1, "SAME") + 0.05)
    pooled = tf.nn.avg_pool2d(x, SIDE // 2, 1, "VALID", name="pooled")
    flat = dropout(tf.reshape(pooled, [-1, 16]))
    logits = tf.matmul(flat, w["head"])
    return tf.identity(logits + tf.constant([0.1, 0.0, -0.1]) if bias else logits, name="logits")


def build_graph(build: Callable[[], None]) -> Any:
    """Return the GraphDef that build makes."""
    with v1.Graph().as_default() as graph:
        v1.set_random_seed(3)
        build()
    return graph.as_graph_def()


def retrained(shape: list[int | None] | None = None) -> Any:
    """Return a graph as the retrain example writes it."""

    def build() -> None:
        pixels = v1.placeholder(tf.float32, shape or [1, SIDE, SIDE, 3], name="input")
        tf.nn.softmax(body(pixels), name="final_result")

    return build_graph(build)


@dataclass(frozen=True)
class Workspace:
    """A folder with a graph, its labels and photos."""

    folder: Path

    @property
    def photos(self) -> Path:
        return self.folder / "photos"

    @property
    def graph(self) -> Path:
        return self.folder / "retrained_graph.pb"

    def save(self, graph: Any, name: str = "retrained_graph.pb") -> Path:
        path = self.folder / name
        path.write_bytes(graph.SerializeToString())
        return path


def make_workspace(folder: Path, per_label: int = 20) -> Workspace:
    """Fill a folder with the retrained graph, its labels and photos."""
    shop = Workspace(folder)
    shop.save(retrained())
    (folder / "retrained_labels.txt").write_text("\n".join(LABELS) + "\n")
    colour_photos(shop.photos, per_label)
    return shop


def answers(source: FloatSource, pixels: Pixels) -> NDArray[np.float32]:
    return source.predict(pixels, untracked)


def reason(source: FloatSource, name: str) -> str:
    return next(fact.reason for fact in source.facts if fact.name == name)


def random_pixels() -> Pixels:
    """Return a few images without meaning, [photos, height, width, 3]."""
    return np.random.default_rng(5).integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)


def probabilities(pixels: Pixels, mean: Any, std: float) -> NDArray[np.float32]:
    """Return what the network itself says to (pixel - mean) / std."""
    normalised = ((pixels.astype(float) - mean) / std).astype(np.float32)
    result: NDArray[np.float32] = tf.nn.softmax(body(tf.constant(normalised))).numpy()
    return result


def saved(folder: Path, build: Callable[[], None], name: str = "graph.pb") -> Path:
    """Write the GraphDef that build makes."""
    path = folder / name
    path.write_bytes(build_graph(build).SerializeToString())
    return path


def image(name: str = "input", dtype: Any = tf.float32) -> Any:
    """Return a placeholder for images."""
    return v1.placeholder(dtype, [None, SIDE, SIDE, 3], name=name)
