"""Models as strangers make them: heads of all kinds on the mean colour, and the metadata that they carry."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from dogid.model.standard_metadata import ClassifierFacts, classifier_metadata
from dogid.model.tflite_metadata import METADATA
from dogid.photo.pixels import Pixels
from dogid_convert.tflite.flatbuffer_edit import add_metadata
from tests.model.small_models import SIZE

Head = Callable[[Any], Any]


def model_of(
    head: Head,
    *,
    quantized: bool = False,
    float_input: bool = False,
    shape: tuple[int | None, ...] = (1, SIZE, SIZE, 3),
) -> bytes:
    """Convert a network of one function: a tensor of images in, whatever head makes of it out.

    float_input: whether a quantized network takes and gives floats, which its first operator quantizes.
    """
    import tensorflow as tf

    function = tf.function(head).get_concrete_function(tf.TensorSpec(shape, tf.float32, name="image"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    if quantized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _colours(shape)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if not float_input:
            converter.inference_input_type = converter.inference_output_type = tf.int8
    made: bytes = converter.convert()
    return made


def means(image: Any) -> Any:
    """Return the mean of each colour [1, 3], through a matrix product as classifiers have it."""
    import tensorflow as tf

    return tf.matmul(tf.reduce_mean(image, (1, 2)), tf.constant(np.eye(3, dtype=np.float32) * 4))


def sigmoid_of_red(image: Any) -> Any:
    """Return one probability [1, 1]: of red."""
    import tensorflow as tf

    return tf.sigmoid(tf.matmul(tf.reduce_mean(image, (1, 2)), tf.constant([[4.0], [0], [0]])) + 0.5)


def noise(size: tuple[int, int], count: int = 5) -> list[Pixels]:
    """Return images of noise [height, width, 3], the same each time."""
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) for _ in range(count)]


def with_metadata(model: bytes, *, mean: float, std: float, labels_file: str = "labels.txt") -> bytes:
    """Add the standard metadata."""
    facts = ClassifierFacts("m", "d", (SIZE, SIZE), (mean,), (std,), quantized_input=False, labels_file=labels_file)
    return add_metadata(model, METADATA, classifier_metadata(facts))


def packed(model: bytes, path: Path, **files: str) -> Path:
    """Write a model with text files appended; _ in a name stands for its dot."""
    path.write_bytes(model)
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return path


def with_input_quantization(model: bytes, scale: float, zero_point: int) -> bytes:
    """Change what the quantized input's levels stand for, as another calibration would have."""
    changed = schema.ModelT.InitFromPackedBuf(model, 0)
    graph = changed.subgraphs[0]
    quantization = graph.tensors[graph.inputs[0]].quantization
    quantization.scale, quantization.zeroPoint = [scale], [zero_point]
    builder = flatbuffers.Builder(1024)
    builder.Finish(changed.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _colours(shape: tuple[Any, ...]) -> Iterator[list[Any]]:
    random = np.random.default_rng(0)
    for i in range(60):
        colour = random.uniform(-1, 1, 3) if i > 7 else np.array([(i & bit) - bit / 2 for bit in (1, 2, 4)])
        yield [np.broadcast_to(np.sign(colour) if i <= 7 else colour, shape).astype(np.float32)]
