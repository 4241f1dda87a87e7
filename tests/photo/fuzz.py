"""Damage photos in many ways, and see that the decoder answers each with pixels or a coded error.

`python -m tests.photo.fuzz --cases 20000` prints a report.
"""

import argparse
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.decode import FORMATS, decode, limit_pixels
from tests.photo.whole_photos import samsung_trailer
from tests.support.photos import encode, photo, picture

_SIZE = (64, 64)
_MAX_PIXELS = 4_000_000
_SLOW_SECONDS = 10.0

Mutation = Callable[[bytearray, random.Random], None]


@dataclass(slots=True)
class Report:
    """What came of the cases."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    peak_mib: float = 0.0
    seconds: float = 0.0

    def text(self) -> str:
        """For people."""
        counts = ", ".join(f"{count} {what}" for what, count in self.outcomes.most_common())
        figures = f"{self.seconds:.0f} s, slowest {self.slowest * 1000:.0f} ms, peak memory {self.peak_mib:.0f} MiB"
        return "\n".join(
            [f"{self.outcomes.total()} cases: {counts}", figures, f"{len(self.faults)} faults", *self.faults]
        )


@cache
def seeds() -> tuple[bytes, ...]:
    """Photos of every format, and of their more adventurous kinds."""
    plain = [photo(number, kind, size=(70, 50)) for number, kind in enumerate(FORMATS)]
    return (
        *plain,
        photo(10, "JPEG", size=(70, 50), progressive=True, exif=_turned()),
        photo(11, "PNG", size=(70, 50), bits=4),
        photo(12, "WEBP", size=(70, 50), lossless=True),
        photo(13, "TIFF", size=(70, 50), compression="tiff_lzw"),
        photo(14, "TIFF", size=(70, 50), compression="jpeg"),
        photo(15, "TIFF", size=(70, 50), compression="tiff_adobe_deflate"),
        photo(16, "TIFF", size=(70, 50), big_tiff=True),
        encode(picture(17, (70, 50)).convert("CMYK"), "JPEG"),
        photo(18, "JPEG", size=(70, 50), restart_marker_blocks=3),
        photo(19, "JPEG", size=(70, 50))[:-2] + samsung_trailer(bytes(range(256))),
        photo(20, "HEIC", size=(70, 50), exif=_turned()),
        photo(21, "AVIF", size=(70, 50), exif=_turned()),
    )


def _turned() -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _flip_bits(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 30)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _blank(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:] = bytes(len(data) - at)


def _overwrite(data: bytearray, chance: random.Random) -> None:
    at, length = chance.randrange(len(data)), chance.randint(1, 64)
    data[at : at + length] = chance.randbytes(length)


def _extreme_numbers(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(min(len(data), 200))  # most lengths and sizes lie in the header
        number = chance.choice(
            (b"\0\0", b"\xff\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1")
        )
        data[at : at + len(number)] = number


def _repeat(data: bytearray, chance: random.Random) -> None:
    at, length = chance.randrange(len(data)), chance.randint(1, 500)
    data[at:at] = data[at : at + length] * chance.randint(1, 20)


def _splice(data: bytearray, chance: random.Random) -> None:
    other = chance.choice(seeds())
    data[chance.randrange(len(data)) :] = other[chance.randrange(len(other)) :]


MUTATIONS: tuple[Mutation, ...] = (_flip_bits, _cut, _blank, _overwrite, _extreme_numbers, _repeat, _splice)


def mutated(number: int) -> bytes:
    """Given a case's number, return its data: the same each time."""
    chance = random.Random(number)
    data = bytearray(chance.choice(seeds()))
    for mutation in chance.choices(MUTATIONS, k=chance.randint(1, 3)):
        if data:
            mutation(data, chance)
    return bytes(data)


def run(first: int, count: int, *, progress: bool = False) -> Report:
    """Decode so many cases; return what came of them."""
    limit_pixels(_MAX_PIXELS)
    report = Report()
    begun = time.monotonic()
    for number in range(first, first + count):
        _one(number, report)
        if progress and number % 1000 == 999:
            print(f"{number + 1} cases, {len(report.faults)} faults", file=sys.stderr, flush=True)  # noqa: T201
    report.seconds = time.monotonic() - begun
    report.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return report


def _one(number: int, report: Report) -> None:
    begun = time.monotonic()
    try:
        decoded = decode(mutated(number), _SIZE)
    except PhotoError as error:
        report.outcomes[str(error.code)] += 1
        if error.code is PhotoCode.INTERNAL:
            report.faults.append(f"case {number}: {error}")
    except BaseException as error:
        report.outcomes["fault"] += 1
        report.faults.append(f"case {number}: {type(error).__name__}: {error}")
    else:
        report.outcomes["decoded"] += 1
        if decoded.pixels.shape != (_SIZE[1], _SIZE[0], 3) or decoded.pixels.dtype != np.uint8:
            report.faults.append(f"case {number}: pixels {decoded.pixels.shape} {decoded.pixels.dtype}")
    seconds = time.monotonic() - begun
    report.slowest = max(report.slowest, seconds)
    if seconds > _SLOW_SECONDS:
        report.faults.append(f"case {number}: {seconds:.1f} s")


def main() -> int:
    """Run the cases that the command line asks for; exit 1 where there are faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    report = run(args.first, args.cases, progress=True)
    print(report.text())  # noqa: T201
    return int(bool(report.faults))


if __name__ == "__main__":
    sys.exit(main())
