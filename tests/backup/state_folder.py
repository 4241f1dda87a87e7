"""State folders that are backed up and restored."""

import zipfile
from hashlib import sha256
from pathlib import Path

from dogid.backup.archive import MANIFEST, ArchivedFile, Manifest
from dogid.backup.restore import Restored, restore_backup
from dogid.backup.write import write_backup
from dogid.ledger.database import FILE_NAME
from tests.ledger.ledger_folder import Inbox
from tests.support.photos import put

SHELF = "models/mine.tflite"
"""A model in the state folder."""


def fill(inbox: Inbox, *names: str) -> None:
    """Put photos of these names into the inbox, and classify them."""
    for name in names:
        put(inbox.folder / name, name.encode())
        inbox.observe(name)
        inbox.classify(inbox.job())


def make_backup(state: Path, folder: Path) -> Path:
    """Back a state folder up into a folder."""
    folder.mkdir(exist_ok=True)
    write_backup(state, folder / "dogid.zip", force=False, on_progress=lambda _: None)
    return folder / "dogid.zip"


def pack(ledger: Path, target: Path) -> Path:
    """Make a backup of a ledger as it is, as a dogid did that did not check it."""
    data = ledger.read_bytes()
    file = ArchivedFile(FILE_NAME, len(data), sha256(data).hexdigest())
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(FILE_NAME, data)
        archive.writestr(MANIFEST, Manifest("2026-01-01T00:00:00Z", "0.1", 0, (file,)).encode())
    return target


def restore(backup: Path, state: Path) -> Restored:
    """Restore a backup."""
    return restore_backup(backup, state, dry_run=False, on_progress=lambda _: None)


def ids(inbox: Inbox) -> list[int]:
    """Return the ids of all photos."""
    return [row[0] for row in inbox.db.execute("SELECT id FROM photo ORDER BY id")]


def flip(path: Path, *places: int) -> None:
    """Damage bytes of a file."""
    data = bytearray(path.read_bytes())
    for place in places:
        data[place] ^= 0xFF
    path.write_bytes(data)
