"""Graphs of planar images [batch, 3, height, width], as PyTorch's exporters write them, take the usual form."""

import numpy as np
import tensorflow as tf

from dogid_convert.graph.surgery import make_constant, make_graph

_TO_PLANAR = (0, 3, 1, 2)
_SUFFIX = "/interleaved"


def put_colours_last(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """Return a graph whose placeholders of planar images are fed by a transposition of [batch, height, width, 3]."""
    planar = {node.name for node in graph.node if _is_planar(node)}
    if not planar:
        return graph
    nodes = []
    for node in graph.node:
        if node.name not in planar:
            nodes.append(node)
            continue
        placeholder = tf.compat.v1.NodeDef()
        placeholder.CopyFrom(node)
        placeholder.name = node.name + _SUFFIX
        batch, _, height, width = (dim.size for dim in node.attr["shape"].shape.dim)
        sides = [None if side < 0 else side for side in (batch, height, width, 3)]
        placeholder.attr["shape"].shape.CopyFrom(tf.TensorShape(sides).as_proto())
        order = make_constant(f"{node.name}/order", np.array(_TO_PLANAR, dtype=np.int32))
        turned = tf.compat.v1.NodeDef(name=node.name, op="Transpose", input=[placeholder.name, order.name])
        turned.attr["T"].type = node.attr["dtype"].type
        turned.attr["Tperm"].type = tf.int32.as_datatype_enum
        nodes += [placeholder, order, turned]
    return make_graph(nodes, graph)


def _is_planar(node: "tf.compat.v1.NodeDef") -> bool:
    if node.op != "Placeholder" or tf.as_dtype(node.attr["dtype"].type) != tf.float32:
        return False
    shape = node.attr["shape"].shape
    if shape.unknown_rank or len(shape.dim) != 4:
        return False
    return bool(shape.dim[1].size == 3 and shape.dim[3].size not in (1, 3, -1))
