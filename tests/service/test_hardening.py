"""Every line of the unit that shuts something is in force: what it forbids is tried from inside."""

import json
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.machine import Machine
from tests.service.probe import PROBES
from tests.service.service import Service
from tests.support.daemon import ROOT

UNITS = [ROOT / "systemd" / name for name in ("dogid.service", "dogid@.service")]
UNIT = UNITS[0].read_text()
PROBE = "/srv/test/probe.py"
TEST_ADDRESS = "192.0.2.1"  # TEST-NET-1 of RFC 5737, on the machine's own loopback device

ACCEPTED = {
    "CPUWeight": "20",
    "IOWeight": "20",
    "MemoryHigh": None,
    "MemoryMax": None,
    "TasksMax": "256",
    "OOMPolicy": "continue",
}
"""Lines that the kernel's controllers keep, and what systemd must show of them (None: some number of bytes). They are
also tried where the controllers are there; a test machine in a container has none."""

NOT_TRIED = {
    "ProcSubset": "relaxed",
    "IPAddressAllow": "opens, for this machine only",
    "Group": "with User",
    "RemoveIPC": "with PrivateIPC the objects go with the namespace",
    "SystemCallErrorNumber": "all probes of system calls show it: without it they would end the process",
    **dict.fromkeys(ACCEPTED, "shares and limits: see ACCEPTED"),
}
"""Lines without a probe, and why."""

WORKINGS = frozenset(
    {
        *(
            "Type",
            "NotifyAccess",
            "ExecStart",
            "ExecReload",
            "StateDirectory",
            "StateDirectoryMode",
            "RuntimeDirectory",
            "ConfigurationDirectory",
            "ConfigurationDirectoryMode",
        ),
        *("WatchdogSec", "TimeoutStartSec", "TimeoutStopSec", "Restart", "RestartSec", "RestartPreventExitStatus"),
        *("RestartSteps", "RestartMaxDelaySec"),
    }
)
"""Lines that say how to run it, not what to shut."""

AS_USER = frozenset({"ProtectProc"})
"""Lines that mean nothing to root."""


def lines(text: str = UNIT) -> list[tuple[str, str]]:
    """The lines of the unit's [Service] section: name and value."""
    section = text.partition("[Service]\n")[2].partition("\n[")[0]
    pairs = [line.partition("=")[::2] for line in section.splitlines() if line and not line.startswith("#")]
    return [(name, value) for name, value in pairs]


SHUT = [(name, value) for name, value in lines() if name not in WORKINGS and name not in NOT_TRIED]


def probes_of(name: str, value: str) -> list[str]:
    if name != "SystemCallFilter" or not value.startswith("~"):
        return [name]
    return [f"SystemCallFilter=~{group}" for group in value[1:].split()]


@pytest.fixture(scope="module")
def machine(installed: Service) -> Iterator[Machine]:
    """The machine with everything in place that the probes look for, and dogid itself at rest."""
    machine = installed.machine
    installed.stop()
    machine.write(PROBE, (Path(__file__).with_name("probe.py")).read_text())
    spaces = {name: machine.run("readlink", f"/proc/1/ns/{name}").stdout.strip() for name in ("ipc", "mnt", "user")}
    machine.write("/srv/test/spaces.json", json.dumps(spaces))
    for path in ("/tmp/probe", "/home/visitor/probe", "/usr/lib/modules/probe", "/etc/dogid/credentials/token"):
        machine.write(path, "here-is-nothing-of-interest", 0o600 if "token" in path else 0o644)
    machine.run("mknod", "-m", "666", "/dev/probe", "c", "1", "3")
    machine.run("ip", "address", "add", f"{TEST_ADDRESS}/32", "dev", "lo")
    yield machine
    machine.run("sh", "-c", "rm -f /tmp/probe /home/visitor/probe /usr/lib/modules/probe /dev/probe")
    machine.run("rm", "-f", "/etc/dogid/credentials/token")
    machine.run("ip", "address", "del", f"{TEST_ADDRESS}/32", "dev", "lo")
    installed.restore()


@pytest.fixture(scope="module")
def inside(machine: Machine) -> dict[str, bool]:
    """What the probes can do inside the unit as it is."""
    drop = {"ExecReload", "WatchdogSec", "Restart", "RestartPreventExitStatus", "RuntimeDirectory", "NotifyAccess"}
    kept = [f"{name}={value}" for name, value in lines() if name not in drop and name not in ("Type", "ExecStart")]
    start = f"ExecStart=/usr/bin/python3 -I {PROBE} {' '.join(tried())}"
    text = "\n".join(["[Service]", "Type=oneshot", start, "StandardOutput=truncate:/srv/test/report.json", *kept, ""])
    machine.write("/run/systemd/system/probe.service", text)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "probe.service")
    report: dict[str, bool] = json.loads(machine.read("/srv/test/report.json"))
    return report


def tried() -> list[str]:
    """The probes that can be tried on this processor."""
    foreign = {"SystemCallArchitectures"} if platform.machine() != "x86_64" else set()
    return [f"{name}" for name in PROBES if name not in foreign]


def attempt(machine: Machine, probe: str, *properties: str) -> bool:
    """Try one probe in a service that has these lines only."""
    chosen = [f"--property={text}" for text in properties]
    report = "/srv/test/one.json"
    output = f"--property=StandardOutput=truncate:{report}"
    machine.run("systemd-run", "--quiet", "--wait", *chosen, output, "/usr/bin/python3", "-I", PROBE, probe)
    document: dict[str, bool] = json.loads(machine.read(report))
    return document[probe]


def test_every_restriction_has_a_probe() -> None:
    wanted = {probe for name, value in SHUT for probe in probes_of(name, value)}

    assert wanted == set(PROBES)
    assert set(NOT_TRIED) <= {name for name, _ in lines()}


def test_unit_forbids_every_probe(inside: dict[str, bool]) -> None:
    assert {name for name, able in inside.items() if able} == set()


def test_every_probe_works_without_the_unit(machine: Machine) -> None:
    command = ["systemd-run", "--quiet", "--wait", "--property=StandardOutput=truncate:/srv/test/bare.json"]
    machine.run(*command, "/usr/bin/python3", "-I", PROBE, *tried())

    report = json.loads(machine.read("/srv/test/bare.json"))
    assert {name for name, able in report.items() if not able} == set()


@pytest.mark.long
@pytest.mark.parametrize(("name", "value"), SHUT, ids=[f"{name}={value}" for name, value in SHUT])
def test_single_restriction_is_effective(machine: Machine, name: str, value: str) -> None:
    user = ["User=dogid"] if name in AS_USER else []
    error = ["SystemCallErrorNumber=EPERM"] if name == "SystemCallFilter" else []
    for probe in probes_of(name, value):
        if probe in tried():
            assert not attempt(machine, probe, f"{name}={value}", *user, *error)
            assert not user or attempt(machine, probe, *user)


@pytest.mark.parametrize("name", ACCEPTED)
def test_systemd_accepts_share_or_limit(installed: Service, name: str) -> None:
    shown, expected = installed.machine.show("dogid", name), ACCEPTED[name]

    assert shown == expected if expected else shown.isdecimal()


@pytest.mark.parametrize(
    ("controller", "line", "script"),
    [
        ("memory", f"MemoryMax={64 << 20}", f"bytearray({256 << 20})"),
        (
            "pids",
            "TasksMax=8",
            "import threading as t; e = t.Event(); [t.Thread(target=e.wait).start() for _ in '0' * 9]",
        ),
    ],
)
def test_resource_limit_is_enforced(machine: Machine, controller: str, line: str, script: str) -> None:
    if controller not in machine.read("/sys/fs/cgroup/cgroup.controllers").split():
        pytest.skip(f"the machine around has no {controller} controller to give")
    command = ["systemd-run", "--quiet", "--wait", "--property=RuntimeMaxSec=20", "--property=MemorySwapMax=0"]
    tried = machine.run(*command, f"--property={line}", "/usr/bin/python3", "-c", script, check=False)

    assert tried.returncode != 0


@pytest.mark.stopped
def test_service_starts_without_credentials_folder(service: Service) -> None:
    service.machine.run("rm", "-rf", "/etc/dogid/credentials")
    service.machine.run("systemctl", "restart", "dogid")

    assert service.is_active
    assert service.machine.run("stat", "-c", "%a", "/etc/dogid/credentials").stdout == "700\n"
    service.machine.run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/dogid.conf")
    assert service.machine.run("stat", "-c", "%U", "/etc/dogid/credentials").stdout == "root\n"


@pytest.mark.stopped
def test_token_is_readable_by_daemon_only(service: Service) -> None:
    service.machine.write("/etc/dogid/credentials/token", "secret-but-long-enough", 0o600)
    service.machine.run("systemctl", "restart", "dogid")
    try:
        folder = f"/proc/{service.pid}/root/run/credentials/dogid.service"

        assert service.machine.run("ls", folder).stdout == "dogid_token\n"
        assert service.machine.run("stat", "-c", "%U %a", f"{folder}/dogid_token").stdout == "dogid 400\n"
        with pytest.raises(AssertionError, match="Permission denied"):
            service.machine.run_as("visitor", "cat /etc/dogid/credentials/token")
    finally:
        service.machine.run("rm", "/etc/dogid/credentials/token")


def test_instance_unit_differs_only_in_names() -> None:
    instance = lines(UNITS[1].read_text())
    named = [(name, value.replace("/%i.toml", "/dogid.toml").replace("-%i", "")) for name, value in instance]

    assert named == lines()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_exposure_is_at_most_1_3(unit: object) -> None:
    if subprocess.run(["systemd-analyze", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("needs systemd-analyze")
    done = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=13", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_systemd_verifies_units_without_warning(installed: Service) -> None:
    units = ["/etc/systemd/system/dogid.service", "dogid@garden.service"]
    done = installed.machine.run("systemd-analyze", "verify", *units)
    unknown = re.compile(r"Unknown key '(RestartSteps|RestartMaxDelaySec)'")  # before systemd 254

    assert [line for line in (done.stdout + done.stderr).splitlines() if not unknown.search(line)] == []
