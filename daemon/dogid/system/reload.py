"""`python -m dogid.system.reload PID`: have a daemon reload and wait for the outcome, for systemd's ExecReload.

A signal has no reply, so the daemon writes the outcome to a file in its runtime folder.
"""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dogid.system.atomic_files import write_atomically

log = logging.getLogger(__name__)

_FILE = "reload.json"
_POLL_SECONDS = 0.05
_MODE = 0o640  # a rejection names files and settings


def record_reload_outcome(rejection: str | None, environ: Mapping[str, str] = os.environ) -> None:
    """Write the outcome of a reload: why it was rejected, or None. Do nothing where there is no runtime folder."""
    path = _outcome_file(environ)
    if path is None:
        return
    number = _read(path).get("number", 0) + 1
    try:
        write_atomically(path, json.dumps({"number": number, "rejection": rejection}).encode(), _MODE)
    except OSError as error:
        log.warning("cannot write the outcome of the reload: %s", error)  # no reason to end the daemon


def main() -> int:
    """Reload the daemon whose process id is given; return 0, or 1 where it was rejected. systemd limits the wait."""
    path = _outcome_file(os.environ)
    before = _read(path).get("number", 0) if path else 0
    os.kill(int(sys.argv[1]), signal.SIGHUP)
    while path is not None:
        outcome = _read(path)
        if outcome.get("number", 0) > before:
            return 0 if outcome["rejection"] is None else 1
        time.sleep(_POLL_SECONDS)
    return 0


def _outcome_file(environ: Mapping[str, str]) -> Path | None:
    folder = environ.get("RUNTIME_DIRECTORY")
    return Path(folder) / _FILE if folder else None


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document


if __name__ == "__main__":
    # a stop ends the wait too; to die of that signal would turn a clean stop into a failure
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.exit(main())
