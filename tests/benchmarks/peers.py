"""Other ways to the same answers: `python -m tests.benchmarks.peers article|script|mediapipe|onnx ...`.

Each is written as its own documentation, or the article, does it, and told apart from the daemon by nothing but that.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.benchmarks.contender import Answer, serve

_MEAN = _STD = 128.0  # of the frozen graph, as models/report.json has it


def article(model: Path) -> Answer:
    """TensorFlow on the frozen graph, in the manner of a service of its time.

    Each request adds operations that decode to a graph and opens a session; another session runs the model.
    """
    import tensorflow.compat.v1 as tf

    tf.disable_eager_execution()
    graph = tf.Graph()
    with graph.as_default():
        definition = tf.GraphDef()
        definition.ParseFromString(model.read_bytes())
        tf.import_graph_def(definition)

    def read_tensor(path: Path) -> Any:
        data = tf.read_file(str(path))
        image = tf.image.decode_jpeg(data, channels=3)
        batch = tf.expand_dims(tf.cast(image, tf.float32), 0)
        resized = tf.image.resize_bilinear(batch, [224, 224])
        normalised = tf.divide(tf.subtract(resized, [_MEAN]), [_STD])
        with tf.Session() as session:
            return session.run(normalised)

    def answer(path: Path) -> Sequence[float]:
        with tf.Graph().as_default():  # the service's own grows for ever: this one is kinder to it
            tensor = read_tensor(path)
        taken = graph.get_operation_by_name("import/input").outputs[0]
        given = graph.get_operation_by_name("import/final_result").outputs[0]
        with tf.Session(graph=graph) as session:
            found: Sequence[float] = session.run(given, {taken: tensor})[0]
        return found

    return answer


def script(model: Path) -> Answer:
    """The plain LiteRT script: Pillow decodes the whole photo, one thread does everything."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model))
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    _, height, width, _ = taken["shape"]
    scale, zero_point = given["quantization"]

    def answer(path: Path) -> Sequence[float]:
        image = Image.open(path).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        interpreter.set_tensor(taken["index"], np.expand_dims(np.asarray(image, dtype=np.uint8), 0))
        interpreter.invoke()
        raw = interpreter.get_tensor(given["index"])[0].astype(np.float32)
        return (raw - zero_point) * scale if scale else raw  # type: ignore[no-any-return]

    return answer


def mediapipe(model: Path) -> Answer:
    """MediaPipe's image classifier on the same model."""
    import mediapipe as mp
    from mediapipe.tasks import python as tasks

    options = tasks.vision.ImageClassifierOptions(base_options=tasks.BaseOptions(model_asset_path=str(model)))
    classifier = tasks.vision.ImageClassifier.create_from_options(options)

    def answer(path: Path) -> Sequence[float]:
        found = classifier.classify(mp.Image.create_from_file(str(path))).classifications[0].categories
        return [category.score for category in sorted(found, key=lambda one: one.index)]

    return answer


def onnx(model: Path) -> Answer:
    """ONNX Runtime on the int8 model, converted by tf2onnx, with OpenCV's decoder; one thread a session."""
    import cv2
    import onnxruntime  # type: ignore[import-not-found]

    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    _, height, width, _ = taken.shape

    def answer(path: Path) -> Sequence[float]:
        image = cv2.imread(str(path))
        if image is None:
            raise ValueError(path)
        rgb = cv2.cvtColor(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2RGB)
        raw = np.asarray(session.run(None, {taken.name: rgb[np.newaxis]})[0])[0]
        found: Sequence[float] = raw if raw.dtype == np.float32 else raw / np.float32(256)
        return found

    return answer


PEERS: dict[str, Callable[[Path], Answer]] = {
    "article": article,
    "script": script,
    "mediapipe": mediapipe,
    "onnx": onnx,
}
"""By the names of the command line."""


def main() -> None:
    """Serve as a contender."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    serve(lambda: PEERS[args.peer](args.model), args.threads)


if __name__ == "__main__":
    main()
