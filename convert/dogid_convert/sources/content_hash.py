"""Identifying a source by its content."""

import hashlib
from pathlib import Path


def content_sha256(path: Path) -> str:
    """Return the hash of a file in hex, or of a folder's files with their names."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    whole = hashlib.sha256()
    for file in sorted(part for part in path.rglob("*") if part.is_file()):
        whole.update(f"{file.relative_to(path).as_posix()}\0{content_sha256(file)}\n".encode())
    return whole.hexdigest()
