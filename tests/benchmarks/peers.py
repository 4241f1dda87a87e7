"""Other ways to the same answers: `python -m tests.benchmarks.peers article|script|mediapipe|onnx ...`.

Each is written as its own documentation, or the article, does it, and differs from the daemon in nothing but that.
"""

import argparse
import itertools
import json
import logging
import threading
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from tests.benchmarks.contender import Answer, serve

_RESTART_EVERY = 20  # requests
_MEAN = _STD = 128.0  # of the frozen graph, as models/report.json has it


def article(model: Path) -> Answer:
    """The article's service: Flask's own server, asked over HTTP, and TensorFlow on the frozen graph.

    Each request adds operations that decode to the default graph, opens a session for them that is never closed, reads
    the labels again, and opens another session on the model. The article's also writes a file beside each photo, and
    its graph grows for ever: here nothing is written, and every so often it starts over, as after a restart.
    """
    import tensorflow.compat.v1 as tf

    tf.disable_eager_execution()
    graph = tf.Graph()
    with graph.as_default():
        definition = tf.GraphDef()
        definition.ParseFromString(model.read_bytes())
        tf.import_graph_def(definition)
    taken = graph.get_operation_by_name("import/input").outputs[0]
    given = graph.get_operation_by_name("import/final_result").outputs[0]
    labels = model.with_name("retrained_labels.txt")

    def pixels_of(path: str) -> Any:
        image = tf.image.decode_image(tf.read_file(path), channels=3)
        resized = tf.image.resize_bilinear(tf.expand_dims(tf.cast(image, tf.float32), 0), [224, 224])
        return tf.Session().run(tf.divide(tf.subtract(resized, [_MEAN]), [_STD]))

    def classify(path: str, number: int) -> list[Any]:
        if number % _RESTART_EVERY == 0:
            tf.reset_default_graph()
        pixels = pixels_of(path)
        with tf.Session(graph=graph) as session:
            found = session.run(given, {taken: pixels})[0]
        return [labels.read_text().split("\n")[: len(found)], found.tolist()]

    return _over_http(classify)


def _over_http(classify: Callable[[str, int], list[Any]]) -> Answer:
    """Serve a function of a path and the request's number by Flask's own server, and return what asks it."""
    from flask import Flask, jsonify, request
    from werkzeug.serving import make_server

    app, numbers = Flask(__name__), itertools.count(1)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app.add_url_rule("/", "classify", lambda: jsonify(classify(request.args["file"], next(numbers))))
    server = make_server("127.0.0.1", 0, app)  # one request at a time: the default graph is one for all
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def answer(path: Path) -> Sequence[float]:
        address = f"http://127.0.0.1:{server.server_port}/?file={quote(str(path))}"
        with urllib.request.urlopen(address, timeout=60) as response:
            _, probabilities = json.load(response)
        return probabilities  # type: ignore[no-any-return]

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
