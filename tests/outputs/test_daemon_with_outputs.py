"""A daemon with outputs: what it, its page, its metrics and the commands beside it say of them."""

import json
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dogid.outputs.output import Delivery
from dogid.outputs.store import OutputStore
from tests.outputs.support import NOON
from tests.support.daemon import DaemonProcess, dogid
from tests.support.http_client import Reply, fetch, fetch_page
from tests.support.photos import photo, put
from tests.support.waiting import eventually

OUTPUTS = """
name = "barn"
[outputs.good]
type = "command"
command = ["tee", "-a", "{log}"]
[outputs.bad]
type = "command"
command = ["sh", "-c", "exit 75"]
[[rule]]
name = "dogs"
to = ["good", "bad"]
"""


@pytest.fixture(scope="module")
def barn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon with an output that works and one that does not, which has classified a photo."""
    folder = tmp_path_factory.mktemp("barn")
    (folder / "inbox").mkdir()
    (folder / "dogid.toml").write_text(OUTPUTS.format(log=folder / "got"))
    daemon = DaemonProcess(folder / "inbox", folder / "state", "--config", str(folder / "dogid.toml"))
    try:
        daemon.start()
        put(folder / "inbox" / "a.jpg", photo(1))
        eventually(lambda: _states(daemon)["bad"]["failed"] and _states(daemon)["good"]["sent"], "both were tried")
        yield daemon
    finally:
        daemon.close()


def _states(daemon: DaemonProcess) -> dict[str, dict[str, object]]:
    return {state["name"]: state for state in daemon.status()["outputs"]}


def _read(daemon: DaemonProcess, path: str) -> str:
    with urllib.request.urlopen(daemon.url + path) as answer:
        return str(answer.read().decode())


def test_state_of_outputs_is_shown_everywhere(barn: DaemonProcess) -> None:
    assert barn.status()["name"] == "barn"
    good, bad = _states(barn)["good"], _states(barn)["bad"]
    assert (good["ok"], good["backlog"], bad["ok"], bad["backlog"]) == (True, 0, False, 1)
    metrics = _read(barn, "metrics")
    assert 'dogid_output_ok{output="bad",type="command"} 0.0' in metrics
    assert 'dogid_output_sent_total{output="good",type="command"} 1.0' in metrics
    assert "<bdi>bad</bdi>" in fetch_page(barn.url, "/status")
    # without the settings of the daemon
    eventually(lambda: "1 of 2 in order" in barn.command("status").stdout, "dogid status has their state")
    assert "output bad (command) has failed since" in barn.command("status").stdout
    listed = barn.command("outputs", "--json")
    assert listed.returncode == 1
    assert [state["name"] for state in json.loads(listed.stdout)["outputs"]] == ["good", "bad"]


def test_test_message_is_sent_by_the_daemon(barn: DaemonProcess) -> None:
    assert barn.command("outputs", "test", "good").returncode == 0
    lines = [json.loads(line) for line in Path(barn.flags[1]).with_name("got").read_text().splitlines() if line]
    assert [line["test"] for line in lines] == [False, True]
    failed = barn.command("outputs", "test", "bad")
    assert failed.returncode == 1
    assert "output bad: " in failed.stderr
    assert "Traceback" not in failed.stderr


def test_what_was_refused_is_listed_and_sent_again(barn: DaemonProcess) -> None:
    (result,) = barn.results()
    with closing(OutputStore(barn.state)) as store:
        for number in range(7):
            store.park("good", Delivery(f"again-{number}", 1, "event", result, 5, "dogs"), "404: wrong path", NOON)
    status = barn.command("status").stdout
    assert "0 of 2 in order" in status
    assert "7 refused: 404: wrong path" in status
    page = fetch_page(barn.url, "/status")
    assert "404: wrong path" in page
    assert "Discard 7 refused deliveries" in page
    assert 'dogid_output_parked{output="good",type="command"} 7.0' in _read(barn, "metrics")
    listed = barn.command("outputs")
    assert "REFUSED" in listed.stdout
    assert "output good refused a.jpg at 2023-11-14T22:13:20.000Z: 404: wrong path" in listed.stderr
    assert "refused 2 others" in listed.stderr
    good, _ = json.loads(barn.command("outputs", "--json").stdout)["outputs"]
    assert [each["id"] for each in good["refused"]] == [f"again-{number}" for number in reversed(range(7))]
    assert good["refused"][0]["reason"] == "404: wrong path"
    done = barn.command("outputs", "retry", "good")
    assert (done.returncode, done.stdout) == (0, "output good: 7 refused deliveries are sent again\n")
    log = Path(barn.flags[1]).with_name("got")
    eventually(lambda: "again-6" in log.read_text(), "they arrive")
    eventually(lambda: _states(barn)["good"]["ok"], "it is in order")
    assert barn.command("outputs", "discard", "fone").returncode == 1


def test_page_sends_again_or_forgets_what_was_refused(barn: DaemonProcess) -> None:
    log = Path(barn.flags[1]).with_name("got")
    for action, number in (("retry", 1), ("discard", 2)):
        with closing(OutputStore(barn.state)) as store:
            delivery = Delivery(f"page-{number}", 1, "event", barn.results()[0], 5, "dogs")
            store.park("good", delivery, "404: wrong path", NOON)
        assert _send_form(barn, action, "good", Origin="http://evil.example").status == 403
        assert _states(barn)["good"]["parked"] == 1
        assert _send_form(barn, action, "good").headers["Location"] == "/status#outputs"
        eventually(lambda: _states(barn)["good"]["ok"], "nothing is refused any more")
    eventually(lambda: "page-1" in log.read_text(), "what was sent again arrives")
    assert "page-2" not in log.read_text()
    assert "no such output" in _send_form(barn, "retry", "ugly").body.decode()
    assert _send_form(barn, "burn", "good").status == 400


def _send_form(daemon: DaemonProcess, action: str, output: str, **headers: str) -> Reply:
    sent = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded", **headers}
    body = f"action={action}&output={output}".encode()
    return fetch(daemon.url, "/page/outputs", method="POST", body=body, headers=sent)


def test_commands_beside_it_go_by_its_settings(barn: DaemonProcess) -> None:
    tried = json.loads(barn.command("rules", "test", "--json").stdout)
    assert [(event["rule"], event["to"]) for event in tried["events"]] == [("dogs", ["good", "bad"])]
    checked = json.loads(barn.command("check", "--json").stdout)["checks"]
    details = {check["name"]: check["detail"] for check in checked}
    assert details["rules"] == "dogs"
    assert "output good" in details
    assert details["port"] == f"127.0.0.1 port {urlsplit(barn.url).port}: used by the running daemon"


def test_way_to_reload_is_printed(barn: DaemonProcess) -> None:
    assert f"dogid.toml; after a change: kill -HUP {barn.pid}" in barn.log_text()
    assert f"kill -HUP {barn.pid}" in barn.command("outputs", "test", "ugly").stderr


def test_reload_with_wrong_rules_keeps_the_former(barn: DaemonProcess) -> None:
    config = Path(barn.flags[1])
    right = config.read_text()
    config.write_text(right.replace('to = ["good", "bad"]', 'to = ["goood"]'))
    barn.send(signal.SIGHUP)
    barn.wait_for_log("rule.1.to: there is no output named 'goood'")
    sent = _states(barn)["good"]["sent"]
    checked = dogid("check", *barn.flags, "--inbox", str(barn.inbox), "--state", str(barn.state))
    assert checked.returncode == 1
    assert "rule.1.to: there is no output named 'goood'" in checked.stdout
    put(barn.inbox / "b.jpg", photo(2))
    eventually(lambda: _states(barn)["good"]["sent"] == sent + 1, "the former rules go on")  # type: ignore[operator]
    config.write_text(right)


def test_wrong_output_keeps_the_daemon_from_starting(tmp_path: Path) -> None:
    config = tmp_path / "dogid.toml"
    config.write_text('[outputs.x]\ntype = "comand"\n')
    folders = ("--inbox", str(tmp_path / "inbox"), "--state", str(tmp_path / "state"))
    done = dogid("run", "--config", str(config), *folders, "--port", "0")
    assert done.returncode == 2
    assert "outputs.x.type: there is no output of the type 'comand'; known are" in done.stderr
