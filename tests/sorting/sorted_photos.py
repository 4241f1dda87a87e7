"""Photos with answers, and what a sorted folder has of them, for the tests of sorting."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from dogid.cli import main
from dogid.ledger.outcomes import Classified, Timings
from tests.ledger.ledger_folder import Inbox


def classify(inbox: Inbox, name: str, label: str = "pug", content: str | None = None) -> int:
    """Put a file into the inbox, with a result; return its id."""
    data = (content or name).encode()
    path = inbox.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    inbox.observe(name)
    (job,) = (job for job in inbox.ledger.claim(99, ()) if job.path == name.encode())
    digest = sha256(data).hexdigest()
    made = Classified(job, job.version, digest, 64, 48, {label: 0.75}, inbox.model_id, Timings(1, 2, 4))
    inbox.ledger.record([replace(made)])
    return job.id


def sort(inbox: Inbox, *flags: str | Path) -> int:
    return main(["sort", *map(str, flags), "--inbox", str(inbox.folder), "--state", str(inbox.state)])


def contents(folder: Path) -> dict[str, str]:
    """All files of a sorted folder but dogid's own, with their contents."""
    files = (path for path in folder.rglob("*") if not path.is_dir() and path.parent != folder)
    return {str(path.relative_to(folder)): path.read_text() for path in files}
