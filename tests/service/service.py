"""dogid as a service on a test machine."""

import time
from collections.abc import Sequence
from typing import Any

from tests.service import lab_coverage
from tests.service.machine import Machine
from tests.support.daemon import ROOT
from tests.support.waiting import TIMEOUT, eventually

INBOX = "/var/lib/dogid/inbox"
STATE = "/var/lib/dogid"
CONFIG = "/etc/dogid/dogid.toml"
LEFT_BEHIND = ("/opt/dogid", "/etc/dogid", STATE, "/etc/systemd/system/dogid.service", "/usr/local/bin/dogid")
"""What an installation brings."""
_DROP_INS = "/etc/systemd/system/dogid.service.d"
_KEPT_PROGRAM = "/root/program"
_SOURCES = str(ROOT / "daemon")
_OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/srv/wheels", "PIP_ROOT_USER_ACTION": "ignore"}


class Service:
    """`dogid.service` on a machine, and what tests do with it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.install_log = ""
        self.dry_log = ""
        self.made_by_dry_run: list[str] = []
        self.has_leftovers = False
        self._config = ""

    def dogid(self, *arguments: str, check: bool = True, hidden: str | None = None) -> Any:
        """Run the clone's `dogid`, as root, on the system's Python: what `sudo .venv/bin/dogid` comes to.

        hidden is a folder that is empty for this command only.
        """
        options, path = [], _SOURCES
        if lab_coverage.is_measured():
            options, path = lab_coverage.python_options(), f"{_SOURCES}:{lab_coverage.library()}"
        environ = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **_OFFLINE}
        command = ["/usr/bin/python3", *options, "-m", "dogid", *arguments]
        if hidden is not None:
            hide = 'mount -t tmpfs tmpfs "$0" && exec "$@"'
            command = ["unshare", "--mount", "sh", "-c", hide, hidden, *command]
        return self.machine.run(*command, check=check, environ=environ)

    def reinstall(self, *flags: str, check: bool = True) -> Any:
        """Install it again from the wheel of the clone: pip would take longer to make the same one once more."""
        wheel = self.machine.run("sh", "-c", "echo /srv/wheels/dogid-*.whl").stdout.strip()
        return self.dogid("service", "install", "--from", wheel, *flags, check=check)

    def keep_program(self) -> None:
        """Keep links to the program, for put_back_program after an uninstallation."""
        self.machine.run("cp", "-al", "/opt/dogid", _KEPT_PROGRAM)

    def put_back_program(self) -> None:
        """Have a reinstallation begin with the former program: pip would make the same once more."""
        self.machine.run("mv", _KEPT_PROGRAM, "/opt/dogid")

    def start(self) -> None:
        """Have it run, and remember its settings."""
        self.machine.run("systemctl", "reset-failed", "dogid", check=False)
        self.machine.run("systemctl", "start", "dogid")
        self._config = self._config or self.machine.read(CONFIG)

    def stop(self) -> None:
        """Have it rest, as if it had never failed."""
        self.machine.run("systemctl", "stop", "dogid")
        self.machine.run("systemctl", "reset-failed", "dogid", check=False)

    def restore(self) -> None:
        """Undo what a test has changed: settings, drop-ins, photos."""
        made = f"{INBOX}/* {STATE}/ledger.db* {STATE}/models /srv/test"
        drop_ins = f"[ ! -d {_DROP_INS} ] || {{ rm -r {_DROP_INS} && systemctl daemon-reload; }}"
        self.machine.run("sh", "-c", f"systemctl stop dogid; rm -rf {made}; {drop_ins}")
        self.reset_settings()
        self.has_leftovers = False

    def reset_settings(self) -> None:
        """Write the settings again that it was installed with."""
        self.machine.write(CONFIG, self._config)

    def drop_in(self, *lines: str, wait: bool = True) -> None:
        """Add lines to the unit's [Service] section and restart it; wait: until it has started."""
        self.machine.write(f"{_DROP_INS}/test.conf", "\n".join(["[Service]", *lines, ""]))
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "restart", *([] if wait else ["--no-block"]), "dogid")

    def configure(self, line: str) -> None:
        """Add a line to the settings."""
        self.machine.write(CONFIG, f"{self.machine.read(CONFIG)}\n{line}\n")

    def photo(self, name: str, data: bytes) -> None:
        """Have the visitor copy a photo in, with an umask that shuts all others out."""
        self.machine.run_as("visitor", f"umask 077 && cat >'{INBOX}/{name}'", stdin=data)

    def photos(self, names: Sequence[str], data: bytes) -> list[str]:
        """Have root move a folder of copies of a photo into the inbox, a backlog at once; return their names there."""
        self.machine.write(f"{STATE}/one.jpg", data)
        copy = f'mkdir {STATE}/backlog && cd {STATE}/backlog && tee -- "$@" <../one.jpg >/dev/null'
        self.machine.run("sh", "-c", f"{copy} && mv {STATE}/backlog {INBOX}/", "photos", *names)
        return [f"backlog/{name}" for name in names]

    @property
    def pid(self) -> int:
        """Its main process, as the machine counts."""
        return int(self.machine.show("dogid", "MainPID"))

    @property
    def is_active(self) -> bool:
        """Whether systemd calls it active."""
        return self.machine.show("dogid", "ActiveState") == "active"

    @property
    def restarts(self) -> int:
        """How often systemd has restarted it by itself."""
        return int(self.machine.show("dogid", "NRestarts"))

    def results(self) -> dict[str, dict[str, Any]]:
        """Current results by file name; none while it does not answer."""
        found: list[dict[str, Any]] = []
        following: str | None = "/results?limit=1000"
        while following:
            page = self.machine.get(following)
            if page is None:
                return {}
            found += page["results"]
            following = page["next"]
        named = {result["file"]: result for result in found}
        assert len(named) == len(found), "a file has two current results"
        return named

    def count_files(self) -> int:
        """How many files are in the inbox and its folders."""
        return self.machine.run("find", INBOX, "-type", "f").stdout.count("\n")

    def counts(self) -> dict[str, int]:
        """How many photos are in which state."""
        counts: dict[str, int] = self.machine.get("/status")["counts"]
        return counts

    def wait_for_results(self, *names: str, status: str = "classified") -> dict[str, dict[str, Any]]:
        """Wait until all these files have a result of this status; return all results."""

        def ask() -> dict[str, dict[str, Any]] | None:
            document = self.machine.get("/status")  # first: a list of hundreds of results costs more
            if document is None or document["counts"].get(status, 0) < len(names):
                return None
            found = self.results()
            return found if all(found.get(name, {}).get("status") == status for name in names) else None

        try:
            return eventually(ask, f"{names[:3]}... are {status}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.machine.messages()[-4000:]}") from None

    def audit(self, photos: int) -> None:
        """The audit, as the service's user, must find so many photos and no problem."""
        said = self.machine.run("runuser", "-u", "dogid", "--", "dogid", "audit", "--json").stdout
        assert said.strip() == f'{{"clean": true, "photos": {photos}, "lost": [], "counted_twice": []}}'

    def took(self, *command: str) -> float:
        """Run a command inside and return the seconds it took, for the test's record: nothing depends on them."""
        began = time.monotonic()
        self.machine.run(*command)
        return time.monotonic() - began

    def eventually(self, true: Any, what: str) -> Any:
        """Wait until something is true; fail with the journal's end."""
        try:
            return eventually(true, what, TIMEOUT * 2)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.machine.messages()[-4000:]}") from None
