"""`python -m dogid.system.reload PID`: ask a daemon to reload and wait for what comes of it, for systemd's ExecReload.

A signal brings no answer back, so the daemon leaves one in its runtime folder.
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

log = logging.getLogger(__name__)

_FILE = "reload.json"
_PAUSE_SECONDS = 0.05


def record_outcome(refusal: str | None, environ: Mapping[str, str] = os.environ) -> None:
    """Leave word whether a reload was refused, and why; nothing where there is no runtime folder."""
    path = _answer(environ)
    if path is None:
        return
    number = _read(path).get("number", 0) + 1
    new = path.with_suffix(".new")
    try:
        new.write_text(json.dumps({"number": number, "refusal": refusal}), encoding="utf-8")
        new.replace(path)
    except OSError as error:
        log.warning("the outcome of the reload cannot be noted: %s", error)  # no reason to end the daemon


def main() -> int:
    """Reload the daemon whose process id is given; systemd's own timeout ends the waiting."""
    path = _answer(os.environ)
    before = _read(path).get("number", 0) if path else 0
    os.kill(int(sys.argv[1]), signal.SIGHUP)
    while path is not None:
        answer = _read(path)
        if answer.get("number", 0) > before:
            return 0 if answer["refusal"] is None else 1
        time.sleep(_PAUSE_SECONDS)
    return 0


def _answer(environ: Mapping[str, str]) -> Path | None:
    folder = environ.get("RUNTIME_DIRECTORY")
    return Path(folder) / _FILE if folder else None


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document


if __name__ == "__main__":
    # a stop ends the waiting too; dying of that signal would make a failure of a stop that went well
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.exit(main())
