"""Reading the pages in a write-ahead log of SQLite's, without SQLite.

Source of the format: https://sqlite.org/fileformat2.html#walformat
"""

import struct
from pathlib import Path

_WAL_MAGIC = (0x377F0682, 0x377F0683)
_WAL_HEADER, _FRAME_HEADER = 32, 24


def read_log(path: Path, page_size: int) -> dict[int, bytes]:
    """Return the pages of the transactions that are whole in a write-ahead log, by number."""
    try:
        log = path.read_bytes()
    except FileNotFoundError:
        return {}
    if len(log) < _WAL_HEADER:
        return {}
    magic, _, noted_size, _, *salts, _, _ = struct.unpack(">8I", log[:_WAL_HEADER])
    if magic not in _WAL_MAGIC or noted_size != page_size:
        return {}
    order = ">" if magic & 1 else "<"
    sums = _checksum(log[:24], (0, 0), order)
    if sums != struct.unpack(">2I", log[24:_WAL_HEADER]):
        return {}
    committed: dict[int, bytes] = {}
    transaction: dict[int, bytes] = {}
    step = _FRAME_HEADER + page_size
    for at in range(_WAL_HEADER, len(log) - step + 1, step):
        number, commits, *found = struct.unpack(">6I", log[at : at + _FRAME_HEADER])
        page = log[at + _FRAME_HEADER : at + step]
        sums = _checksum(page, _checksum(log[at : at + 8], sums, order), order)
        if found[:2] != salts or tuple(found[2:]) != sums:
            break
        transaction[number] = page
        if commits:
            committed |= transaction
            transaction = {}
    return committed


def _checksum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = first + even + second & 0xFFFFFFFF
        second = second + odd + first & 0xFFFFFFFF
    return first, second
