"""Making a manifest true again after a run that was interrupted between a plan and its note."""

import os
from dataclasses import replace
from pathlib import Path

from dogid.sorting.manifest import Manifest, PlacedPhoto
from dogid.sorting.placing import Kind, is_ours, kind_of, remove_temporary


def open_manifest(folder: Path) -> Manifest:
    """Open a folder's manifest, made true again after a run that was interrupted. Raise as `Manifest`; OSError."""
    remove_temporary(folder)
    manifest = Manifest(folder)
    try:
        settle_planned(manifest, folder)
    except BaseException:
        manifest.close()
        raise
    return manifest


def settle_planned(manifest: Manifest, folder: Path) -> None:
    """Find out of each photo that was planned whether it was placed, and note that. Raise OSError."""
    for photo in manifest.list_planned():
        _settle(manifest, folder, photo)
    manifest.commit()


def _settle(manifest: Manifest, folder: Path, photo: PlacedPhoto) -> None:
    """Find out whether a photo that was planned was placed."""
    path = folder / photo.path
    if photo.former is None:
        if is_ours(path, photo.kind, photo.sha256, photo.source):
            manifest.write(replace(photo, placed=True))
        else:
            manifest.remove(photo)
        return
    former = folder / photo.former
    if photo.former == photo.path:  # it was being made anew in its place
        kind = kind_of(path, photo.source)
        if kind is None:
            manifest.remove(photo)
            return
        source = os.readlink(os.fsencode(path)) if kind is Kind.SYMLINK else photo.source
        manifest.write(replace(photo, kind=kind, source=source, placed=True, former=None))
    elif not os.path.lexists(former) and os.path.lexists(path):
        manifest.write(replace(photo, placed=True, former=None))
    elif os.path.lexists(path) and os.path.samestat(former.lstat(), path.lstat()):
        former.unlink()  # it had both names when the run ended
        manifest.write(replace(photo, placed=True, former=None))
    elif os.path.lexists(former):
        manifest.write(replace(photo, path=photo.former, placed=True, former=None))
    else:
        manifest.remove(photo)
