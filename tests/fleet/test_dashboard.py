"""The dashboard for Grafana and the example for Prometheus, with a real Prometheus that reads two daemons."""

import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.daemon import ROOT, DaemonProcess
from tests.support.photos import photo, put
from tests.support.ports import claim_port
from tests.support.waiting import TIMEOUT, eventually

FOLDER = ROOT / "systemd" / "grafana"
DASHBOARD = json.loads((FOLDER / "dogid.json").read_bytes())
TOKEN = "0123456789abcdef" * 2
SETTINGS = """
[thresholds]
"pug" = 0.5
[outputs.away]
type = "webhook"
url = "http://127.0.0.1:{port}/"
all = true
"""


def _queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression is now."""
        path = f"{self.url}/api/v1/query?{urlencode({'query': expression})}"
        with urllib.request.urlopen(path, timeout=TIMEOUT) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus with the settings of the example, but for their addresses, that reads the daemons barn and gate."""
    program = shutil.which("prometheus")
    if program is None:
        without = pytest.fail if "prometheus" in os.environ.get("DOGID_TESTS_NEED", "") else pytest.skip
        without("there is no Prometheus: sudo apt install prometheus")
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "dogid-token").write_text(TOKEN)
    daemons = [_make_daemon(folder, name) for name in ("barn", "gate")]
    try:
        for daemon in daemons:
            daemon.start()
        targets = ", ".join(f'"{daemon.url.split("/")[2]}"' for daemon in daemons)
        _type_recipe(folder)
        text = (folder / "etc" / "prometheus" / "prometheus.yml").read_text()
        text = text.replace("/etc/prometheus/", f"{folder}/etc/prometheus/")
        text = re.sub(r"targets: \[.*\]", f"targets: [{targets}]", text).replace("30s", "500ms")
        (folder / "prometheus.yml").write_text(
            text.replace("interval: 500ms", "interval: 500ms\n    scrape_timeout: 500ms")
        )
        port = claim_port()
        flags = [f"--config.file={folder}/prometheus.yml", f"--web.listen-address=127.0.0.1:{port}"]
        with (folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen([program, *flags, f"--storage.tsdb.path={folder}/data"], stdout=log, stderr=log)
        try:
            made = Prometheus(f"http://127.0.0.1:{port}")
            eventually(lambda: _has_read(made, len(daemons)), lambda: (folder / "prometheus.log").read_text()[-2000:])
            for daemon in daemons:  # only what happens between two readings has a rate
                put(daemon.inbox / "after.jpg", photo(7))
            yield made
        finally:
            process.kill()
            process.wait()
    finally:
        for daemon in daemons:
            daemon.close()


def _type_recipe(folder: Path) -> None:
    """Type what the page about outputs says, with folder in the place of the root."""
    recipe = (ROOT / "daemon" / "OUTPUTS.md").read_text().split("\n### Grafana and Prometheus\n")[1].split("\n### ")[0]
    (commands,) = re.findall(r"```console\n(.*?)```", recipe, re.DOTALL)
    typed = commands.replace("\n$ ", "\n").removeprefix("$ ").replace(" -g prometheus ", " ")
    typed = typed.replace("/etc/", f"{folder}/etc/").replace("systemd/grafana/", f"{FOLDER}/")
    script = f'sudo() {{ "$@"; }}; systemctl() {{ :; }}; set -euo pipefail\n{typed}'
    subprocess.run(["bash", "-c", script], check=True, cwd=folder, capture_output=True)


def _make_daemon(folder: Path, name: str) -> DaemonProcess:
    home = folder / name
    put(home / "inbox" / "yard" / "before.jpg", photo(len(name)))
    (home / "dogid.toml").write_text(SETTINGS.replace("{port}", str(claim_port())))
    flags = ("--name", name, "--token-file", str(folder / "dogid-token"), "--config", str(home / "dogid.toml"))
    return DaemonProcess(home / "inbox", home / "state", *flags)


def _has_read(prometheus: Prometheus, count: int) -> bool:
    """Return whether so many daemons were read with a result."""
    try:
        return len(prometheus.query("sum by (instance) (dogid_results_total)")) == count
    except OSError:
        return False


def test_each_query_of_the_dashboard_has_data_of_both_daemons(prometheus: Prometheus) -> None:
    for expression in _queries():
        asked = expression.replace("$__rate_interval", "10m").replace("$daemon", ".*")

        def both_have_data(asked: str = asked) -> bool:
            found = prometheus.query(asked)
            names = {
                series["metric"].get("name") or series["metric"].get("instance") or "all"
                for series in found
                if series["value"][1] != "NaN"
            }
            return len(names) == 2 or ("by (label)" in asked and bool(names))

        eventually(both_have_data, f"{asked} has data of both")
    asked = 'dogid_healthy * on (instance, job) group_left (name) dogid_info{name=~"barn"}'
    one = eventually(lambda: prometheus.query(asked), "it has the chosen daemon")
    assert [series["metric"]["name"] for series in one] == ["barn"]


def test_dashboard_names_no_data_source_and_no_machine_of_its_own() -> None:
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${datasource}"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all("$daemon" in query for query in _queries())
