"""What the decoder that all share does for each photo, and does not do twice."""

import pytest

from dogid.decoding.byte_budget import ByteBudget
from dogid.decoding.decoder import Decoder
from dogid.photo.extent import jpeg
from tests.support.photos import photo


def test_jpeg_header_is_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[int] = []
    walk = jpeg._read_header

    def count_and_walk(data: bytes) -> jpeg.JpegHeader:
        walks.append(len(data))
        return walk(data)

    monkeypatch.setattr(jpeg, "_read_header", count_and_walk)
    Decoder(ByteBudget(1 << 30), 1_000_000, 10).decode(photo(1), (32, 32))

    assert len(walks) == 1
