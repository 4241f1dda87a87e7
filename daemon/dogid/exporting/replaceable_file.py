"""Whether a file may be replaced by an export: a former one may, and what anything else has written may not."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from dogid.errors import UsageError
from dogid.exporting.megadetector import BEGINNING, is_ending
from dogid.result_table import header_line

_ENDING_BYTES = 4096  # of a MegaDetector file that are looked at: what says who wrote it is in the last hundred


def check_replaceable(file: Path, is_export: Callable[[BinaryIO], bool], *, force: bool) -> None:
    """Raise UsageError where something is at the place of an export that no export has written; OSError.

    With force, any file may be replaced, but nothing that is no file. is_export is one of those below.
    """
    if not file.exists() or file.is_dir():  # folders are refused where the file is written
        return
    if not file.is_file():
        raise UsageError(f"{file} is no file: name a file with -o, or - for stdout")
    if force or not file.stat().st_size:
        return
    with file.open("rb") as opened:
        if is_export(opened):
            return
    raise UsageError(f"{file} exists, and no such export has written it: name another file, or replace it with --force")


def is_table(file: BinaryIO) -> bool:
    """Whether a file is a table of results: it has their headings."""
    header = header_line().encode()
    return file.read(len(header)) == header


def is_megadetector(file: BinaryIO) -> bool:
    """Whether a file is a batch file of MegaDetector that dogid has written."""
    if file.read(len(BEGINNING)) != BEGINNING.encode():
        return False
    file.seek(max(0, file.seek(0, os.SEEK_END) - _ENDING_BYTES))
    return is_ending(file.read().decode(errors="replace"))
