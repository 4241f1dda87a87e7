"""Paths of an installed service, and of the files that it is installed from."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dogid import __version__
from dogid.errors import UsageError

PREFIX = Path("/opt/dogid")
VENV = PREFIX / "venv"
CONFIG_DIR = Path("/etc/dogid")
UNITS = Path("/etc/systemd/system")
TMPFILES = Path("/etc/tmpfiles.d")
SYSUSERS = Path("/etc/sysusers.d/dogid.conf")
COMMAND = Path("/usr/local/bin/dogid")
USER = "dogid"
_DPKG_LIST = Path("/var/lib/dpkg/info/dogid.list")
_CLONE = Path(__file__).resolve().parents[3]
_INSTANCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class ServicePaths:
    """Paths and unit of one service: the main one (instance None), or a further instance."""

    instance: str | None = None

    def __post_init__(self) -> None:
        if self.instance is not None and not _INSTANCE.fullmatch(self.instance):
            raise UsageError(
                f"--instance {self.instance}: must be 1 to 32 of a-z, 0-9, - and _, and start with a letter or digit"
            )

    @property
    def unit(self) -> str:
        """The name of the systemd unit."""
        return "dogid.service" if self.instance is None else f"dogid@{self.instance}.service"

    @property
    def name(self) -> str:
        """The stem of its files' and folders' names."""
        return "dogid" if self.instance is None else f"dogid-{self.instance}"

    @property
    def drop_ins(self) -> Path:
        """The folder of the unit's drop-ins: of `systemctl edit`, and for lan.conf."""
        return UNITS / f"{self.unit}.d"

    @property
    def config(self) -> Path:
        """The TOML file with its settings."""
        return CONFIG_DIR / f"{self.instance or 'dogid'}.toml"

    @property
    def state(self) -> Path:
        """Its state folder."""
        return Path("/var/lib") / self.name

    @property
    def inbox(self) -> Path:
        """Its inbox."""
        return self.state / "inbox"

    @property
    def tmpfiles(self) -> Path:
        """The systemd-tmpfiles configuration that creates its folders."""
        return TMPFILES / f"{self.name}.conf"


def list_instances() -> list[str]:
    """Return the names of all further instances that are installed, enabled or running."""
    units = [path.name for path in UNITS.glob("*.wants/dogid@*.service")] + running_instances()
    named = {unit.partition("@")[2].removesuffix(".service") for unit in units}
    return sorted(named | {path.stem.removeprefix("dogid-") for path in TMPFILES.glob("dogid-*.conf")})


def running_instances() -> list[str]:
    """Return the units of further instances that run, or have failed: an upgrade of the program restarts them."""
    states = "--state=active,activating,reloading,deactivating,failed"
    query = ["systemctl", "list-units", "--plain", "--no-legend", states, "dogid@*.service"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return []
    return [line.split()[0] for line in done.stdout.splitlines() if line.strip()]


def is_our_command(path: Path) -> bool:
    """Return whether a file is the command that starts the program below PREFIX."""
    try:
        return f"{VENV}/bin/dogid".encode() in path.read_bytes()
    except OSError:
        return False


def is_debian_package() -> bool:
    """Return whether the Debian package is installed; a removed one may have left its settings."""
    try:
        return f"{VENV}/bin/dogid\n" in _DPKG_LIST.read_text(encoding="utf-8")
    except OSError:
        return False


def packaged_text(name: str) -> str:
    """Return the text of a file of systemd/, from the clone or the installed wheel. Raise UsageError if missing."""
    for folder in (_CLONE / "systemd", Path(sys.prefix) / "share" / "dogid" / "systemd"):
        path = folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise UsageError(f"{name} is missing from this installation of dogid; install dogid again")


def lan_conf() -> Path:
    """Return the path of the example drop-in that opens the service to a network, as dpkg or pip installed it."""
    examples = Path("/usr/share/doc/dogid/examples")
    return (examples if is_debian_package() else VENV / "share" / "dogid" / "systemd") / "lan.conf"


def install_source() -> str:
    """Return what pip installs by default: the clone that runs, or this version from the package index."""
    return str(_CLONE) if (_CLONE / "pyproject.toml").is_file() else f"dogid=={__version__}"
