"""What the decoder that all share does for each photo, and does not do twice."""

import pytest

from dogid.decoding.byte_budget import ByteBudget
from dogid.decoding.decoder import Decoder
from dogid.photo import decode_cost, jpeg
from dogid.photo.extent.jpeg import JpegHeader, read_header
from tests.support.photos import photo


def test_jpeg_header_is_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[int] = []

    def count_and_walk(data: bytes) -> JpegHeader:
        walks.append(len(data))
        return read_header(data)

    for module in (decode_cost, jpeg):
        monkeypatch.setattr(module, "read_header", count_and_walk)
    Decoder(ByteBudget(1 << 30), 1_000_000, 10).decode(photo(1), (32, 32))

    assert len(walks) == 1
