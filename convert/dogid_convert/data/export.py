"""Labelled folders of the photos that people have labelled, with a numbered manifest of each export.

The folders are ready for `dogid train`. A manifest is never changed: who labelled what, and what the model had guessed,
at the time of one export. Photos are never changed either, no last copy of one is deleted, and what others have put
into the folders, or changed there, stays.
"""

import errno
import hashlib
import os
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dogid.clock import iso_utc
from dogid.dataset.label_folders import NUMBERED_MANIFEST
from dogid.errors import DogidError, UsageError
from dogid.file_names import shown_name
from dogid.inbox.safe_open import NotAFileError, OutsideError, open_beneath, open_root
from dogid.ledger.reviews import Review, list_present_paths, list_standing_reviews
from dogid.quantities import count_of
from dogid.system.atomic_files import sync_folder, write_atomically
from dogid_convert.data.export_folder import ExportFolder
from dogid_convert.data.export_names import is_exported_name, name_exported_file, name_label_folders
from dogid_convert.data.manifest import Manifest, ManifestEntry, as_json, read
from dogid_convert.support.progress import Track, untracked

_PLAN = ".export-plan.json"
"""The files that an export may have written, until its manifest is there: those of an interrupted one, too."""


@dataclass(frozen=True, slots=True)
class Export:
    """What an export has done."""

    manifest: Path
    """The manifest that describes the folder now, which is an older one where nothing has changed since."""
    content: Manifest
    removed: tuple[str, ...]
    """Files of exports before that are no longer labelled so, relative to the folder; the inbox has their photos."""
    withdrawn: tuple[str, ...]
    """Where files without a label lie now whose photos are not in the inbox, relative to the folder."""
    is_new: bool
    """Whether anything has changed since the export before."""


@dataclass(frozen=True, slots=True)
class _Photo:
    """A photo to be exported."""

    entry: ManifestEntry
    """As it will be in the manifest, without its size."""
    review: Review


def export_reviewed(
    db: sqlite3.Connection, inbox: Path, state: Path, folder: Path, *, hardlink: bool = False, track: Track = untracked
) -> Export:
    """Write the photos that people have labelled into folder, a sub-folder for each label, with a manifest.

    db: the ledger, in the folder state. hardlink: whether files are links to those of the inbox, where the file system
    allows it, and not copies. Raise UsageError where folder cannot be used, or another ledger was exported to it,
    DogidError where it is full, or nothing is labelled and nothing was exported to it before.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; give a folder, which is made where it is missing")
    if folder.resolve().is_relative_to(inbox.resolve()):
        raise UsageError(
            f"{folder}: lies in the inbox, where the daemon would classify the copies; name another folder"
        )
    if inbox.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{folder}: the inbox lies in it and would become a label's folder; name another folder")
    if folder.resolve().is_relative_to(state.resolve()) or state.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{folder}: is where the daemon keeps its state; name another folder")
    if not _list_labels(db) and not _was_exported_to(folder):
        raise DogidError("nobody has labelled a photo yet: nothing to export. Label some: dogid label FILE... LABEL")
    try:
        with ExportFolder(folder) as target:
            return _export(db, inbox, target, hardlink=hardlink, track=track)
    except PermissionError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}; name a folder of your own") from error
    except OSError as error:
        if error.errno == errno.EROFS:
            raise UsageError(f"{folder}: cannot be written: {error.strerror}; name another folder") from error
        raise DogidError(f"{folder}: {error.strerror}; the export is not complete") from error


def _export(db: sqlite3.Connection, inbox: Path, folder: ExportFolder, *, hardlink: bool, track: Track) -> Export:
    path, number = _last_manifest(folder.path)
    plan = folder.path / _PLAN
    before = None if path is None else _read_own(db, path)
    former = {} if before is None else {entry.file: entry for entry in before.entries}
    if plan.exists():
        former |= {entry.file: entry for entry in _read_own(db, plan).entries}
    photos = _list_photos(db, former.values())
    planned = former | {photo.entry.file: photo.entry for photo in photos}
    write_atomically(plan, as_json(Manifest(_sorted(planned.values()))).encode())
    content, changed = _write_photos(db, inbox, folder, photos, former, hardlink=hardlink, track=track)
    for entry in content.entries:
        folder.write_label(entry.file.partition("/")[0], entry.label)
    folder.sync()
    changed.update(() if before is None else before.changed)
    removed, withdrawn = _remove_former(db, inbox, folder, former, content, changed)
    content = replace(content, changed=_still_there(folder, changed, content))
    folder.sync()
    is_new = path is None or before != content
    if path is None or is_new:
        path = folder.path / f"manifest-{number + 1:04}.json"
        _publish(path, as_json(content).encode())
    plan.unlink()
    return Export(path, content, removed, withdrawn, is_new)


def _was_exported_to(folder: Path) -> bool:
    return folder.is_dir() and ((folder / _PLAN).exists() or _last_manifest(folder)[0] is not None)


def _last_manifest(folder: Path) -> tuple[Path | None, int]:
    """Return the newest manifest, and the highest number that a name has, be it a manifest or not."""
    numbers = {int(found[1]): path for path in folder.iterdir() if (found := NUMBERED_MANIFEST.fullmatch(path.name))}
    manifests = [number for number, path in numbers.items() if path.is_file() and not path.is_symlink()]
    return numbers[max(manifests)] if manifests else None, max(numbers, default=0)


def _read_own(db: sqlite3.Connection, path: Path) -> Manifest:
    """Read a manifest of this ledger's: every review in it is in the ledger, where none is ever deleted.

    Raise UsageError where it is another's, or names files that no export writes.
    """
    manifest = read(path)
    for file in (*(entry.file for entry in manifest.entries), *manifest.changed):
        if not is_exported_name(file):
            raise UsageError(f"{path} names {file!r}, which no export writes: give another folder")
    rows = db.execute("SELECT sha256, reviewer, at FROM review").fetchall()
    known = {(sha256, by, iso_utc(at)) for sha256, by, at in rows}
    foreign = [entry for entry in manifest.entries if (entry.sha256, *_said(entry)) not in known]
    if foreign:
        raise UsageError(
            f"{path}: {count_of(len(foreign), 'photo')}, such as {foreign[0].file}, got the label in another ledger "
            "than this one (--state), and would lose it: give another folder, or the state that was exported there"
        )
    return manifest


def _said(entry: ManifestEntry) -> tuple[str, str]:
    word = entry.word if isinstance(entry.word, dict) else {}  # anything may stand in a file
    return str(word.get("by")), str(word.get("at"))


def _list_labels(db: sqlite3.Connection) -> list[Review]:
    """Return the reviews that stand and have a label, oldest first; none of photos that only a model file has."""
    standing = (found.review for found in list_standing_reviews(db, ""))
    return [review for review in standing if review.label is not None and not review.is_of_training_photo]


def _list_photos(db: sqlite3.Connection, former: Collection[ManifestEntry]) -> list[_Photo]:
    """Return the photos that have a label; former: what exports before may have written."""
    models = dict(db.execute("SELECT id, name FROM model").fetchall())
    reviews, photos = _list_labels(db), list[_Photo]()
    labels = [*(entry.label for entry in former), *(review.label or "" for review in reviews)]
    folders = name_label_folders(labels, {entry.label: entry.file.partition("/")[0] for entry in former})
    for review in reviews:
        label, word = review.label or "", _describe(review, models)
        entry = ManifestEntry(name_exported_file(review, folders[label]), label, review.sha256, 0, word=word)
        photos.append(_Photo(entry, review))
    return photos


def _write_photos(
    db: sqlite3.Connection,
    inbox: Path,
    folder: ExportFolder,
    photos: Sequence[_Photo],
    former: Mapping[str, ManifestEntry],
    *,
    hardlink: bool,
    track: Track,
) -> tuple[Manifest, set[str]]:
    """Write photos that have a label; return them, and the files that are not written as somebody has changed them.

    former: the files that exports before may have written, by name.
    """
    places = defaultdict[str, list[str]](list)
    for entry in former.values():
        places[entry.sha256].append(entry.file)
    withdrawn = folder.list_withdrawn()
    entries, left_out, changed = list[ManifestEntry](), list[tuple[str, str]](), set[str]()
    for photo in track(photos, "exporting"):
        entry, sha256 = photo.entry, photo.entry.sha256
        there = folder.read_digest(entry.file)
        if there not in (None, sha256):
            changed.add(entry.file)
            continue
        size: int | None
        if there == sha256:
            size = (folder.path / entry.file).lstat().st_size
        else:
            size = _write_from_inbox(db, inbox, folder, entry, hardlink=hardlink)
        if size is None:  # the photo has gone from the inbox, and perhaps got another label since
            elsewhere = [*places[sha256], *filter(None, [withdrawn.get(sha256[:12])])]
            size = next(
                (folder.move(file, entry.file) for file in elsewhere if folder.read_digest(file) == sha256), None
            )
        if size is None:
            reason = f"{entry.label}, by {photo.review.by}: the photo has gone, or has changed"
            left_out.append((shown_name(photo.review.path), reason))
        else:
            entries.append(replace(entry, size=size))
    return Manifest(_sorted(entries), tuple(sorted(left_out))), changed


def _sorted(entries: Iterable[ManifestEntry]) -> tuple[ManifestEntry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.file.encode()))


def _describe(review: Review, models: dict[int, str]) -> dict[str, object]:
    """Return what is known of a label: who gave it, and what the model had guessed."""
    model = None if review.model_id is None else models.get(review.model_id)
    return {
        "by": review.by,
        "at": iso_utc(review.at),
        "verdict": review.verdict,
        "guess": {"label": review.model_label, "score": review.model_score, "model": model},
    }


def _write_from_inbox(
    db: sqlite3.Connection, inbox: Path, folder: ExportFolder, entry: ManifestEntry, *, hardlink: bool
) -> int | None:
    """Write a photo from the first file in the inbox that has its content; return its size, None where none has."""
    for source in _open_copies(db, inbox, entry.sha256):
        size = folder.write(entry.file, source, entry.sha256, hardlink=hardlink)
        if size is not None:
            return size
    return None


def _open_copies(db: sqlite3.Connection, inbox: Path, sha256: str) -> Iterator[int]:
    """Open one after the other the files in the inbox that had a content when they were classified."""
    for path in list_present_paths(db, sha256):
        try:
            with open_root(inbox) as root:
                source = open_beneath(root, path)
        except (OSError, ValueError, OutsideError, NotAFileError):
            continue
        with os.fdopen(source, "rb", buffering=0) as file:
            yield file.fileno()


def _is_in_inbox(db: sqlite3.Connection, inbox: Path, sha256: str) -> bool:
    for source in _open_copies(db, inbox, sha256):
        with os.fdopen(source, "rb", closefd=False) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                return True
    return False


def _remove_former(
    db: sqlite3.Connection,
    inbox: Path,
    folder: ExportFolder,
    former: Mapping[str, ManifestEntry],
    content: Manifest,
    changed: set[str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take the files that are not part of this export out of their labels; return those deleted, and those moved.

    A file is deleted only where its photo is in the inbox or elsewhere in the export. Those that somebody has changed
    stay and are added to changed.
    """
    removed, withdrawn = list[str](), list[str]()
    exported = {entry.sha256 for entry in content.entries}
    for name in sorted(former.keys() - {entry.file for entry in content.entries} - changed):
        sha256, there = former[name].sha256, folder.read_digest(name)
        if there is None:
            continue
        if there != sha256:
            changed.add(name)
        elif sha256 in exported or _is_in_inbox(db, inbox, sha256):
            folder.remove(name)
            removed.append(name)
        else:
            withdrawn.append(folder.withdraw(name, sha256))
    return tuple(removed), tuple(withdrawn)


def _still_there(folder: ExportFolder, changed: set[str], content: Manifest) -> tuple[str, ...]:
    names = changed - {entry.file for entry in content.entries}
    return tuple(sorted(name for name in names if folder.read_digest(name) is not None))


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
        "withdrawn": list(export.withdrawn),
        "kept": list(export.content.changed),
    }
