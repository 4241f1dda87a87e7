"""Where the trailer begins that Samsung's phones append to photos, to panoramas even in the place of the end mark.

Source: ExifTool, Samsung.pm, ProcessSamsungTrailer: blocks, then their directory (SEFH) with each block's distance to
it, then the directory's length and SEFT.
"""

import struct

_END, _DIRECTORY = b"SEFT", b"SEFH"
_MOST_BLOCKS = 1000


def find_trailer(data: bytes) -> int | None:
    """Return where Samsung's trailer begins: its directory where that lists no blocks; None where there is none."""
    if not data.endswith(_END):
        return None
    directory = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    if directory < 0 or data[directory : directory + 4] != _DIRECTORY:
        return None
    count = min(int.from_bytes(data[directory + 8 : directory + 12], "little"), _MOST_BLOCKS)
    entries = data[directory + 12 : directory + 12 + 12 * count]
    distances = [distance for _, distance, _ in struct.iter_unpack("<III", entries[: len(entries) // 12 * 12])]
    return max(0, directory - max(distances, default=0))
