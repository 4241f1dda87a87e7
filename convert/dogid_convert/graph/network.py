"""One plain form for every graph: float pixels [batch, height, width, 3] in, probabilities [batch, classes] out."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid.errors import DogidError, UsageError
from dogid.preprocessing import Normalisation
from dogid_convert.graph.check_operators import check_calls, check_operators
from dogid_convert.graph.colour_convolution import put_convolution_first, split_normalisation
from dogid_convert.graph.find_input import GraphInput, find_input
from dogid_convert.graph.find_output import GraphOutput, find_output
from dogid_convert.graph.inline_functions import inline_functions
from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.graph.planar_input import put_colours_last
from dogid_convert.graph.strip_training import strip_training
from dogid_convert.graph.surgery import extract_subgraph, make_constant, make_graph, parse_node_name
from dogid_convert.support.progress import Track, untracked

_USUAL_SIDES = (96, 128, 160, 192, 224, 240, 256, 260, 288, 299, 300, 320, 331, 380, 384, 448, 456, 480, 512, 528, 600)
_BATCH = 16
_NORMALISATION = "normalisation"


@dataclass(frozen=True, slots=True)
class Hints:
    """Properties of a graph that the user states instead of having them found."""

    input: str | None = None
    output: str | None = None
    side: int | None = None
    normalisation: Normalisation | None = None
    channels: str | None = None
    """RGB or BGR."""

    @property
    def uniform(self) -> tuple[float, float] | None:
        """(mean, std) of the graph's input as it is found: of pixels 0..255 where another is given by colour."""
        given = self.normalisation
        if given is None:
            return None
        return (given.mean[0], given.std[0]) if given.is_uniform else (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class GraphFact:
    """A property of a graph and how it was found, for the user."""

    name: str
    value: str
    reason: str


def describe_normalisation(normalisation: UniformNormalisation) -> GraphFact:
    """Return how a network is fed, for the user."""
    n = normalisation
    return GraphFact(_NORMALISATION, f"(pixel - {n.mean:g}) / {n.std:g}", n.reason)


@dataclass(frozen=True, slots=True)
class Network:
    """A classifier as a frozen graph that dogid understands."""

    graph: tf.compat.v1.GraphDef
    input: str
    output: str
    size: tuple[int, int]
    """(width, height) in pixels."""
    classes: int
    normalisation: UniformNormalisation
    facts: tuple[GraphFact, ...]

    def with_normalisation(self, normalisation: UniformNormalisation) -> "Network":
        """Return the network fed in another way."""
        facts = tuple(fact for fact in self.facts if fact.name != _NORMALISATION)
        return replace(self, normalisation=normalisation, facts=(*facts, describe_normalisation(normalisation)))

    def get_concrete_function(self, batch: int = 1) -> Any:
        """Return a TensorFlow function [batch, height, width, 3] -> [batch, classes]."""
        return _make_function(_set_batch(self.graph, self.input, batch, self.size), self.input, self.output)

    def predict(self, pixels: NDArray[np.uint8], track: Track = untracked) -> NDArray[np.float32]:
        """Given pixels [photos, height, width, 3] 0..255, return probabilities [photos, classes]."""
        function, batch = self._make_runner()
        parts = []
        for start in track(range(0, len(pixels), batch), "float graph"):
            part = self.normalisation.apply(pixels[start : start + batch])
            missing = batch - len(part)
            padded = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part
            parts.append(_read_output(function(tf.constant(padded)))[: len(part)])
        return np.concatenate(parts)

    def _make_runner(self) -> tuple[Any, int]:
        try:
            function = self.get_concrete_function(_BATCH)
            if _read_output_shape(function) == [_BATCH, self.classes]:
                return function, _BATCH
        except (ValueError, tf.errors.OpError):
            pass  # the graph has the batch of one written into it
        return self.get_concrete_function(1), 1


def make_network(graph: tf.compat.v1.GraphDef, hints: Hints, usual: UniformNormalisation) -> Network:
    """Bring any frozen classifier to the plain form; usual is the normalisation of those that do not define one.

    Raise UsageError where input, output, size or normalisation are neither found nor among the hints, DogidError
    where the graph cannot be run.
    """
    cut, entrance, answer = cut_network(graph, hints, usual)
    n, convolution = split_normalisation(entrance.normalisation, hints.normalisation, hints.channels)
    if convolution is not None:
        cut, tensor = put_convolution_first(cut, entrance.tensor, convolution)
        entrance = replace(entrance, tensor=tensor)
    size, size_reason = _determine_size(cut, entrance.tensor, answer.tensor, entrance.size, hints.side)
    try:
        shape = _infer_output_shape(cut, entrance.tensor, answer.tensor, size)
    except (ValueError, tf.errors.OpError) as error:
        raise DogidError(
            f"the graph takes no images of {size[0]} x {size[1]} ({size_reason}), give another --size: "
            f"{_read_first_line(error)}"
        ) from error
    values = int(np.prod(shape))
    classes = max(values, 2)  # one value is the probability of the second of two labels
    if values != shape[-1] or (values == 1 and answer.probabilities and answer.logits is None):
        raise UsageError(
            f"the output {answer.tensor!r} is {shape}, not [1, classes], for images of {size[0]} x {size[1]}; choose "
            "another --output-node or --size"
        )
    finished, output = _add_softmax(cut, answer, len(shape), values)
    added = "" if answer.probabilities else "; logits: a softmax is added"
    added = "; one value, the second label's: made into two probabilities" if values == 1 else added
    facts = (
        GraphFact("input", entrance.tensor, entrance.reason),
        GraphFact("output", answer.tensor, answer.reason + added),
        GraphFact("size", f"{size[0]} x {size[1]}", size_reason),
        describe_normalisation(n),
    )
    return Network(_set_batch(finished, entrance.tensor, 1, size), entrance.tensor, output, size, classes, n, facts)


def cut_network(
    graph: tf.compat.v1.GraphDef, hints: Hints, usual: UniformNormalisation
) -> tuple[tf.compat.v1.GraphDef, GraphInput, GraphOutput]:
    """Return the nodes of any frozen classifier from a placeholder for pixels to its output, with its input and output.

    Nodes that only decode or scale images, or that only training needs, are left out. Raise as `make_network` does.
    """
    graph = put_colours_last(inline_functions(graph))
    try:
        answer = find_output(graph, hints.output)
    except UsageError:
        check_calls(graph)  # the reason where layers hide
        raise
    used = strip_training(graph, answer.tensor, None if hints.input is None else parse_node_name(hints.input))
    check_calls(used)
    check_operators(used)
    entrance = find_input(used, hints.input, hints.uniform, usual)
    if entrance.tensor == answer.tensor:
        raise UsageError(f"input and output are the same node, {answer.tensor!r}")
    return cut_at(used, entrance.tensor, answer.tensor), entrance, answer


def cut_at(graph: tf.compat.v1.GraphDef, entrance: str, answer: str) -> tf.compat.v1.GraphDef:
    """Replace the node called entrance by a placeholder and drop the nodes before it."""
    placeholder = tf.compat.v1.NodeDef(name=entrance, op="Placeholder")
    placeholder.attr["dtype"].type = tf.float32.as_datatype_enum
    placeholder.attr["shape"].shape.unknown_rank = True
    return extract_subgraph(make_graph((placeholder if n.name == entrance else n for n in graph.node), graph), answer)


def _set_batch(graph: tf.compat.v1.GraphDef, entrance: str, batch: int, size: tuple[int, int]) -> tf.compat.v1.GraphDef:
    changed = tf.compat.v1.GraphDef()
    changed.CopyFrom(graph)
    for node in changed.node:
        if node.name == entrance:
            node.attr["shape"].shape.CopyFrom(tf.TensorShape([batch, size[1], size[0], 3]).as_proto())
    return changed


def _determine_size(
    graph: tf.compat.v1.GraphDef, entrance: str, answer: str, found: tuple[int, int] | None, given: int | None
) -> tuple[tuple[int, int], str]:
    if given is not None:
        return (given, given), "given by --size"
    if found is not None:
        return found, "defined by the graph"
    fitting = find_fitting_sides(graph, entrance, answer)
    if len(fitting) == 1:
        return (fitting[0], fitting[0]), "the only usual size that fits the graph's pooling window"
    which = f"{', '.join(map(str, fitting))} would fit" if fitting else "no usual size fits"
    raise UsageError(f"the graph does not define the size of its images ({which}); give it by --size")


def find_fitting_sides(graph: tf.compat.v1.GraphDef, entrance: str, answer: str) -> list[int]:
    """Return the usual sides in pixels for which a graph has one output per image; entrance is its placeholder."""
    return [side for side in _USUAL_SIDES if _fits(graph, entrance, answer, side)]


def _fits(graph: tf.compat.v1.GraphDef, entrance: str, answer: str, side: int) -> bool:
    try:
        function = _make_function(_set_batch(graph, entrance, 1, (side, side)), entrance, answer)
        shape = _read_output_shape(function)
    except (ValueError, tf.errors.OpError):
        return False
    if shape is None or None in shape or int(np.prod(shape)) != shape[-1]:
        return False  # a pooling window that is too small leaves several answers for one image
    pools = [op for op in function.graph.get_operations() if op.type == "AvgPool"]
    # one that is too large for the window still has one output, but ignores the right and lower edge
    return not pools or list(pools[-1].get_attr("ksize"))[1:3] == pools[-1].inputs[0].shape.as_list()[1:3]


def _infer_output_shape(graph: tf.compat.v1.GraphDef, entrance: str, answer: str, size: tuple[int, int]) -> list[int]:
    function = _make_function(_set_batch(graph, entrance, 1, size), entrance, answer)
    shape = _read_output_shape(function)
    if shape is not None and None not in shape:
        return shape
    zeros = tf.zeros([1, size[1], size[0], 3])
    return [int(side) for side in _read_output(function(zeros)).shape]


def _add_softmax(
    graph: tf.compat.v1.GraphDef, answer: GraphOutput, rank: int, values: int
) -> tuple[tf.compat.v1.GraphDef, str]:
    """Add the operators that turn the output into [batch, classes] probabilities."""
    single = values == 1
    nodes, output = list(graph.node), (answer.logits or answer.tensor) if single else answer.tensor
    names = {node.name for node in nodes}

    def add(name: str, op: str, *inputs: str) -> str:
        assert name not in names
        node = tf.compat.v1.NodeDef(name=name, op=op, input=inputs)
        node.attr["T"].type = tf.float32.as_datatype_enum
        nodes.append(node)
        return name

    if rank != 2 or single:
        nodes.append(make_constant("dogid/shape", np.array([-1, values], dtype=np.int32)))
        output = add("dogid/flat", "Reshape", output, "dogid/shape")
        nodes[-1].attr["Tshape"].type = tf.int32.as_datatype_enum
    if single:  # the softmax of 0 and x is 1 - sigmoid(x) and sigmoid(x)
        nodes.append(make_constant("dogid/left", np.array([[0, 0], [1, 0]], dtype=np.int32)))
        output = add("dogid/two", "Pad", output, "dogid/left")
        nodes[-1].attr["Tpaddings"].type = tf.int32.as_datatype_enum
    if single or not answer.probabilities:
        output = add("dogid/softmax", "Softmax", output)
    return make_graph(nodes, graph), output


def _make_function(graph: tf.compat.v1.GraphDef, entrance: str, answer: str) -> Any:
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    return wrapped.prune(f"{entrance}:0", f"{answer}:0")


def _read_output_shape(function: Any) -> list[int] | None:
    shape = tf.nest.flatten(function.structured_outputs)[0].shape
    return None if shape.rank is None else list(shape.as_list())


def _read_output(result: Any) -> NDArray[np.float32]:
    value: NDArray[np.float32] = tf.nest.flatten(result)[0].numpy()
    return value


def _read_first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
