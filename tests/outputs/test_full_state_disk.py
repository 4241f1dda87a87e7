"""A full disk below the state folder holds outputs up; they say so, and go on by themselves."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outputs.support import OutputRig, Recorder
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")

TABLE = {"all": {"type": "recorder"}}
RULES = [{"to": ["all"]}]


class SmallDisk:
    """A disk that can be filled to its last byte."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rest = folder / "rest"

    def fill(self) -> None:
        with self._rest.open("ab", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass

    def make_room(self) -> None:
        os.truncate(self._rest, 0)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=True)
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def rig(disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> Iterator[OutputRig]:
    monkeypatch.setattr("dogid.outputs.opening._RETRY_SECONDS", 0.1)
    monkeypatch.setattr("dogid.outputs.running_outputs._RETRY_SECONDS", 0.1)
    monkeypatch.setattr("dogid.outputs.runner._LONGEST_STORE_WAIT", 0.1)
    made = OutputRig(disk.folder)
    yield made
    disk.make_room()
    made.close()


def test_running_outputs_go_on_once_there_is_room(rig: OutputRig, disk: SmallDisk, recorder: Recorder) -> None:
    rig.start(TABLE, RULES)
    rig.add("before")
    rig.settle()
    ids = [rig.add(f"{number}", announce=False) for number in range(30)]
    disk.fill()
    rig.signal.announce()
    eventually(lambda: not rig.state_of("all")["ok"], "the state says it")
    assert "full" in rig.state_of("all")["error"]["message"]

    disk.make_room()
    ids.append(rig.add("after"))
    rig.wait_for("all", ok=True, backlog=0)
    rig.settle()
    results = [delivery for delivery in recorder.taken if delivery.kind == "result"]
    assert [delivery.result["id"] for delivery in results[1:]] == ids  # and none came twice
    assert {each.result["id"] for each in recorder.taken if each.kind == "event"} > set(ids)
    assert rig.state_of("all")["sent"] == len(recorder.taken)


def test_start_on_a_full_disk_waits_for_room(rig: OutputRig, disk: SmallDisk, recorder: Recorder) -> None:
    rig.start(TABLE)
    rig.start({})
    disk.fill()
    for _ in range(2):  # a start, then a reload
        rig.start(TABLE)
        assert not rig.state_of("all")["ok"]
        assert "full" in rig.state_of("all")["error"]["message"]

    disk.make_room()
    rig.wait_for("all", ok=True)
    rig.add("after")
    rig.wait_for("all", sent=1)
    assert [delivery.result["file"] for delivery in recorder.taken] == ["after"]


def test_reload_without_outputs_passes_on_a_full_disk(rig: OutputRig, disk: SmallDisk, recorder: Recorder) -> None:
    rig.start(TABLE)
    disk.fill()
    keeper = rig.start({})
    assert keeper.states() == []
    assert recorder.closed == 1
