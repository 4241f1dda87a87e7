"""The output `sidecar`: an XMP file for each photo, `NAME.jpg.xmp`, in a folder that mirrors the inbox.

Source: https://github.com/adobe/xmp-docs, XMP Specification part 1; `lr:hierarchicalSubject` as Lightroom, digiKam and
darktable read it. All keywords of dogid's lie below `dogid`, so that they can be taken out again.
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from dogid.file_names import possible_names
from dogid.outputs.files.folder_output import FolderOutput, FolderTable
from dogid.outputs.output import Delivery, OutputContext, OutputError, RefusedError
from dogid.outputs.table import read_table
from dogid.result_document import Result
from dogid.sorting.folder_names import has_foreign_letters
from dogid.sorting.placing import NAME_REFUSED, NOT_A_NAME
from dogid.system.atomic_files import sync_folder

_ROOT = "dogid"
_UNSURE = "unsure"
_TEMPORARY = ".dogid-sidecar-{output}.part"  # two outputs may write into one folder
_LOOKED_AT = 100_000  # bytes of a sidecar; dogid's are smaller
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="dogid">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/">
   <dc:subject><rdf:Bag><rdf:li>{subject}</rdf:li></rdf:Bag></dc:subject>
   <lr:hierarchicalSubject><rdf:Bag><rdf:li>{branch}</rdf:li></rdf:Bag></lr:hierarchicalSubject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
_OURS = re.compile("[^<]*".join(re.escape(part) for part in re.split(r"\{subject\}|\{branch\}", _PACKET)))
"""What dogid writes, as it is: other programs write their own name there, and people what they want to keep."""


def make_output(table: Mapping[str, Any], context: OutputContext) -> "SidecarOutput":
    """Return the output. Raise OutputConfigError."""
    return SidecarOutput(read_table(table, FolderTable), context)


class SidecarOutput(FolderOutput):
    """Writes, or replaces, the sidecars of photos."""

    def __init__(self, table: FolderTable, context: OutputContext) -> None:
        """Set up. Raise OutputConfigError."""
        super().__init__(table, context)
        self._temporary = self._folder.path / _TEMPORARY.format(output=context.name)
        self._stopping = context.stopping

    def send(self, deliveries: Sequence[Delivery], acknowledged: Callable[[int], None]) -> None:
        """Write the sidecars of the deliveries' photos. Raise OutputError, RefusedError."""
        self._folder.require()
        for number, delivery in enumerate(deliveries, start=1):
            if self._stopping.is_set():
                return
            if not delivery.is_test:
                self._write(delivery.result)
            acknowledged(number)

    def _write(self, result: Result) -> None:
        label = keyword_of(result)
        if label is None:
            return
        name = possible_names(result["file"])[0] + b".xmp"
        path = Path(os.fsdecode(os.path.join(os.fsencode(self._folder.path), name)))
        try:
            if not path.parent.resolve().is_relative_to(self._folder.path.resolve()):
                raise RefusedError(f"{path.parent}: leads out of {self._folder.path}: move that link away")
            path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(path) and not _is_ours(path):
                raise RefusedError(f"{path}: written by another program: move it away for dogid to write its own")
            self._replace(path, make_packet(label).encode())
        except FileExistsError as error:
            raise RefusedError(f"{path.parent}: is no folder: move it away") from error
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise RefusedError(f"{path}: the name is too long with .xmp: rename the photo") from error
            is_foreign = error.errno in NAME_REFUSED and has_foreign_letters(result["file"])
            if is_foreign or (error.errno in NOT_A_NAME and error.filename is not None):  # of one that names a file
                reason = "memory cards (FAT) do not take this name: rename the photo, or name a folder on another disk"
                raise RefusedError(f"{path}: {reason}") from error
            raise self._folder.explain(error, path) from error

    def _replace(self, path: Path, content: bytes) -> None:
        """Write a file whole or not at all; of all of them, kills leave one temporary file at most. Raise OSError."""
        self._temporary.unlink(missing_ok=True)  # never through a link of that name
        with self._temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._temporary.replace(path)
        sync_folder(path.parent)


def keyword_of(result: Result) -> str | None:
    """Return what a photo's keyword is: a person's label, else the model's; `unsure`; None for photos without any."""
    word = result["reviewed"]
    if word is not None:
        return word["label"] or _UNSURE
    label: str | None = result["label"]
    return _UNSURE if result["unsure"] else label


def make_packet(label: str) -> str:
    """Return the content of a sidecar with a keyword."""
    text = _NOT_XML.sub("\ufffd", label)
    branch = f"{_ROOT}|{text.replace('|', '/')}"  # which parts the levels
    return _PACKET.format(subject=escape(text), branch=escape(branch))


def _is_ours(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        with path.open("rb") as file:
            return _OURS.fullmatch(file.read(_LOOKED_AT).decode(errors="replace")) is not None
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
