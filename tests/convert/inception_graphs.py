"""Frozen graphs in the forms that Inception v3 came in, a sixteenth as wide and a few blocks deep, weights by chance.

The names, operators and constants around the network are those of the published graphs: `classify_image_graph_def.pb`
of 2015, which TensorFlow's codelab retrained; slim's `inception_v3_2016_08_28_frozen.pb`; and TensorFlow Hub's module.
"""

from typing import Any

import numpy as np
import tensorflow as tf

SIDE = 299
WIDTH = 48
"""Numbers in an embedding; 2,048 in the published network."""

v1 = tf.compat.v1


def codelab_graph(*, old: bool = True) -> Any:
    """Return the form of 2015: a JPEG decoder, `Mul`, old batch normalization, `pool_3/_reshape`, 7 classes.

    Where it is not old, the batch normalization is one that TensorFlow still runs, of the same values.
    """
    rng = np.random.default_rng(0)
    graph = tf.Graph()
    with graph.as_default():
        data = tf.constant(b"", name="DecodeJpeg/contents")
        image = tf.raw_ops.DecodeJpeg(contents=data, channels=3, name="DecodeJpeg")
        pixels = tf.expand_dims(tf.cast(image, tf.float32, name="Cast"), 0, name="ExpandDims")
        resized = v1.image.resize_bilinear(pixels, [SIDE, SIDE], name="ResizeBilinear")
        scaled = tf.multiply(tf.subtract(resized, 128.0, name="Sub"), 1 / 128, name="Mul")
        x = _blocks(scaled, rng, _old_convolution, "mixed")
        pooled = tf.nn.avg_pool2d(x, 8, 1, "VALID", name="pool_3")
        flat = tf.reshape(pooled, [1, WIDTH], name="pool_3/_reshape")
        weights = tf.constant(rng.normal(0, 0.1, (WIDTH, 7)).astype(np.float32), name="softmax/weights")
        logits = tf.add(tf.matmul(flat, weights, name="softmax/logits/MatMul"), tf.zeros([7]), name="softmax/logits")
        tf.nn.softmax(logits, name="softmax")
    return _with_old_batch_norms(graph.as_graph_def()) if old else graph.as_graph_def()


def codelab_graph_cut_at_mul() -> Any:
    """Return the same after `optimize_for_inference --input_names=Mul`: a placeholder without a shape."""
    return _from(codelab_graph(), "Mul")


def slim_graph(*, shaped: bool = True) -> Any:
    """Return slim's form: `input`, FusedBatchNorm, `InceptionV3/Logits/AvgPool_1a_8x8`, a convolution for a head.

    Where it is not shaped, the placeholder has no shape.
    """
    rng = np.random.default_rng(1)
    graph = tf.Graph()
    with graph.as_default():
        pixels = v1.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="input")
        _slim_head(_blocks(pixels, rng, _fused_convolution, "InceptionV3/InceptionV3/Mixed"), rng)
    definition = graph.as_graph_def()
    if not shaped:
        del definition.node[0].attr["shape"]
    return definition


def hub_graph() -> Any:
    """Return the Hub module's form: values 0 to 1, scaled to -1 to 1 inside, and a mean for a pooling."""
    rng = np.random.default_rng(2)
    graph = tf.Graph()
    scope = "module_apply_default"
    with graph.as_default():
        image = v1.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="Placeholder")
        doubled = tf.multiply(image, 2.0, name=f"{scope}/hub_input/Mul")
        scaled = tf.subtract(doubled, 1.0, name=f"{scope}/hub_input/Sub")
        x = _blocks(scaled, rng, _fused_convolution, f"{scope}/InceptionV3/InceptionV3/Mixed")
        pooled = tf.reduce_mean(x, [1, 2], keepdims=True, name=f"{scope}/InceptionV3/Logits/GlobalPool")
        flat = tf.squeeze(pooled, [1, 2], name=f"{scope}/hub_output/feature_vector/SpatialSqueeze")
        weights = tf.constant(rng.normal(0, 0.1, (WIDTH, 3)).astype(np.float32), name="final_weights")
        tf.nn.softmax(tf.matmul(flat, weights), name="final_result")
    return graph.as_graph_def()


def _slim_head(x: Any, rng: np.random.Generator) -> None:
    pooled = tf.nn.avg_pool2d(x, 8, 1, "VALID", name="InceptionV3/Logits/AvgPool_1a_8x8/AvgPool")
    filters = tf.constant(rng.normal(0, 0.1, (1, 1, WIDTH, 7)).astype(np.float32))
    logits = tf.nn.conv2d(pooled, filters, 1, "SAME", name="InceptionV3/Logits/Conv2d_1c_1x1/Conv2D")
    squeezed = tf.squeeze(logits, [1, 2], name="InceptionV3/Logits/SpatialSqueeze")
    flat = tf.reshape(squeezed, [-1, 7], name="InceptionV3/Predictions/Reshape")
    softmax = tf.nn.softmax(flat, name="InceptionV3/Predictions/Softmax")
    tf.reshape(softmax, [-1, 7], name="InceptionV3/Predictions/Reshape_1")


def _blocks(x: Any, rng: np.random.Generator, convolution: Any, name: str) -> Any:
    """Shrink 299 x 299 to 8 x 8 as Inception v3 does, with branches that are joined again."""
    x = convolution(x, rng, 3, 2, "VALID", 4, f"{name}_conv")  # 149
    x = convolution(x, rng, 3, 1, "VALID", 4, f"{name}_conv_1")  # 147
    x = tf.nn.max_pool2d(x, 3, 2, "VALID", name=f"{name}_pool")  # 73
    x = convolution(x, rng, 3, 1, "VALID", 8, f"{name}_conv_4")  # 71
    x = tf.nn.max_pool2d(x, 3, 2, "VALID", name=f"{name}_pool_1")  # 35
    for number, width in enumerate((16, 32)):  # to 17 and 8
        straight = convolution(x, rng, 1, 1, "SAME", 4, f"{name}_{number}/conv")
        tower = convolution(x, rng, 1, 1, "SAME", 4, f"{name}_{number}/tower/conv")
        tower = convolution(tower, rng, 5, 1, "SAME", 4, f"{name}_{number}/tower/conv_1")
        pooled = tf.nn.avg_pool2d(x, 3, 1, "SAME", name=f"{name}_{number}/tower_1/pool")
        pooled = convolution(pooled, rng, 1, 1, "SAME", 4, f"{name}_{number}/tower_1/conv")
        x = tf.concat([straight, tower, pooled], 3, name=f"{name}_{number}/join")
        grown = convolution(x, rng, 3, 2, "VALID", width, f"{name}_{number}/shrink/conv")
        x = tf.concat([grown, tf.nn.max_pool2d(x, 3, 2, "VALID")], 3, name=f"{name}_{number}/shrunk")
    return convolution(x, rng, 1, 1, "SAME", WIDTH, f"{name}_10/conv")


def _weights(x: Any, rng: np.random.Generator, side: int, width: int) -> Any:
    shape = (side, side, int(x.shape[-1]), width)
    return tf.constant((rng.normal(0, 1, shape) * np.sqrt(2 / np.prod(shape[:3]))).astype(np.float32))


def _norms(rng: np.random.Generator, width: int) -> tuple[Any, ...]:
    beta, mean = (tf.constant(rng.normal(0, 0.1, width).astype(np.float32)) for _ in range(2))
    return beta, mean, tf.constant(rng.uniform(0.5, 1.5, width).astype(np.float32))


def _fused_convolution(x: Any, rng: np.random.Generator, side: int, step: int, pad: str, width: int, name: str) -> Any:
    x = tf.nn.conv2d(x, _weights(x, rng, side, width), step, pad, name=f"{name}/Conv2D")
    beta, mean, variance = _norms(rng, width)
    x = v1.nn.fused_batch_norm(x, tf.ones([width]), beta, mean, variance, is_training=False, name=f"{name}/BatchNorm")
    return tf.nn.relu(x[0], name=f"{name}/Relu")


def _old_convolution(x: Any, rng: np.random.Generator, side: int, step: int, pad: str, width: int, name: str) -> Any:
    x = tf.nn.conv2d(x, _weights(x, rng, side, width), step, pad, name=f"{name}/Conv2D")
    beta, mean, variance = _norms(rng, width)
    # TensorFlow makes the operator of 2015 no more: it is put in afterwards, for this one with the same inputs
    x = v1.nn.fused_batch_norm(x, tf.ones([width]), beta, mean, variance, is_training=False, name=f"{name}/batchnorm")
    return tf.nn.relu(tf.debugging.check_numerics(x[0], "not finite", name=f"{name}/CheckNumerics"), name=name)


def _with_old_batch_norms(graph: Any) -> Any:
    for node in graph.node:
        if node.op.startswith("FusedBatchNorm"):
            x, gamma, beta, mean, variance = node.input
            old = v1.NodeDef(
                name=node.name, op="BatchNormWithGlobalNormalization", input=[x, mean, variance, beta, gamma]
            )
            old.attr["T"].type = tf.float32.as_datatype_enum
            old.attr["variance_epsilon"].f = node.attr["epsilon"].f
            old.attr["scale_after_normalization"].b = True
            node.CopyFrom(old)
    graph.versions.producer = 8
    return graph


def _from(graph: Any, entrance: str) -> Any:
    from dogid_convert.graph.network import cut_at

    return cut_at(graph, entrance, "softmax")
