"""Small classifiers in every kind of input and output, made by TensorFlow's own converter.

The network looks at the mean colour: class 0 for red, 1 for green, 2 for blue.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

LABELS = ("red", "green", "blue")
SIZE = 32


def mean_colour_model(*, softmax: bool, pixels: bool = False) -> Any:
    """A Keras model of mean colours. Its input is -1..1, or with pixels 0..255."""
    import keras

    image = keras.Input((SIZE, SIZE, 3), batch_size=1)
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(image) if pixels else image
    conv = keras.layers.Conv2D(3, 1, use_bias=False, name="gain")
    mean = keras.layers.GlobalAveragePooling2D()(conv(scaled))
    output = keras.layers.Softmax()(mean) if softmax else mean
    model = keras.Model(image, output)
    conv.set_weights([4 * np.eye(3, dtype=np.float32).reshape(1, 1, 3, 3)])
    return model


def convert(model: Any, *, kind: str | None = None) -> bytes:
    """Convert to .tflite: float32, or fully quantized with kind (`int8` or `uint8`) as input and output."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if kind is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = _colours
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, kind)
    made: bytes = converter.convert()
    return made


def with_labels(model: bytes, path: Path, member: str = "labels.txt", labels: tuple[str, ...] = LABELS) -> Path:
    """Write a model with its labels appended as a zip."""
    path.write_bytes(model)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, "".join(f"{label}\n" for label in labels))
    return path


def flat(colour: tuple[int, int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pixels of one colour, [SIZE, SIZE, 3] uint8."""
    return np.full((SIZE, SIZE, 3), colour, np.uint8)


def _colours() -> Iterator[list[Any]]:
    random = np.random.default_rng(0)
    for _ in range(50):
        noise = random.uniform(-1, 1, (1, SIZE, SIZE, 3)).astype(np.float32)
        yield [np.clip(noise * 0.2 + random.uniform(-1, 1, (1, 1, 1, 3)), -1, 1).astype(np.float32)]
    for value in (-1, 1):
        yield [np.full((1, SIZE, SIZE, 3), value, np.float32)]
