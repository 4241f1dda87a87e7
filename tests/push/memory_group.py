"""A control group with a limit of memory, on a machine of the service's tests, for the service alone.

The kernels that tests run on may have the memory controller in version 1 only, which systemd does not use: then the
unit's own limits have no effect, and the service is moved into this group as its first step.
"""

import os
import threading
from pathlib import Path

from tests.service.machine import Machine

_MOUNT = "/srv/memory-groups"
_PAUSE_SECONDS = 0.02


class MemoryGroup:
    """The group, and the most memory that was in use in it."""

    def __init__(self, machine: Machine, megabytes: int) -> None:
        """Make it; its limit is in MiB."""
        self._machine = machine
        self._path = f"{_MOUNT}/dogid-push.{os.getpid()}"
        machine.run("sh", "-ec", f"mkdir -p {_MOUNT}; mount -t cgroup -o memory memory {_MOUNT}; mkdir {self._path}")
        machine.run("sh", "-ec", f"echo {megabytes << 20} >{self._path}/memory.limit_in_bytes")
        machine.run("sh", "-ec", f"chown -R dogid {self._path}")
        self.peak = 0
        self._folder = Path(f"{machine.inside}{self._path}")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def drop_in(self) -> list[str]:
        """Return the lines of a unit's [Service] by which it runs in this group, and sees it as on a real machine."""
        join = f"echo 0 >{self._path}/cgroup.procs; exec /opt/dogid/venv/bin/dogid run --config /etc/dogid/dogid.toml"
        return [
            "ExecStart=",
            f"ExecStart=/bin/sh -c '{join}'",
            f"ReadWritePaths={_MOUNT}",
            "ProtectControlGroups=no",
            "TemporaryFileSystem=/sys/fs/cgroup",
            f"BindPaths={_MOUNT}:/sys/fs/cgroup/memory",
        ]

    @property
    def kills(self) -> int:
        """How many processes the kernel has ended for lack of memory."""
        lines = (self._folder / "memory.oom_control").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def close(self) -> None:
        """Stop watching and the service, and take the group away."""
        self._stopping.set()
        self._thread.join()
        self._machine.run("systemctl", "stop", "dogid", check=False)
        self._machine.run("rmdir", self._path)

    def _sample(self) -> None:
        while not self._stopping.wait(_PAUSE_SECONDS):
            figures = dict(line.split() for line in (self._folder / "memory.stat").read_text().splitlines())
            self.peak = max(self.peak, int(figures["total_rss"]) + int(figures["total_mapped_file"]))
