"""Where the parts of an installed service lie, and where its packaged files come from."""

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
class Places:
    """Where one service keeps what is its own: the main one, or an instance."""

    instance: str | None = None

    def __post_init__(self) -> None:
        if self.instance is not None and not _INSTANCE.fullmatch(self.instance):
            raise UsageError(
                f"--instance {self.instance}: must be small letters, digits, - and _, at most 32, not - or _ first"
            )

    @property
    def unit(self) -> str:
        """The systemd unit."""
        return "dogid.service" if self.instance is None else f"dogid@{self.instance}.service"

    @property
    def name(self) -> str:
        """What its files are called."""
        return "dogid" if self.instance is None else f"dogid-{self.instance}"

    @property
    def drop_ins(self) -> Path:
        """Where `systemctl edit` and lan.conf change the unit."""
        return UNITS / f"{self.unit}.d"

    @property
    def config(self) -> Path:
        """Its settings."""
        return CONFIG_DIR / f"{self.instance or 'dogid'}.toml"

    @property
    def state(self) -> Path:
        """Its ledger's folder."""
        return Path("/var/lib") / self.name

    @property
    def inbox(self) -> Path:
        """Where photos are copied to."""
        return self.state / "inbox"

    @property
    def tmpfiles(self) -> Path:
        """How systemd-tmpfiles makes its folders."""
        return TMPFILES / f"{self.name}.conf"


def instances() -> list[str]:
    """Names of the further services that are set up or enabled here, or run."""
    units = [path.name for path in UNITS.glob("*.wants/dogid@*.service")] + units_in_use()
    named = {unit.partition("@")[2].removesuffix(".service") for unit in units}
    return sorted(named | {path.stem.removeprefix("dogid-") for path in TMPFILES.glob("dogid-*.conf")})


def units_in_use() -> list[str]:
    """The further services that run, or have failed: what an upgrade of the program must start anew."""
    states = "--state=active,activating,reloading,deactivating,failed"
    listed = ["systemctl", "list-units", "--plain", "--no-legend", states, "dogid@*.service"]
    try:
        done = subprocess.run(listed, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return []
    return [line.split()[0] for line in done.stdout.splitlines() if line.strip()]


def is_ours(path: Path) -> bool:
    """Whether a command starts the program that lies below our prefix."""
    try:
        return f"{VENV}/bin/dogid".encode() in path.read_bytes()
    except OSError:
        return False


def is_debian_package() -> bool:
    """Whether dpkg has put the program here; after a removal it may still know of the settings."""
    try:
        return f"{VENV}/bin/dogid\n" in _DPKG_LIST.read_text(encoding="utf-8")
    except OSError:
        return False


def packaged(name: str) -> str:
    """Return the text of a file of systemd/, from the clone that runs or the installation. Raise UsageError."""
    for folder in (_CLONE / "systemd", Path(sys.prefix) / "share" / "dogid" / "systemd"):
        path = folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise UsageError(f"{name} is missing from this installation of dogid; install dogid again")


def lan_conf() -> Path:
    """The drop-in whose head says how the service is opened to a network; it lies where the package or pip put it."""
    examples = Path("/usr/share/doc/dogid/examples")
    return (examples if is_debian_package() else VENV / "share" / "dogid" / "systemd") / "lan.conf"


def what_to_install() -> str:
    """Return what pip is to install: the clone that runs, or this very version from the package index."""
    return str(_CLONE) if (_CLONE / "pyproject.toml").is_file() else f"dogid=={__version__}"
