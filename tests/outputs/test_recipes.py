"""The page about outputs: its recipes are typed and run, all in one daemon, with receivers on this machine."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier

from dogid.outputs.table import OutputTable
from tests.outputs.http_receiver import Receiver, receiving, reply
from tests.outputs.mail_receiver import MailReceiver, receiving_mail
from tests.support.daemon import ROOT, DaemonProcess, environment
from tests.support.photos import photo, put
from tests.support.waiting import eventually

PAGE = (ROOT / "daemon" / "OUTPUTS.md").read_text()
_ELSEWHERE = ("Home Assistant", "Node-RED by MQTT", "Grafana and Prometheus")  # with a broker, with a Prometheus
RECIPES = "\n### ".join(
    recipe
    for recipe in PAGE.split("\n## Recipes\n")[1].split("\n## A kind of your own\n")[0].split("\n### ")
    if recipe.partition("\n")[0] not in _ELSEWHERE
)
OWN_KIND = PAGE.split("\n## A kind of your own\n")[1]
_SHELL = 'sudo() { "$@"; }\nsystemctl() { :; }\ndogid() { "$PYTHON" -m dogid "$@"; }\nset -euo pipefail\n'

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl (apt install openssl)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page's recipes have been followed."""

    folder: Path
    daemon: DaemonProcess
    services: Receiver
    """ntfy and Node-RED."""
    mailbox: MailReceiver

    def file(self, path: str) -> Path:
        """Where a path of the page is here."""
        return Path(_moved(path, self.folder))

    def type(self, commands: str) -> str:
        """Type console commands, as the page has them; return what they print."""
        typed = "\n".join(line.removeprefix("$ ") for line in commands.splitlines())
        variables = {**environment(), "PYTHON": sys.executable, "DOGID_INBOX": str(self.daemon.inbox)}
        variables |= {"DOGID_STATE": str(self.daemon.state), "HOME": str(self.folder)}
        done = subprocess.run(
            ["bash", "-c", _SHELL + typed], env=variables, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{typed}\n{done.stdout}{done.stderr}"
        return done.stdout


def _moved(text: str, folder: Path) -> str:
    return re.sub(r"/(?=etc/dogid|srv/dogs|usr/local/bin|var/lib/dogid|dev/ttyUSB0)", f"{folder}/", text)


def _blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "inbox").mkdir()
    with ExitStack() as opened:
        services = opened.enter_context(receiving(reply(200, b"{}")))
        mailbox = opened.enter_context(receiving_mail())
        here = {
            "ntfys://ntfy.sh/": services.url.replace("http:", "ntfy:"),
            "mailtos://you:app-password@mail.example.org": f"mailto://127.0.0.1:{mailbox.port}/",
            "http://nodered.local:1880/": services.url,
            '"pug"': '"other"',  # what the tests' photos are
            " -o dogid ": " ",  # there is no such user here
        }

        def local(text: str) -> str:
            for theirs, ours in here.items():
                text = text.replace(theirs, ours)
            return _moved(text, folder)

        config = folder / "dogid.toml"
        config.write_text("\n".join(map(local, [*_blocks(RECIPES, "toml"), *_blocks(OWN_KIND, "toml")[1:]])))
        site = _install_own_kind(folder / "site")
        # by day, as one of the recipes is silent at night
        noon = f"NOON{datetime.now(UTC).hour - 12:+d}"
        sources = os.pathsep.join([environment()["PYTHONPATH"], str(site)])
        environ = {"PYTHONPATH": sources, "TZ": noon}
        daemon = DaemonProcess(folder / "inbox", folder / "state", "--config", str(config), environ=environ)
        made = Place(folder, daemon, services, mailbox)
        put(folder / "dev" / "ttyUSB0", b"")
        for script in _blocks(RECIPES, "python"):
            put(made.file("/usr/local/bin/keep-newest"), script.encode())
        for commands in _blocks(RECIPES, "console"):
            if not _needs_results(commands):
                made.type(local(commands))
        daemon.start()
        opened.callback(daemon.close)
        put(daemon.inbox / "gate" / "rex.jpg", photo(1))
        daemon.wait_for_answer("gate/rex.jpg")
        yield made


def _needs_results(commands: str) -> bool:
    return "dogid export" in commands or "dogid sort" in commands


def _install_own_kind(site: Path) -> Path:
    """Put the page's package where Python finds it, as pip would."""
    project = tomllib.loads(_blocks(OWN_KIND, "toml")[0])["project"]
    points = project["entry-points"]["dogid.outputs"]
    put(site / "dogid_lamp.py", _blocks(OWN_KIND, "python")[0].encode())
    metadata = site / f"dogid_lamp-{project['version']}.dist-info"
    lines = ["[dogid.outputs]", *(f"{name} = {target}" for name, target in points.items())]
    put(metadata / "entry_points.txt", "\n".join(lines).encode())
    about = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}", ""]
    put(metadata / "METADATA", "\n".join(about).encode())
    return site


def test_phone_gets_the_photo(place: Place) -> None:
    request = eventually(
        lambda: next((one for one in place.services.requests if one.path.startswith("/dogs-7f3a9c51?")), None),
        lambda: f"the phone's service gets a message: {place.daemon.status()['outputs']}",
    )
    assert "title=other" in request.path
    assert request.body[:2] == b"\xff\xd8"


def test_mail_arrives(place: Place) -> None:
    [mail] = eventually(lambda: place.mailbox.mails, lambda: f"mail arrives: {place.daemon.status()['outputs']}")

    assert mail["subject"] == "other at gate"
    assert mail["to"] == "you@example.org"


def test_node_red_can_verify_the_result(place: Place) -> None:
    request = eventually(
        lambda: next((one for one in place.services.requests if one.path == "/dogid"), None), "Node-RED gets a result"
    )
    secret = place.file("/etc/dogid/credentials/nodered").read_text().strip()

    assert Verifier(secret).verify(request.body, request.headers)["data"]["result"]["label"] == "other"


def test_own_program_keeps_the_newest(place: Place) -> None:
    kept = place.folder / "state" / "outputs" / "newest" / "other.jpg"

    eventually(kept.exists, lambda: f"the picture is kept: {place.daemon.status()['outputs']}")


def test_kind_of_another_package_is_found_and_used(place: Place) -> None:
    port = place.file("/dev/ttyUSB0")

    eventually(lambda: port.read_text() == "on other\n", lambda: f"the lamp is on: {place.daemon.status()['outputs']}")


def test_exports_and_folders_are_written(place: Place) -> None:
    for commands in filter(_needs_results, _blocks(RECIPES, "console")):
        place.type(commands)

    assert "gate/rex.jpg" in (place.folder / "results.csv").read_text()
    assert (place.folder / "camera-traps" / "datapackage.json").exists()
    assert [file.name for file in (place.folder / "by-label" / "other").iterdir()] == ["rex.jpg"]


def test_folders_and_spreadsheet_fill_by_themselves(place: Place) -> None:
    folder, table = place.file("/srv/dogs/by-label"), place.file("/srv/dogs/results.csv")

    eventually((folder / "other").exists, lambda: f"the photo is sorted: {place.daemon.status()['outputs']}")
    eventually(table.exists, lambda: f"the table is written: {place.daemon.status()['outputs']}")
    eventually(lambda: "gate/rex.jpg" in table.read_text(), "the table has the photo")


def test_settings_and_placeholders_are_all_on_the_page() -> None:
    from dogid.outputs import command, notify, webhook
    from dogid.outputs.files import record_output, sort
    from dogid.outputs.files.folder_output import FolderTable
    from dogid.outputs.message_template import PLACEHOLDERS
    from dogid.outputs.mqtt.configuration import MqttTable
    from dogid.outputs.rules import _RuleTable

    tables: dict[str, list[type[OutputTable]]] = {
        "Rules": [_RuleTable],
        "webhook": [webhook._Table],
        "notify": [notify._Table],
        "command": [command._Table],
        "mqtt": [MqttTable],
        "jsonl, csv, sidecar, sort": [record_output._Table, FolderTable, sort._Table],
    }
    for title, described in tables.items():
        section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
        named = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]*)", section, re.MULTILINE))))
        assert named == {name for table in described for name in table.__struct_fields__}
    assert {name for name in PLACEHOLDERS if f"{{{name}}}" not in PAGE} == set()
