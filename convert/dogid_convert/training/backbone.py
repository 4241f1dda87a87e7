"""A network without its classifier: pixels in, embedding out; and attaching a new classifier to it."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from dogid.errors import UsageError
from dogid.model.head import Head
from dogid_convert.graph import surgery
from dogid_convert.training.head import Floats

INPUT = "input"
RESULT = "final_result"
"""Names that TensorFlow's retrain example gives, and that everybody's scripts look for."""
_HEAD = "final_training_ops"

MEAN, STD = 128.0, 128.0
"""The network's input is (pixel - MEAN) / STD: as uint8, a scale of 1/128 and a zero point of 128."""


@dataclass(frozen=True, slots=True)
class Backbone:
    """A frozen network up to its embedding."""

    graph: tf.compat.v1.GraphDef
    """In the plain form of `graph_surgery.simplify`; begins with the placeholder `input`, ends with the embedding."""
    embedding: str
    """The node of the last pooling: [photos, width] or [photos, 1, 1, width]."""
    size: tuple[int, int]
    """(width, height) of the input in pixels."""
    width: int
    """The length of an embedding."""
    name: str
    """As the user gave it."""
    sha256: str
    """Of the base's file in hex; of its weights where there is no file."""


def cut_backbone(
    graph: tf.compat.v1.GraphDef, input_node: str, output: str, size: tuple[int, int], name: str, sha256: str
) -> Backbone:
    """Cut the classifier off a graph from the pixels at input_node to output. Raise DogidError or UsageError."""
    plain = surgery.simplify(graph, output, input_node)
    path = surgery.find_main_path(plain, input_node, plain.node[-1].name)
    embedding = surgery.find_last_pooling(plain, path)
    if embedding is None:
        raise UsageError(f"the base {name} has no pooling layer that all its data passes, so no embedding to train on")
    plain = _with_input(surgery.extract_subgraph(plain, embedding), input_node, size)
    return Backbone(plain, embedding, size, _width(plain, embedding, size, name), name, sha256)


def make_runner(backbone: Backbone, tensor: str) -> Callable[[Floats], Floats]:
    """Return the function from pixels [photos, height, width, 3] in -1..1 to the values of a node of the backbone."""
    width, height = backbone.size
    graph = surgery.extract_subgraph(backbone.graph, tensor)

    def computed(pixels: tf.Tensor) -> tf.Tensor:
        return tf.import_graph_def(graph, {f"{INPUT}:0": pixels}, [f"{tensor}:0"], name="")[0]

    function = tf.compat.v1.wrap_function(computed, [tf.TensorSpec([None, height, width, 3], tf.float32)])
    return lambda pixels: function(tf.constant(pixels)).numpy()


def attach_head(backbone: Backbone, head: Head) -> tf.compat.v1.GraphDef:
    """Return the whole classifier: `input` -> backbone -> `final_training_ops` -> `final_result` [photos, labels]."""
    graph = tf.Graph()
    with graph.as_default():
        (embedding,) = tf.import_graph_def(backbone.graph, return_elements=[f"{backbone.embedding}:0"], name="")
        with tf.name_scope(f"{_HEAD}/"):
            if embedding.shape.rank != 2:
                embedding = tf.reshape(embedding, [-1, backbone.width], name="flatten")
        weights = tf.constant(head.weights.T, name=f"{_HEAD}/weights/final_weights")
        biases = tf.constant(head.bias, name=f"{_HEAD}/biases/final_biases")
        product = tf.matmul(embedding, weights, name=f"{_HEAD}/Wx_plus_b/MatMul")
        logits = tf.add(product, biases, name=f"{_HEAD}/Wx_plus_b/add")
        tf.nn.softmax(logits, name=RESULT)
    definition = graph.as_graph_def()
    for node in definition.node:
        node.attr.pop("_output_shapes", None)
    return surgery.extract_subgraph(definition, RESULT)


def _with_input(graph: tf.compat.v1.GraphDef, input_node: str, size: tuple[int, int]) -> tf.compat.v1.GraphDef:
    """Return the graph with a placeholder called `input` of that size instead of the node input_node."""
    placeholder = tf.compat.v1.NodeDef(name=INPUT, op="Placeholder")
    placeholder.attr["dtype"].type = tf.float32.as_datatype_enum
    placeholder.attr["shape"].shape.CopyFrom(tf.TensorShape([None, size[1], size[0], 3]).as_proto())
    nodes = [node for node in graph.node if node.name != input_node]
    for node in nodes:
        node.input[:] = [INPUT if surgery.parse_node_name(tensor) == input_node else tensor for tensor in node.input]
    return surgery.make_graph([placeholder, *nodes], graph)


def _width(graph: tf.compat.v1.GraphDef, embedding: str, size: tuple[int, int], name: str) -> int:
    try:
        with tf.Graph().as_default():
            (tensor,) = tf.import_graph_def(graph, return_elements=[f"{embedding}:0"], name="")
    except ValueError as error:
        raise UsageError(f"the base {name} does not fit an input of {size[0]} x {size[1]} pixels: {error}") from error
    shape = tensor.shape.as_list()
    if shape[-1] is None or any(side != 1 for side in shape[1:-1]):
        raise UsageError(
            f"the base {name} does not pool an input of {size[0]} x {size[1]} pixels to one embedding, but to {shape}: "
            f"give the size it was made for with --size"
        )
    return int(shape[-1])
