"""A real daemon, as a process of its own, on folders of the test's."""

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

from dogid.ledger.audit import audit
from dogid.ledger.database import open_for_reading
from tests.support.expected_scores import expected_scores
from tests.support.own_commands import SHORT, run_here
from tests.support.waiting import TIMEOUT, eventually

ROOT = Path(__file__).resolve().parents[2]
_NOTED_LATE = timedelta(milliseconds=100)  # at most, the time of a scan's end is taken after it
_COVERAGE_SECONDS = 20  # to write down what a daemon ran through
_ADDRESS = re.compile(rb"results at (http://\S+?/)results")

Result = dict[str, Any]


def environment() -> dict[str, str]:
    """Return this process's environment with the sources on the path, and no settings of dogid's in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DOGID_")}
    sources = [str(ROOT / "daemon"), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(sources), "PYTHONUNBUFFERED": "1"}


class DaemonProcess:
    """`dogid run` on an inbox and a state folder; start and stop it as often as a test needs."""

    def __init__(
        self,
        inbox: Path,
        state: Path,
        *flags: str,
        before: Sequence[str] = (),
        python: str = sys.executable,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Settings as flags; before is a command that starts ours, as `setpriv` does."""
        self.inbox = inbox
        self.state = state
        self.flags = flags
        self.before = before
        self.python = python
        self.environ = environ or {}
        self.log = state.parent / f"{state.name}.log"
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "DaemonProcess":
        """Start, and wait until it answers."""
        self.launch()
        found = eventually(self._address, "the daemon says where it answers")
        self.url = found.decode()
        return self

    def launch(self) -> None:
        """Start, and wait for nothing."""
        assert self._process is None, "it runs already"
        command = [*self.before, self.python, "-m", "dogid", "run", "--port", "0"]
        command += ["--inbox", str(self.inbox), "--state", str(self.state), *self.flags]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env={**environment(), **self.environ}, stdout=log, stderr=log, start_new_session=True
            )

    def lives_until(self, done: Callable[[], bool]) -> bool:
        """Wait until done is true, once the daemon answers; return false where it ends before that."""

        def outcome() -> str:
            assert self._process is not None
            if self._process.poll() is not None:
                return "ended"
            match = _ADDRESS.search(self.log.read_bytes())
            self.url = match[1].decode() if match else ""
            try:
                return "done" if self.url and done() else ""
            except (OSError, HTTPException):  # it ends while it is asked
                return ""

        found = eventually(outcome, "the daemon ends, or does what is waited for")
        if found == "ended":
            self._process = None
        return found == "done"

    def _address(self) -> bytes | None:
        assert self._process is not None
        text = self.log.read_bytes()
        if self._process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self._process.returncode}:\n{text.decode(errors='replace')}")
        match = _ADDRESS.search(text)
        return match[1] if match else None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> int:
        """End it politely; return its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit status."""
        assert self._process is not None
        status = self._process.wait(TIMEOUT)
        self._process = None
        return status

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        process, self._process = self._process, None
        if process.poll() is None:
            process.send_signal(number)
            process.send_signal(signal.SIGCONT)
        return process.wait(TIMEOUT)

    def close(self) -> None:
        """End it if it runs."""
        if self._process is not None and "COVERAGE_PROCESS_CONFIG" in os.environ:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.send_signal(signal.SIGTERM)  # killed, it would not write down what it ran through
                self._process.wait(_COVERAGE_SECONDS)
        if self._process is not None:
            self.kill()

    def log_text(self) -> str:
        """All that it has logged since its last start."""
        return self.log.read_text(errors="replace")

    def wait_for_log(self, text: str) -> None:
        """Wait until it has logged a text; a result is known before it is logged."""
        eventually(lambda: text in self.log_text(), lambda: f"{text!r} is logged; log:\n{self.log_text()[-3000:]}")

    def get(self, path: str) -> Any:
        """Ask over HTTP; return the JSON."""
        with urllib.request.urlopen(urllib.parse.urljoin(self.url, path), timeout=TIMEOUT) as response:
            return json.load(response)

    def status(self) -> dict[str, Any]:
        """GET /status."""
        document: dict[str, Any] = self.get("/status")
        return document

    def results(self) -> list[Result]:
        """All current results, newest first."""
        found: list[Result] = []
        following: str | None = "/results?limit=1000"
        while following:
            page = self.get(following)
            found += page["results"]
            following = page["next"]
        return found

    def results_by_name(self) -> dict[str, Result]:
        """Current results by file name; fails where a name has two."""
        found = self.results()
        named = {result["file"]: result for result in found}
        assert len(named) == len(found), "a file has two current results"
        return named

    def history(self, result: Result) -> list[dict[str, Any]]:
        """All that happened to a result's photo, newest first."""
        steps: list[dict[str, Any]] = []
        following = f"/results/{result['id']}"
        while following:
            page = self.get(following)
            steps += page["history"]
            following = page["next"]
        return steps

    def wait_for_answer(self, name: str) -> Result:
        """Wait until a file has been classified or has failed; return its result."""
        return self.wait_for_status(name, "classified", "failed")

    def wait_for_status(self, name: str, *statuses: str) -> Result:
        """Wait until a file's result has one of these statuses; return it."""

        def ask() -> Result | None:
            result = self.results_by_name().get(name)
            return result if result is not None and result["status"] in statuses else None

        return eventually(ask, lambda: f"{name!r} is {' or '.join(statuses)}; log:\n{self.log_text()[-3000:]}")

    def wait_for_pending(self, name: str, code: str) -> Result:
        """Wait until a file is pending with this error code; return its result."""

        def ask() -> Result | None:
            result = self.results_by_name().get(name)
            waiting = result is not None and result["status"] == "pending" and result["error"] is not None
            return result if waiting and result is not None and result["error"]["code"] == code else None

        return eventually(ask, f"{name!r} waits for {code}")

    def wait_for_classified(self, name: str, data: bytes) -> Result:
        """Wait until a file's result is that of these very bytes, and the right one; return it."""
        digest = hashlib.sha256(data).hexdigest()

        def ask() -> Result | None:
            result = self.results_by_name().get(name)
            is_of_them = result is not None and result["sha256"] == digest and result["status"] != "pending"
            return result if is_of_them else None

        result = eventually(ask, lambda: f"{name!r} has the result of its bytes; log:\n{self.log_text()[-3000:]}")
        assert result["status"] == "classified"
        assert result["scores"] == expected_scores(data)
        return result

    def wait_for_failed(self, name: str, code: str) -> Result:
        """Wait until a file has failed, with this code; return its result."""
        result = self.wait_for_status(name, "failed")
        assert result["error"]["code"] == code
        return result

    def wait_for_all_answers(self, count: int) -> list[Result]:
        """Wait until so many files have their answer and none is pending; return the results, newest first."""

        def ask() -> list[Result]:
            counts = self.status()["counts"]
            if counts["pending"] or counts["classified"] + counts["failed"] != count:
                return []
            found = self.results()  # may be newer than the counts
            return found if len(found) == count and all(result["status"] != "pending" for result in found) else []

        return eventually(ask, lambda: f"{count} files are answered; counts {self.status()['counts']}")

    def wait_for_next_scan(self) -> None:
        """Wait for the end of a scan that has begun after this call."""
        called = datetime.now(UTC) + _NOTED_LATE

        def ask() -> bool:
            watcher = self.status()["watcher"]
            if watcher["last_scan"] is None or watcher["last_scan_seconds"] is None:
                return False
            noted = datetime.fromisoformat(watcher["last_scan"])
            return noted - timedelta(seconds=watcher["last_scan_seconds"]) > called

        eventually(ask, "the inbox is scanned again")

    def command(self, *args: str, timeout: float = TIMEOUT) -> "subprocess.CompletedProcess[str]":
        """Run `dogid ARGS...` on the same folders, short ones in this process; return what it printed."""
        words = (*args, "--inbox", str(self.inbox), "--state", str(self.state))
        return run_here(*words) if args[0] in SHORT else dogid(*words, timeout=timeout)

    def audit(self) -> dict[str, Any]:
        """`dogid audit --json`; its exit status must agree with what it says."""
        done = self.command("audit", "--json")
        document: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if document["clean"] else 1)
        return document

    def wait_for_clean_audit(self, photos: int | None = None) -> None:
        """Wait until the audit finds so many photos, none lost, none counted twice: in this process, which is cheap.

        Without a number, as many as there are files in the inbox that are not hidden.
        """
        if photos is None:
            found_files = (path for path in self.inbox.rglob("*") if path.is_file() and not path.name.startswith("."))
            photos = sum(1 for _ in found_files)
        clean = {"clean": True, "photos": photos, "lost": [], "counted_twice": []}
        found: dict[str, Any] = {}

        def ask() -> bool:
            with contextlib.closing(open_for_reading(self.state)) as db:
                found.update(audit(db, self.inbox.absolute()).document())
            return found == clean

        eventually(ask, lambda: f"the audit is clean with {photos} photos: {found}")


def dogid(*args: str, timeout: float = TIMEOUT) -> "subprocess.CompletedProcess[str]":
    """Run `dogid ARGS...`; return its exit status and output."""
    return subprocess.run(
        [sys.executable, "-m", "dogid", *args],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
