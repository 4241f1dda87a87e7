"""The bare limit: on all cores a loop of read, decode, resize, set, invoke, and nothing else.

The model is what the daemon runs, without the first operator where that can be spared; `--whole` runs all of it.

libjpeg-turbo by simplejpeg decodes at the smallest DCT scale that is not below the model's input; Pillow's filter makes
the rest, so that the pixels are the daemon's own bit for bit: a limit that gave other answers would be one of something
else. `--resize opencv` takes OpenCV's bilinear filter without antialiasing instead, which is cheaper and gives others.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from PIL import Image

from dogid.model.skip_quantize import strip_input_quantize
from tests.benchmarks.contender import Answer, serve

Pixels = NDArray[np.uint8]


def limit(model: bytes, resize: str) -> Answer:
    """Return one thread's loop body, with an interpreter of its own; model takes uint8 or int8."""
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    _, height, width, _ = (int(side) for side in taken["shape"])
    shrink = {"pillow": by_pillow, "opencv": by_opencv}[resize]
    scale, zero_point = given["quantization"]
    flips = taken["dtype"] == np.int8

    def answer(path: Path) -> Sequence[float]:
        with path.open("rb", buffering=0) as file:
            data = file.read()
        pixels = simplejpeg.decode_jpeg(data, min_height=height, min_width=width)
        small = shrink(pixels, (width, height))[np.newaxis]
        interpreter.set_tensor(taken["index"], (small ^ 0x80).view(np.int8) if flips else small)
        interpreter.invoke()
        raw: NDArray[Any] = interpreter.get_tensor(given["index"])[0]
        return (raw.astype(np.float32) - zero_point) * scale if scale else raw  # type: ignore[return-value]

    return answer


def by_pillow(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The daemon's filter."""
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))


def by_opencv(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The cheapest one."""
    import cv2

    cv2.setNumThreads(1)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def main() -> None:
    """Serve as a contender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--resize", choices=("pillow", "opencv"), default="pillow")
    parser.add_argument("--whole", action="store_true")
    args = parser.parse_args()
    model = args.model.read_bytes()
    if not args.whole:
        model = strip_input_quantize(model) or model
    serve(lambda: limit(model, args.resize), args.threads)


if __name__ == "__main__":
    main()
