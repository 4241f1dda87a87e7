"""A machine with a real systemd, for tests: namespaces around a throw-away overlay of this machine's root, or another.

Nothing is downloaded, and nothing outside is written. It boots in about half a second.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tests.service import lab_coverage
from tests.service.network_connection import NetworkConnection
from tests.support.daemon import ROOT
from tests.support.waiting import TIMEOUT, eventually

HERE = Path(__file__).parent
_SYSTEMD = Path("/lib/systemd/systemd")
_TOOLS = ("unshare", "nsenter", "setpriv", "mount", "ip", "dbus-daemon", "systemctl", "journalctl")
_REBOOT = -signal.SIGHUP  # how `unshare` ends when the first process has asked the kernel for a reboot
_ADDRESS = "127.0.0.1:8000"


def why_not() -> str | None:
    """Return why no such machine can be had here, or None."""
    if os.geteuid() != 0:
        return "needs root, to make namespaces and boot a systemd in them"
    if not _SYSTEMD.exists():
        return "needs systemd (apt install systemd)"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)} (apt install util-linux iproute2 dbus)"
    tried = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"may not mount here: {tried.stderr.strip()}" if tried.returncode else None


class Machine:
    """One machine. Its disk lives until `close`, over reboots."""

    def __init__(self, wheels: Path | None = None, disk: Path = Path("/")) -> None:
        """Make its disk; wheels is a folder of this machine's that it will see as /srv/wheels.

        disk is the root folder of a Debian with systemd that it starts with: this machine's, where no other is given.
        """
        self._wheels = wheels

        self._folder = Path(tempfile.mkdtemp(prefix="dogid-machine."))
        self._group: Path | None = None
        self._unshare: subprocess.Popen[bytes] | None = None
        self._init = 0
        # this process holds the mounts: whatever becomes of the tests, they go when it goes
        mount = ["bash", "-euc", _DISK, "disk", str(self._folder), str(disk)]
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--cgroup", "--propagation", "private", *mount],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            raise RuntimeError("the test machine's disk could not be made")
        self.root = Path(f"/proc/{self._holder.pid}/root{self._folder}/root")
        self._groups = Path(f"/proc/{self._holder.pid}/root{self._folder}/cgroup")
        self._is_measured = lab_coverage.is_measured() and disk == Path("/")
        if self._is_measured:
            lab_coverage.install(self.root)

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def boot(self) -> "Machine":
        """Start it, and wait until the boot is over."""
        self._group = self._groups / f"dogid-machine.{self._holder.pid}"
        self._group.mkdir(exist_ok=True)
        # it joins its group first: a cgroup namespace begins at the group that one is in
        join = 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"'
        enter = ["nsenter", "-t", str(self._holder.pid), "--mount", "--cgroup", "bash", "-c", join, "join"]
        own = ["--propagation", "private", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        unshare = ["unshare", *own, "--fork", "--kill-child", "bash", str(HERE / "pid1.sh"), f"{self._folder}/root"]
        brought = [str(self._wheels or ""), str(ROOT)]
        with (self._folder / "boot.log").open("wb") as log:
            self._unshare = subprocess.Popen(
                [*enter, f"{self._folder}/cgroup/{self._group.name}", *unshare, *brought],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._init = eventually(self._first_process, f"the machine starts; {self.boot_log()}")
        eventually(self._has_booted, "the machine has booted", timeout=90)
        return self

    @property
    def inside(self) -> Path:
        """Its root folder with all that is mounted inside, as seen from here."""
        return Path(f"/proc/{self._init}/root")

    def _seen(self, path: str) -> Path:
        """A path inside as seen from here; an absolute link on the way would lead out."""
        return self.inside / path.lstrip("/")

    def boot_log(self) -> str:
        """What was said before there was a journal."""
        return (self._folder / "boot.log").read_text(errors="replace")

    def _first_process(self) -> int | None:
        assert self._unshare is not None
        if self._unshare.poll() is not None:
            raise RuntimeError(f"the machine did not start: {self._unshare.returncode} {self.boot_log()}")
        number = self._unshare.pid
        with contextlib.suppress(OSError, ValueError, IndexError):
            child = int(Path(f"/proc/{number}/task/{number}/children").read_text().split()[0])
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return child
        return None

    def _has_booted(self) -> bool:
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def run(
        self,
        *command: str,
        check: bool = True,
        stdin: bytes | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command inside, as root, and wait for it."""
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8", "HOME": "/root"}
        done = subprocess.run(
            ["nsenter", "-t", str(self._init), *spaces, "--", *command],
            input=stdin,
            capture_output=True,
            env={**variables, **(environ or {})},
            check=False,
        )
        output, errors = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{output}{errors}")
        return subprocess.CompletedProcess(command, done.returncode, output, errors)

    def run_as(self, user: str, script: str, *, stdin: bytes | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a line of shell as a user who has just logged in."""
        return self.run(
            "setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "sh", "-c", script, stdin=stdin
        )

    def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        """Write a file inside, with the folders above it; what was there before is replaced, not written to."""
        file = self._seen(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.touch(mode)
        file.chmod(mode)
        file.write_bytes(data.encode() if isinstance(data, str) else data)

    def read(self, path: str) -> str:
        """Read a file inside."""
        return self._seen(path).read_text(errors="replace")

    def has(self, path: str) -> bool:
        """Whether there is such a file or folder inside."""
        return os.path.lexists(self._seen(path))

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def journal(self, *match: str, unit: str = "dogid") -> list[dict[str, Any]]:
        """The journal's entries of a unit, this boot's."""
        self.run("journalctl", "--sync", check=False)
        done = self.run("journalctl", "-b", "-u", unit, "-o", "json", "--all", "--no-pager", *match, check=False)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def messages(self, *match: str, unit: str = "dogid") -> str:
        """The messages of these entries, a line each."""
        return "\n".join(str(entry.get("MESSAGE")) for entry in self.journal(*match, unit=unit))

    def get(self, path: str, address: str = _ADDRESS) -> Any:
        """Ask the daemon inside over HTTP; None while it does not answer."""
        connection = NetworkConnection(f"/proc/{self._init}/ns/net", address)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()

    def reboot(self) -> None:
        """Restart it as `systemctl reboot` does."""
        self._leave("reboot", _REBOOT)
        self.boot()

    def _leave(self, verb: str, expected: int) -> None:
        assert self._unshare is not None
        self.run("systemctl", verb, check=False)
        status = self._unshare.wait(2 * TIMEOUT)
        self._unshare = None
        assert status == expected, f"systemctl {verb} ended with {status}"

    def close(self) -> None:
        """Power it off, and leave nothing behind."""
        if self._is_measured:
            lab_coverage.collect(self.root)
        if self._unshare is not None and self._unshare.poll() is None:
            if self._init:
                os.kill(self._init, signal.SIGKILL)  # what a test machine has written is of no further use
            else:
                self._unshare.kill()
            self._unshare.wait(30)
        self._remove_group()
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait(30)
        shutil.rmtree(self._folder)

    def _remove_group(self) -> None:
        if self._group is None:
            return
        deadline = time.monotonic() + 10
        while self._group.exists() and time.monotonic() < deadline:
            for folder, _, _ in os.walk(self._group, topdown=False):
                with contextlib.suppress(OSError):  # its last processes may still be going
                    os.rmdir(folder)
            time.sleep(0.02)


_DISK = """
mount -t tmpfs -o mode=700,size=3g tmpfs "$1"
cd "$1"
mkdir upper work root cgroup
chmod 755 upper
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" overlay root
mount -t cgroup2 cgroup2 cgroup
# services of the machine around have no business inside, and neither has a container's ban on starting any
rm -f root/usr/sbin/policy-rc.d
rm -f root/etc/systemd/system/*.wants/*
# each generator would run at every `systemctl daemon-reload`; tests need /etc/fstab alone
mkdir -p root/etc/systemd/system-generators
for generator in root/usr/lib/systemd/system-generators/*; do
  name=$(basename "$generator")
  [ "$name" = systemd-fstab-generator ] || ln -sf /dev/null "root/etc/systemd/system-generators/$name"
done
# nor is anything looked up by `apropos`, whose index dpkg would make anew for each package
rm -f root/var/lib/man-db/auto-update
echo dogid-test >root/etc/hostname
printf '%s\\n' '127.0.0.1 localhost' '127.0.1.1 dogid-test' >root/etc/hosts
: >root/etc/fstab
mkdir -p root/var/log/journal
ln -sf /lib/systemd/system/multi-user.target root/etc/systemd/system/default.target
echo ready
exec cat
"""
