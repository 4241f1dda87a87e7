"""What decoding takes of memory, by format and kind of pixels, against the estimate that the daemon goes by.

Run as `python -m tests.benchmarks.decode_memory [MEGAPIXELS]`; each photo is decoded in a process of its own, all in
about a minute for 12 megapixels. Ends with 1 where an estimate is too low.
"""

import io
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from dogid.decoding.decoder import PROCESS_FROM
from dogid.photo.decode import decode, limit_pixels
from dogid.photo.decode_cost import estimate_cost

_SIZE = (224, 224)
_LIMIT = 2_000_000_000  # pixels
Make = Callable[[int, int], bytes]


def _photo(width: int, height: int, mode: str) -> Image.Image:
    """A picture with some detail in every part, so that it compresses as photos do."""
    small = np.random.default_rng(1).integers(0, 256, (height // 40, width // 40, 3), np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    if mode in ("RGBA", "LA"):
        image.putalpha(image.convert("L"))
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    return image if image.mode == mode else image.convert(mode)


def _saved(kind: str, mode: str = "RGB", **options: object) -> Make:
    def make(width: int, height: int) -> bytes:
        if kind in ("HEIF", "AVIF"):
            import pillow_heif

            pillow_heif.register_heif_opener()
        stream = io.BytesIO()
        _photo(width, height, mode).save(stream, kind, **options)
        return stream.getvalue()

    return make


def _animated(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    first = _photo(width, height, "RGB")
    first.save(stream, "WEBP", save_all=True, append_images=[first.rotate(180)], method=0)
    return stream.getvalue()


def _flooded(width: int, height: int) -> bytes:
    """A JPEG behind 1,900 empty segments, which is nearly as many as are accepted."""
    data = _saved("JPEG")(width, height)
    return data[:2] + b"\xff\xe5\0\2" * 1900 + data[2:]


_KINDS: dict[str, Make] = {
    "JPEG baseline": _saved("JPEG"),
    "JPEG baseline, 4:4:4": _saved("JPEG", subsampling=0),
    "JPEG baseline, CMYK": _saved("JPEG", "CMYK"),
    "JPEG progressive, 4:2:0": _saved("JPEG", progressive=True),
    "JPEG progressive, 4:4:4": _saved("JPEG", progressive=True, subsampling=0),
    "JPEG, 1,900 segments": _flooded,
    "WebP lossy": _saved("WEBP", method=0),
    "WebP lossy, transparent": _saved("WEBP", "RGBA", method=0),
    "WebP lossless": _saved("WEBP", lossless=True, method=0, quality=0),
    "WebP animated": _animated,
    "PNG RGB": _saved("PNG", compress_level=1),
    "PNG RGBA": _saved("PNG", "RGBA", compress_level=1),
    "PNG grey": _saved("PNG", "L", compress_level=1),
    "PNG grey, transparent": _saved("PNG", "LA", compress_level=1),
    "PNG palette": _saved("PNG", "P", compress_level=1),
    "PNG black and white": _saved("PNG", "1", compress_level=1),
    "PNG grey, 16 bits": _saved("PNG", "I;16", compress_level=1),
    "GIF": _saved("GIF", "P"),
    "BMP": _saved("BMP"),
    "BMP palette": _saved("BMP", "P"),
    "TIFF": _saved("TIFF"),
    "TIFF LZW": _saved("TIFF", compression="tiff_lzw"),
    "TIFF deflate, transparent": _saved("TIFF", "RGBA", compression="tiff_adobe_deflate"),
    "TIFF JPEG": _saved("TIFF", compression="jpeg"),
    "TIFF grey, 16 bits": _saved("TIFF", "I;16"),
    "TIFF fax": _saved("TIFF", "1", compression="group4"),
    "HEIC": _saved("HEIF"),
    "AVIF": _saved("AVIF", speed=10),
}


def main() -> int:
    """Print a table: of each kind the length of its file, the peak and the estimate."""
    megapixels = float(sys.argv[1]) if len(sys.argv) > 1 else 12
    width, height = round((megapixels * 4e6 / 3) ** 0.5), round((megapixels * 3e6 / 4) ** 0.5)
    print(f"| {width} x {height} pixels | file, MB | peak, MB | a pixel, bytes | estimate, MB | in a process |")  # noqa: T201
    print("| --- | --- | --- | --- | --- | --- |")  # noqa: T201
    too_low = 0
    for name in _KINDS:
        command = [sys.executable, "-m", "tests.benchmarks.decode_memory", name, str(width), str(height)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"| {name} | {done.stderr.strip().splitlines()[-1]} |")  # noqa: T201
            continue
        length, peak, estimate, in_process = map(int, done.stdout.split())
        too_low += peak > estimate
        row = f"| {name} | {length / 1e6:.1f} | {peak / 1e6:.0f} | {peak / width / height:.1f} | {estimate / 1e6:.0f} |"
        print(row, "yes |" if in_process else "no |", "TOO LOW" if peak > estimate else "", flush=True)  # noqa: T201
    return int(too_low > 0)


def measure(name: str, width: int, height: int) -> None:
    """Print the file's length, the peak of decoding beside it, the estimate, and whether it needs a process."""
    limit_pixels(_LIMIT)
    made = Path(f"/tmp/dogid-decode-memory-{name.replace('/', ' ')}")
    command = [sys.executable, "-m", "tests.benchmarks.decode_memory", "make", name, str(width), str(height), str(made)]
    subprocess.run(command, check=True)  # elsewhere, so that making it counts for nothing
    try:
        data = made.read_bytes()
    finally:
        made.unlink()
    before = _peak_after(lambda: decode(_saved("PNG")(64, 64), (32, 32)))
    cost = estimate_cost(data, _SIZE)
    peak = _peak_after(lambda: decode(data, _SIZE)) - before
    print(len(data), peak, cost.memory, int(cost.needs_process or cost.memory > PROCESS_FROM))  # noqa: T201


def _peak_after(task: Callable[[], object]) -> int:
    task()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    if len(sys.argv) > 5 and sys.argv[1] == "make":
        Path(sys.argv[5]).write_bytes(_KINDS[sys.argv[2]](int(sys.argv[3]), int(sys.argv[4])))
    elif len(sys.argv) > 3:
        measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main())
