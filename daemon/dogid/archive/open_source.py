"""The source that a path or a URL names: a folder, a remote folder such as a bucket, or a manifest."""

import os
from pathlib import Path

from dogid.archive.folder import Folder
from dogid.archive.manifest_file import ManifestFile
from dogid.archive.remote import is_url
from dogid.archive.remote_folder import RemoteFolder
from dogid.archive.source import Source
from dogid.errors import UsageError

MANIFESTS = (".parquet", ".csv", ".txt", ".lst", ".list", ".tsv")
"""Endings of files that name photos. Other files are refused: a photo given by mistake is no list of photos."""


def open_source(text: str) -> Source:
    """Return the source that a path or a URL names. Nothing is listed yet. Raise UsageError."""
    if is_url(text):
        return ManifestFile(text) if text.lower().endswith(MANIFESTS) else RemoteFolder(text)
    path = Path(os.path.abspath(text))
    if path.is_dir():
        return Folder(path)
    if not path.exists():
        raise UsageError(f"{text}: there is no such folder or manifest")
    if path.suffix.lower() not in MANIFESTS:
        raise UsageError(
            f"{text}: is neither a folder nor a list of photos, which ends in {', '.join(MANIFESTS)}; single photos:"
            " dogid classify"
        )
    return ManifestFile(str(path))
