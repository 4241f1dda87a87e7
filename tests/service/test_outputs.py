"""Outputs of the service: what its sandbox forbids and the drop-ins that allow it, credentials, programs, files."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.service.service import CONFIG, Service
from tests.support.daemon import ROOT
from tests.support.photos import photo

ADDRESS = "192.0.2.1"  # TEST-NET-1 of RFC 5737, on the machine's own loopback device: to the service, another host
RECEIVED = "/srv/test/received"
RECEIVER = f"""
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open("{RECEIVED}", "ab") as file:
            file.write(self.headers["webhook-signature"].encode() + b" " + body + b"\\n")
        self.send_response(204)
        self.end_headers()

http.server.HTTPServer(("{ADDRESS}", 8080), Handler).serve_forever()
"""
SETTINGS = f"""
[outputs.hook]
type = "webhook"
url = "http://{ADDRESS}:8080/"
secret_file = "/etc/dogid/credentials/hook"
timeout = 1
all = true

[outputs.program]
type = "command"
command = ["/bin/sh", "-c", "cat >seen; env >environment; touch /etc/dogid/written 2>refused || true"]
all = true
"""

FOLDERS = {"log": "/srv/test", "table": "/srv/my dogs", "words": "/srv/test/words", "photos": "/home/dogs"}
FILES = """
[outputs.log]
type = "jsonl"
path = "/srv/test/log.jsonl"
[outputs.table]
type = "csv"
path = "/srv/my dogs/table.csv"
[outputs.words]
type = "sidecar"
folder = "/srv/test/words"
[outputs.photos]
type = "sort"
folder = "/home/dogs"
"""


@pytest.fixture
def receiver(service: Service) -> Iterator[Service]:
    machine = service.machine
    machine.run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
    machine.write("/srv/test/receiver.py", RECEIVER)
    machine.run("systemd-run", "--quiet", "--unit=receiver", "/usr/bin/python3", "-I", "/srv/test/receiver.py")
    machine.write("/etc/dogid/credentials/hook", f"whsec_{'A' * 40}", 0o600)
    service.configure(SETTINGS)
    machine.run("systemctl", "restart", "dogid")
    yield service
    machine.run("systemctl", "stop", "receiver")
    machine.run("rm", "-rf", "/etc/dogid/credentials/hook", "/var/lib/dogid/outputs", "/var/lib/dogid/outputs.db")
    machine.run("ip", "address", "del", f"{ADDRESS}/32", "dev", "lo")


def state_of(service: Service, name: str) -> dict[str, Any]:
    states: list[dict[str, Any]] = service.machine.get("/status")["outputs"]
    return next(state for state in states if state["name"] == name)


@pytest.mark.stopped
def test_outputs_reach_other_hosts_by_the_drop_in(receiver: Service) -> None:
    machine = receiver.machine
    receiver.photo("rex.jpg", photo(1))
    receiver.wait_for_results("rex.jpg")

    error = receiver.eventually(lambda: state_of(receiver, "hook")["error"], "the webhook is blocked")
    assert "the service may communicate with this machine only; the drop-in outputs.conf" in error["message"]

    machine.write("/etc/systemd/system/dogid.service.d/outputs.conf", (ROOT / "systemd" / "outputs.conf").read_text())
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "dogid")
    receiver.eventually(lambda: state_of(receiver, "hook")["sent"] == 1, "the webhook arrives")
    signature, _, body = machine.read(RECEIVED).partition(" ")
    assert signature.startswith("v1,")
    assert '"file":"rex.jpg"' in body


@pytest.mark.stopped
def test_program_runs_within_the_sandbox(receiver: Service) -> None:
    receiver.photo("rex.jpg", photo(1))
    receiver.eventually(lambda: state_of(receiver, "program")["sent"] == 1, "the program has run")

    folder = "/var/lib/dogid/outputs/program"
    assert '"file": "rex.jpg"' in receiver.machine.read(f"{folder}/seen")
    assert "CREDENTIALS_DIRECTORY" not in receiver.machine.read(f"{folder}/environment")
    assert "Read-only file system" in receiver.machine.read(f"{folder}/refused")


def checked(service: Service) -> dict[str, tuple[bool, str]]:
    """What `sudo dogid check` says of each output: whether it will work, and why not."""
    command = ["/usr/local/bin/dogid", "check", "--json", "--config", CONFIG]
    found = json.loads(service.machine.run(*command, check=False).stdout)["checks"]
    names = {f"output {name}": name for name in FOLDERS}
    return {names[item["name"]]: (item["ok"], item["detail"]) for item in found if item["name"] in names}


@pytest.mark.stopped
def test_files_are_written_by_the_lines_that_errors_name(service: Service) -> None:
    machine = service.machine
    for folder in FOLDERS.values():
        machine.run("install", "-d", "-o", "dogid", folder)
    service.configure(FILES)
    machine.run("systemctl", "restart", "dogid")
    service.photo("rex.jpg", photo(1))
    errors = {
        name: service.eventually(lambda name=name: state_of(service, name)["error"], f"{name} is kept from writing")
        for name in FOLDERS
    }
    found, lines = checked(service), set[str]()
    for name, folder in FOLDERS.items():
        error, (ok, detail) = errors[name], found[name]
        assert not ok
        assert error["message"].startswith(folder)
        assert detail.partition(": ")[2] in error["message"]
        lines.add(detail.partition("sudo systemctl edit dogid, with [Service] and ")[2])
    assert lines == {
        "ReadWritePaths=-/srv/test",
        'ReadWritePaths="-/srv/my dogs"',
        "ReadWritePaths=-/srv/test/words",
        "BindPaths=/home/dogs:/srv/dogs",
    }

    machine.write(CONFIG, machine.read(CONFIG).replace("/home/dogs", "/srv/dogs"))
    service.drop_in(*lines)
    for name in FOLDERS:
        service.eventually(lambda name=name: state_of(service, name)["sent"] == 1, f"{name} is written")
    label = json.loads(machine.read("/srv/test/log.jsonl"))["result"]["label"]
    assert "rex.jpg" in machine.read("/srv/my dogs/table.csv")
    assert label in machine.read("/srv/test/words/rex.jpg.xmp")
    machine.run("test", "-f", f"/home/dogs/{label}/rex.jpg")
    assert {name: detail for name, (ok, detail) in checked(service).items() if not ok} == {}

    machine.run("chown", "root:", "/srv/my dogs")
    assert checked(service)["table"] == (
        False,
        "/srv/my dogs: Permission denied: give the user dogid the right to write there",
    )
    machine.run("rm", "-rf", "/srv/my dogs", "/srv/dogs", "/home/dogs", "/var/lib/dogid/outputs.db")
