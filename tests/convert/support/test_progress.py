import contextlib
import os
import re
import sys

import pytest

from dogid_convert.support.progress import tracking_as_one


def read_until_closed(terminal: int) -> str:
    """Read what was written to a terminal whose other end is closed: it comes in pieces."""
    pieces = []
    with contextlib.suppress(OSError):  # EIO: that was all
        while piece := os.read(terminal, 1 << 16):
            pieces.append(piece)
    return b"".join(pieces).decode()


def test_one_bar_reaches_its_end_though_a_part_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, terminal = os.openpty()
    with os.fdopen(terminal, "w") as stderr, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        with tracking_as_one({"hash": 1.0, "skipped": 5.0, "embed": 2.0, "compare": 2.0}) as track:
            assert list(track(range(2), "hash")) == [0, 1]
            assert list(track(range(4), "embed")) == [0, 1, 2, 3]
            assert list(track(range(4), "embed")) == [0, 1, 2, 3]  # moves nothing
            assert list(track(range(2), "compare")) == [0, 1]
    drawn = read_until_closed(ours)
    os.close(ours)

    assert [int(share) for share in re.findall(r"(\d+) %", drawn)][-1] == 100
    assert "compare" in drawn


def test_no_bar_is_drawn_into_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    with tracking_as_one({"hash": 1.0}) as track:
        assert list(track(range(2), "hash")) == [0, 1]

    assert capfd.readouterr().err == ""
