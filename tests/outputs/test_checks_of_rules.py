"""What `dogid check` and `dogid rules test` say of rules, without a daemon."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.outputs.support import OutputRig
from tests.support.daemon import dogid
from tests.support.own_commands import run_here

SETTINGS = """
[outputs.xmp]
type = "sidecar"
folder = "{folder}"
{more}
[[rule]]
name = "cool"
labels = [{labels}]
folders = ["{rule_folder}"]
to = ["xmp"]
[thresholds]
poodl = 0.9
"""


class Place(NamedTuple):
    """A ledger with a photo in the folder gate, and the flags that name it."""

    flags: list[str]
    config: Path
    folder: Path

    def write(self, more: str = "all = false", labels: str = '"pgu", "pug", "unsure"', folder: str = "gate") -> None:
        text = SETTINGS.format(folder=self.folder, more=more, labels=labels, rule_folder=folder)
        self.config.write_text(text)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("rules")
    rig = OutputRig(folder)
    rig.add("gate/a.jpg", "pug")
    rig.close()
    (folder / "sidecars").mkdir()
    config = folder / "dogid.toml"
    flags = ["--config", str(config), "--inbox", str(rig.inbox), "--state", str(rig.state)]
    return Place(flags, config, folder / "sidecars")


def test_check_and_trial_refuse_what_the_daemon_refuses(place: Place) -> None:
    place.write(more="")
    reason = "rule.1.to: the output 'xmp' takes every result, and no events of rules; set `all = false`"
    checked = run_here("check", *place.flags, "--port", "0")
    assert checked.returncode == 1
    assert reason in " ".join(checked.stdout.split())
    for run, command in ((run_here, ("rules", "test")), (dogid, ("run", "--port", "0"))):
        done = run(*command, *place.flags)
        assert (done.returncode, reason in done.stderr) == (2, True), done.stderr


def test_doubts_of_labels_and_folders_are_named(place: Place) -> None:
    place.write(folder="gaate/*")
    checked = json.loads(run_here("check", *place.flags, "--port", "0", "--json").stdout)["checks"]
    details = {check["name"]: check["detail"] for check in checked}
    assert "the label 'pgu', which no model and no result has; did you mean 'pug'?" in details["rules"]
    assert "the folder 'gaate/*', in which no photo ever was" in details["rules"]
    assert "thresholds: " in details["model"]
    tried = run_here("rules", "test", *place.flags)
    assert tried.returncode == 0
    assert "rule cool: no event since" in tried.stderr
    assert "note: rule cool has matched nothing by the label 'pgu'" in tried.stderr


def test_right_rule_raises_no_doubt(place: Place) -> None:
    place.write(labels='"pug", "failed", "new", "label:cat"', folder="/gate/")
    document = json.loads(run_here("rules", "test", *place.flags, "--json").stdout)
    assert document["notes"] == []
    assert [event["rule"] for event in document["events"]] == ["cool"]


def test_no_rule_is_no_failure(place: Place) -> None:
    place.config.write_text("")
    for command, missing in ((("rules", "test"), "no rule"), (("outputs",), "no output")):
        done = run_here(*command, *place.flags)
        assert (done.returncode, done.stdout) == (0, "")
        assert f"the settings have {missing}: add a table" in done.stderr
