"""What a service should not be able to do, tried from inside: `probe.py NAME... >report.json`.

Runs on the system's bare Python. Each probe returns true where it was able to.
"""

import ctypes
import errno
import json
import mmap
import os
import platform
import resource
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_NOWHERE = ctypes.c_void_p(1)  # the kernel gets as far as this bad address, unless a filter stops it before
_SCHED_FIFO = 1
_CLONE_NEWUTS = 0x04000000
_ADDR_NO_RANDOMIZE = 0x0040000
_SYSCALLS = {
    "x86_64": {"swapon": 167, "chroot": 161, "clock_settime": 227},
    "aarch64": {"swapon": 224, "chroot": 51, "clock_settime": 112},
}
_GETPID_32 = bytes.fromhex("b814000000cd80c3")  # mov eax, 20; int 0x80; ret


def _write(path: str) -> bool:
    try:
        Path(path).write_text("x")
    except OSError:
        return False
    Path(path).unlink()
    return True


def _sees(path: str) -> bool:
    try:
        return bool(Path(path).read_bytes())
    except OSError:
        return False


def _is_of_the_machine(space: str) -> bool:
    """Whether we share a namespace with the machine; the test has written down the machine's."""
    spaces: dict[str, str] = json.loads(Path("/srv/test/spaces.json").read_text())
    return os.readlink(f"/proc/self/ns/{space}") == spaces[space]


def _reaches_kernel(call: Callable[[], int]) -> bool:
    """Whether a call gets to the kernel's own checks."""
    ctypes.set_errno(0)
    return call() == 0 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS)


def _system_call(name: str, *arguments: object) -> bool:
    number = _SYSCALLS[platform.machine()][name]  # glibc's own functions would look at the address first
    return _reaches_kernel(lambda: int(_LIBC.syscall(number, *arguments)))


def _own_status(name: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{name}:"))


def _set_user_id() -> bool:
    with tempfile.NamedTemporaryFile() as file:
        try:
            os.fchmod(file.fileno(), 0o4755)
        except OSError:
            return False
        return True


def _others_may_read() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new"
        path.write_text("x")
        return bool(path.stat().st_mode & 0o007)


def _writable_code() -> bool:
    try:
        mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    except OSError:
        return False
    return True


def _foreign_calls() -> bool:
    """Make a 32-bit system call, in a child: a filter ends whoever tries."""
    child = os.fork()
    if child == 0:
        try:
            code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
            code.write(_GETPID_32)
            address = ctypes.addressof(ctypes.c_char.from_buffer(code))
            os._exit(0 if ctypes.CFUNCTYPE(ctypes.c_int)(address)() == os.getpid() else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _socket(family: int) -> bool:
    try:
        socket.socket(family, socket.SOCK_DGRAM).close()
    except OSError:
        return False
    return True


def _sends_to(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(b"x", (address, 9))
        except OSError:
            return False
        return True


def _makes_folder(path: str) -> bool:
    try:
        os.mkdir(path)
    except OSError:
        return False
    os.rmdir(path)
    return True


def _nice() -> bool:
    try:
        os.nice(1)
    except OSError:
        return False
    return True


PROBES: dict[str, Callable[[], bool]] = {
    "CapabilityBoundingSet": lambda: int(_own_status("CapBnd"), 16) != 0,
    "IPAddressDeny": lambda: _sends_to("192.0.2.1"),
    "LimitCORE": lambda: resource.getrlimit(resource.RLIMIT_CORE)[1] != 0,
    "LimitNOFILE": lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[1] != 4096,
    "LoadCredential": lambda: not _sees(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere") + "/dogid_token"),
    "LockPersonality": lambda: _LIBC.personality(_ADDR_NO_RANDOMIZE) != -1,
    "MemoryDenyWriteExecute": _writable_code,
    "NoNewPrivileges": lambda: _own_status("NoNewPrivs") == "0",
    "OOMScoreAdjust": lambda: Path("/proc/self/oom_score_adj").read_text().strip() != "300",
    "PrivateDevices": lambda: Path("/dev/probe").exists(),
    "PrivateIPC": lambda: _is_of_the_machine("ipc"),
    "PrivateMounts": lambda: _is_of_the_machine("mnt"),
    "PrivateTmp": lambda: _sees("/tmp/probe"),
    "PrivateUsers": lambda: _is_of_the_machine("user"),
    "ProtectClock": lambda: _system_call("clock_settime", 0, _NOWHERE),
    "ProtectControlGroups": lambda: _makes_folder("/sys/fs/cgroup/probe"),
    "ProtectHome": lambda: _sees("/home/visitor/probe"),
    "ProtectHostname": lambda: _reaches_kernel(lambda: int(_LIBC.sethostname(_NOWHERE, 5))),
    "ProtectKernelLogs": lambda: os.stat("/proc/kmsg").st_mode & 0o777 != 0,
    "ProtectKernelModules": lambda: _sees("/usr/lib/modules/probe"),
    "ProtectKernelTunables": lambda: _sees("/proc/kallsyms"),
    "ProtectProc": lambda: _sees("/proc/1/cmdline"),
    "ProtectSystem": lambda: _write("/var/probe"),
    "ReadOnlyPaths": lambda: _write("/var/lib/dogid/inbox/probe.tmp"),
    "RestrictAddressFamilies": lambda: _socket(socket.AF_NETLINK),
    "RestrictNamespaces": lambda: _LIBC.unshare(_CLONE_NEWUTS) == 0,
    "RestrictRealtime": lambda: _reaches_kernel(lambda: int(_LIBC.sched_setscheduler(0, _SCHED_FIFO, _NOWHERE))),
    "RestrictSUIDSGID": _set_user_id,
    "SystemCallArchitectures": _foreign_calls,
    "SystemCallFilter": lambda: _system_call("swapon", _NOWHERE, 0),
    "SystemCallFilter=~@privileged": lambda: _system_call("chroot", _NOWHERE),
    "SystemCallFilter=~@resources": _nice,
    "UMask": _others_may_read,
    "User": lambda: os.geteuid() == 0,
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: PROBES[name]() for name in sys.argv[1:]}))
