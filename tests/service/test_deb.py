"""The Debian package: built, installed, upgraded, removed and purged on a machine with a real systemd."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.commands.command_list import COMMANDS
from tests.service.deb_package import BUILD, build
from tests.service.machine import Machine, why_not
from tests.service.service import CONFIG, INBOX, STATE, Service
from tests.support.daemon import ROOT
from tests.support.photos import photo

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")

OLDER = "0.0.1"
LIBRARY = "/opt/dogid/venv/lib"
BYTE_CODE = "/root/byte-code.tar"
WHAT_IS_LEFT = (  # containers of the machine that runs the tests may have a dogid of their own
    "find /etc /var/lib /run /opt '(' -path /var/lib/dpkg -o -path /var/lib/containers ')' -prune"
    " -o -name '*dogid*' -print -prune"
)


@pytest.fixture(scope="module")
def package(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    architecture = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout
    return build(tmp_path_factory.mktemp("deb"), architecture.strip(), wheels=wheels)


@pytest.fixture(scope="module")
def older(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same package under an older version's number.

    Its ledger is of the same make as the newer one's: there has been only one so far.
    """
    folder = tmp_path_factory.mktemp("older")
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(folder / "root")], check=True)
    control = folder / "root" / "DEBIAN" / "control"
    lines = control.read_text().splitlines()
    control.write_text("\n".join(f"Version: {OLDER}" if at.startswith("Version:") else at for at in lines) + "\n")
    pack = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(folder / "root"), str(folder / "older.deb")]
    subprocess.run(pack, check=True, capture_output=True)
    shutil.rmtree(folder / "root")
    return folder / "older.deb"


@pytest.fixture(scope="module")
def machine(package: Path, older: Path) -> Iterator[Machine]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    shutil.copy(package, older.with_name("newer.deb"))
    with Machine(older.parent) as made:
        made.boot()
        made.run("useradd", "--create-home", "--shell", "/bin/sh", "visitor")
        yield made


def dpkg(machine: Machine, *arguments: str) -> str:
    """Run dpkg; return what it and the package's scripts said."""
    done = machine.run("dpkg", *arguments, environ={"DEBIAN_FRONTEND": "noninteractive"})
    return done.stdout + done.stderr


def install(machine: Machine, name: str) -> None:
    """Install a package, in the two steps of `dpkg --install`.

    Between them comes the byte code of the first installation, whose files are the same: compiling them takes as much
    processor time as unpacking.
    """
    dpkg(machine, "--force-confold", "--unpack", f"/srv/wheels/{name}.deb")
    is_first = not machine.has(BYTE_CODE)
    if not is_first:
        assert machine.run("find", LIBRARY, "-name", "*.pyc").stdout == ""
        machine.run("tar", "-xPf", BYTE_CODE)
    dpkg(machine, "--force-confold", "--configure", "dogid")
    if is_first:
        compiled = machine.run("find", LIBRARY, "-name", "*.pyc").stdout
        assert "/dogid/__pycache__/cli." in compiled
        assert "/pygments/lexers/" not in compiled
        machine.run("sh", "-c", f"find {LIBRARY} -name '*.pyc' | tar -cPf {BYTE_CODE} -T -")


def is_active(machine: Machine) -> bool:
    return machine.show("dogid", "ActiveState") == "active"


def has_user(machine: Machine) -> bool:
    return machine.run("getent", "passwd", "dogid", check=False).returncode == 0


def test_package_life_cycle_keeps_only_photos(machine: Machine) -> None:
    service = Service(machine)
    install(machine, "older")
    assert is_active(machine)
    assert machine.run("dpkg", "--verify", "dogid").stdout == ""
    machine.run("usermod", "--append", "--groups", "dogid", "visitor")
    service.photo("first.jpg", photo(1))
    before = service.wait_for_results("first.jpg")
    service.configure("settle = 7")

    machine.run("dogid", "service", "install", "--instance", "garden")
    running = machine.show("dogid@garden", "MainPID")
    install(machine, "newer")
    assert is_active(machine)
    assert machine.show("dogid@garden", "ActiveState") == "active"
    assert machine.show("dogid@garden", "MainPID") != running
    assert "settle = 7" in machine.read(CONFIG)
    service.photo("second.jpg", photo(2))
    assert service.wait_for_results("first.jpg", "second.jpg")["first.jpg"] == before["first.jpg"]

    dpkg(machine, "--remove", "dogid")
    assert not is_active(machine)
    assert machine.show("dogid@garden", "ActiveState") == "inactive"
    assert not machine.has("/opt/dogid")
    assert machine.has(CONFIG)
    install(machine, "newer")
    assert service.wait_for_results("first.jpg", "second.jpg")["first.jpg"] == before["first.jpg"]

    refused = machine.run("dogid", "service", "install", check=False)
    assert refused.returncode == 2
    assert "apt install" in refused.stderr

    assert machine.show("dogid@garden", "ActiveState") == "active"
    manual = machine.run("man", "dogid").stdout
    assert "photo classifier" in manual
    assert [name for name in COMMANDS if name not in manual] == []
    completions = ("bash-completion/completions/dogid", "zsh/vendor-completions/_dogid")
    assert all("retrain" in machine.read(f"/usr/share/{path}") for path in completions)
    machine.write("/var/lib/dogid-garden/inbox/rose.jpg", photo(3))
    machine.write("/etc/systemd/system/dogid@garden.service.d/own.conf", "[Service]\nNice=1\n")
    machine.run("sh", "-c", f"rm -rf {INBOX}/*")

    said = dpkg(machine, "--purge", "dogid")
    assert "your photos are kept in /var/lib/dogid-garden/inbox, and so is the user dogid" in said
    assert has_user(machine)  # whose photos they are
    assert machine.run("sh", "-c", f"{WHAT_IS_LEFT}").stdout.split() == ["/var/lib/dogid-garden"]
    assert machine.run("ls", "-A", "/var/lib/dogid-garden").stdout.split() == ["inbox"]


def test_purge_without_photos_leaves_nothing(machine: Machine) -> None:
    # the script itself: unpacking the whole package once more would show no more
    machine.run("systemd-sysusers", "-", stdin=(ROOT / "systemd" / "sysusers.conf").read_bytes())
    machine.run("systemd-tmpfiles", "--create", "-", stdin=(ROOT / "systemd" / "tmpfiles.conf").read_bytes())
    machine.run("sh", "-c", f"rm -rf {INBOX}/*; touch {STATE}/ledger.db")
    machine.run("sh", "-s", "purge", stdin=(BUILD.parent / "postrm").read_bytes())

    gone = [STATE, "/opt/dogid", "/etc/dogid", "/usr/bin/dogid", "/usr/lib/systemd/system/dogid.service"]
    assert [path for path in gone if machine.has(path)] == []
    assert has_user(machine)  # for the photos of the instance
    machine.run("rm", "-r", "/var/lib/dogid-garden/inbox")
    machine.run("sh", "-s", "purge", stdin=(BUILD.parent / "postrm").read_bytes())
    assert not has_user(machine)


def test_package_refuses_beside_other_installation(machine: Machine) -> None:
    machine.write("/etc/systemd/system/dogid.service", "")
    refused = machine.run("dpkg", "--install", "/srv/wheels/newer.deb", check=False)
    machine.run("rm", "/etc/systemd/system/dogid.service")

    assert refused.returncode != 0
    assert "sudo dogid service uninstall" in refused.stderr
    assert not machine.has("/opt/dogid")


def test_lintian_finds_no_errors(package: Path) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("needs lintian (apt install lintian)")
    ours = "uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball"  # as tests build it
    command = ["lintian", "--allow-root", "--fail-on", "error", "--suppress-tags", ours, str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
