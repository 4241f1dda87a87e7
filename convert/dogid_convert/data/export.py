"""Labelled folders of the photos that people have labelled, with a numbered manifest of each export.

The folders are ready for `dogid train`. A manifest is never changed: who labelled what, and what the model had guessed,
at the time of one export. Photos are never changed either, no last copy of one is deleted, and what others have put
into the folders, or changed there, stays.
"""

import errno
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dogid.clock import iso_utc
from dogid.errors import DogidError, UsageError
from dogid.file_names import shown_name
from dogid.ledger.reviews import Review, list_standing_reviews
from dogid.system.atomic_files import write_atomically
from dogid_convert.data.export_folder import ExportFolder
from dogid_convert.data.export_names import name_exported_file, name_label_folders
from dogid_convert.data.former_exports import (
    PLAN,
    find_last_manifest,
    holds_other_files,
    publish,
    read_own,
    was_exported_to,
)
from dogid_convert.data.inbox_copies import is_in_inbox, open_copies
from dogid_convert.data.manifest import Manifest, ManifestEntry, as_json
from dogid_convert.support.progress import Track, untracked


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
    allows it, and not copies. Raise UsageError where folder cannot be used, or another ledger was exported to it, or
    it holds other files and no export; DogidError where it is full, or nothing is labelled and nothing was exported to
    it before.
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
    if holds_other_files(folder):
        raise UsageError(
            f"{folder}: is not empty, and no earlier export: photos of others would be mixed with those of this one; "
            "name a new folder"
        )
    if not _list_labels(db) and not was_exported_to(folder):
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
    path, number = find_last_manifest(folder.path)
    plan = folder.path / PLAN
    before = None if path is None else read_own(db, path)
    former = {} if before is None else {entry.file: entry for entry in before.entries}
    if plan.exists():
        former |= {entry.file: entry for entry in read_own(db, plan).entries}
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
        publish(path, as_json(content).encode())
    plan.unlink()
    return Export(path, content, removed, withdrawn, is_new)


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
    for source in open_copies(db, inbox, entry.sha256):
        size = folder.write(entry.file, source, entry.sha256, hardlink=hardlink)
        if size is not None:
            return size
    return None


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
        elif sha256 in exported or is_in_inbox(db, inbox, sha256):
            folder.remove(name)
            removed.append(name)
        else:
            withdrawn.append(folder.withdraw(name, sha256))
    return tuple(removed), tuple(withdrawn)


def _still_there(folder: ExportFolder, changed: set[str], content: Manifest) -> tuple[str, ...]:
    names = changed - {entry.file for entry in content.entries}
    return tuple(sorted(name for name in names if folder.read_digest(name) is not None))


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
