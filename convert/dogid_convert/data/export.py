"""Labelled folders of the photos that people have labelled, with a numbered manifest of each export.

The folders are ready for `dogid train`. A manifest is never changed: who labelled what, and what the model had guessed,
at the time of one export. Photos are never changed either, and what others have put into the folders stays.
"""

import hashlib
import os
import re
import sqlite3
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dogid.clock import iso_utc
from dogid.errors import DogidError, UsageError
from dogid.file_names import shown_name
from dogid.inbox.safe_open import NotAFileError, OutsideError, open_beneath, open_root
from dogid.ledger.reviews import Review, list_standing_reviews
from dogid.system.atomic_files import sync_folder
from dogid_convert.data.manifest import Manifest, ManifestEntry, as_json, read
from dogid_convert.support.progress import Track, untracked

_NUMBERED = re.compile(r"manifest-([0-9]{4,})\.json")
_PATHS = """SELECT path FROM photo WHERE sha256 IS NOT NULL
    AND substr(sha256, 1, 16) = substr(?1, 1, 16) AND +sha256 = ?1 AND state != 'superseded' AND absent_at IS NULL
    ORDER BY id DESC"""
_LONGEST = 100
"""Bytes of a file's name, and of a folder's: with what is added to them, below the 255 of file systems."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Export:
    """What an export has done."""

    manifest: Path
    """The manifest that describes the folder now, which is an older one where nothing has changed since."""
    content: Manifest
    removed: tuple[str, ...]
    """Files of the export before that are no longer labelled so, relative to the folder."""
    kept: tuple[str, ...]
    """The same, where somebody has changed them since, so that they stay."""
    is_new: bool
    """Whether anything has changed since the export before."""


def export_reviewed(
    db: sqlite3.Connection, inbox: Path, folder: Path, *, hardlink: bool = False, track: Track = untracked
) -> Export:
    """Write the photos that people have labelled into folder, a sub-folder for each label, with a manifest.

    db: the ledger. hardlink: whether files are links to those of the inbox, where the file system allows it, and not
    copies. Raise UsageError where folder cannot be used, DogidError where it is full.
    """
    if folder.resolve().is_relative_to(inbox.resolve()):
        raise UsageError(
            f"{folder}: lies in the inbox, where the daemon would classify the copies; name another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = _last_manifest(folder)
        former = {} if before is None else {entry.file: entry for entry in read(before).entries}
        places = {entry.sha256: folder / entry.file for entry in former.values()}
        content = _write_photos(db, inbox, folder, places, hardlink=hardlink, track=track)
        removed, kept = _remove_former(folder, former, content)
        if before is not None and read(before) == content:
            return Export(before, content, removed, kept, is_new=False)
        number = 1 if before is None else int(before.stem.rpartition("-")[2]) + 1
        path = folder / f"manifest-{number:04}.json"
        _publish(path, as_json(content).encode())
    except OSError as error:
        raise DogidError(f"{error.filename or folder}: {error.strerror}; the export is not complete") from error
    return Export(path, content, removed, kept, is_new=True)


def _last_manifest(folder: Path) -> Path | None:
    numbers = {int(found[1]): path for path in folder.iterdir() if (found := _NUMBERED.fullmatch(path.name))}
    return numbers[max(numbers)] if numbers else None


def _write_photos(
    db: sqlite3.Connection, inbox: Path, folder: Path, places: Mapping[str, Path], *, hardlink: bool, track: Track
) -> Manifest:
    """Write the photos that have a label; places: where the export before has them, by content."""
    models = dict(db.execute("SELECT id, name FROM model").fetchall())
    reviews = [found.review for found in list_standing_reviews(db, "") if found.review.label is not None]
    entries, left_out = list[ManifestEntry](), list[tuple[str, str]]()
    for review in track(reviews, "exporting"):
        name = _file_name(review)
        target, before = folder / name, places.get(review.sha256)
        size = _write_photo(_paths(db, review), inbox, target, review.sha256, hardlink=hardlink)
        if size is None and before is not None and _is_regular(before) and _hash(before) == review.sha256:
            before.replace(target)  # the photo has gone from the inbox, and got another label since
            size = target.stat().st_size
        if size is None:
            reason = f"{review.label}, by {review.by}: the photo has gone, or has changed"
            left_out.append((shown_name(review.path), reason))
        else:
            word = _describe(review, models)
            entries.append(ManifestEntry(name, review.label or "", review.sha256, size, word=word))
    return Manifest(tuple(sorted(entries, key=lambda entry: entry.file.encode())), tuple(sorted(left_out)))


def _describe(review: Review, models: dict[int, str]) -> dict[str, object]:
    """Return what is known of a label: who gave it, and what the model had guessed."""
    model = None if review.model_id is None else models.get(review.model_id)
    return {
        "by": review.by,
        "at": iso_utc(review.at),
        "verdict": review.verdict,
        "guess": {"label": review.model_label, "score": review.model_score, "model": model},
    }


def _paths(db: sqlite3.Connection, review: Review) -> Iterator[bytes]:
    return (bytes(path) for (path,) in db.execute(_PATHS, (review.sha256,)).fetchall())


def _file_name(review: Review) -> str:
    """Return the path of an exported photo: the same for the same content, label and first name."""
    stem, dot, ending = os.path.basename(shown_name(review.path)).rpartition(".")
    if not dot:
        stem, ending = ending, ""
    ending = f".{ending}" if ending.isascii() and ending.isalnum() and len(ending) <= 5 else ""
    return f"{_folder_name(review.label or '')}/{_shortened(_printable(stem))}-{review.sha256[:12]}{ending}"


def _folder_name(label: str) -> str:
    """Return a label as the name of a folder, which is the label itself where that can be one."""
    name = _printable(label)
    if len(name.encode()) > _LONGEST:
        name = f"{_shortened(name)}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
    return name


def _printable(text: str) -> str:
    """Return a text without slashes, signs that cannot be printed, or a dot or blank at the beginning."""
    kept = "".join(sign if sign.isprintable() and sign not in "/%\\" else _escape(sign) for sign in text)
    return _escape(kept[0]) + kept[1:] if kept[:1] in (".", " ") else kept


def _escape(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass"))


def _shortened(text: str) -> str:
    return text.encode()[:_LONGEST].decode(errors="ignore")


def _write_photo(paths: Iterable[bytes], inbox: Path, target: Path, sha256: str, *, hardlink: bool) -> int | None:
    """Let target be the photo of a content, from the first of paths that has it; return its size in bytes.

    None where there is none. Raise OSError where it cannot be written.
    """
    if target.is_file() and not target.is_symlink() and _hash(target) == sha256:
        return target.stat().st_size
    target.parent.mkdir(exist_ok=True)
    for path in paths:
        try:
            with open_root(inbox) as root:
                source = open_beneath(root, path)
        except (OSError, ValueError, OutsideError, NotAFileError):
            continue
        try:
            size = _copy(source, target, sha256, hardlink=hardlink)
        finally:
            os.close(source)
        if size is not None:
            return size
    return None


def _copy(source: int, target: Path, sha256: str, *, hardlink: bool) -> int | None:
    """Copy an open file, or link it, where it has a content; return its size, None where it has not."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".export-")
    temporary = Path(name)
    try:
        digest, size = hashlib.sha256(), 0
        with os.fdopen(descriptor, "wb") as file:
            while chunk := os.read(source, _CHUNK):
                digest.update(chunk)
                size += len(chunk)
                if not hardlink:
                    file.write(chunk)
        if digest.hexdigest() != sha256:
            return None
        if hardlink:
            temporary.unlink()
            try:
                os.link(f"/proc/self/fd/{source}", temporary, src_dir_fd=source)  # which follows that link, to the file
            except OSError:  # another file system, or one without links
                os.lseek(source, 0, os.SEEK_SET)
                return _copy(source, target, sha256, hardlink=False)
        else:
            temporary.chmod(0o644)
        temporary.replace(target)
        return size
    finally:
        temporary.unlink(missing_ok=True)


def _remove_former(
    folder: Path, former: dict[str, ManifestEntry], content: Manifest
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Remove the files of the export before that are not part of this one; return those, and those that stay."""
    removed, kept = list[str](), list[str]()
    for name in sorted(former.keys() - {entry.file for entry in content.entries}):
        path = folder / name
        if not _is_regular(path):
            continue
        if _hash(path) != former[name].sha256:
            kept.append(name)
            continue
        path.unlink()
        removed.append(name)
        try:
            path.parent.rmdir()
        except OSError:
            continue  # it has other photos
    return tuple(removed), tuple(kept)


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _publish(path: Path, data: bytes) -> None:
    """Write a manifest whole, under a name that none has: it is never changed."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".manifest-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o444)
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise DogidError(f"{path}: another export has just written it; run it again") from None
        except OSError:  # a file system without links
            temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def describe_export(export: Export) -> dict[str, object]:
    """Return an export as a JSON document."""
    entries = export.content.entries
    return {
        "manifest": str(export.manifest),
        "new": export.is_new,
        "version": export.content.version,
        "labels": export.content.counts(),
        "corrected": sum(entry.is_correction for entry in entries),
        "left_out": [{"file": file, "reason": reason} for file, reason in export.content.left_out],
        "removed": list(export.removed),
        "kept": list(export.kept),
    }
