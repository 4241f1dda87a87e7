"""What the service's sandbox keeps outputs from, and the lines that allow it; a real service tries some of them."""

from pathlib import Path

import pytest

from dogid.outputs.files.sandbox import Sandbox, read_sandbox

UNIT = "dogid.service"


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("/srv/results", "ReadWritePaths=-/srv/results"),
        ("/home/me/results", "BindPaths=/home/me/results:/srv/results"),
        ("/tmp/results", "folders of its own for temporary files"),  # nothing is written there
        ("/var/lib/dogid/results", None),
        ("/mnt/nas", None),
        ("/mnt/nas/a/b", None),
    ],
)
def test_folder_that_the_service_may_not_write_is_explained(folder: str, words: str | None) -> None:
    sandbox = Sandbox(UNIT, frozenset({"/var/lib/dogid", "/mnt/nas"}), "")

    forbidding = sandbox.find_forbidding(Path(folder))

    assert (words is None) is (forbidding is None)
    assert words is None or (forbidding is not None and words in forbidding)


def test_folder_that_is_bound_is_the_services_own() -> None:
    sandbox = Sandbox(UNIT, frozenset(), "/home/me/results:/srv/results:rbind /a:/b:rbind")

    assert sandbox.has_own(Path("/srv/results/inside"))
    assert sandbox.find_forbidding(Path("/srv/results")) is None
    assert not sandbox.has_own(Path("/srv/others"))


@pytest.mark.parametrize(
    ("shown", "writable"),
    [
        ("-/var/lib/dogid +/mnt/nas", {"/var/lib/dogid", "/mnt/nas"}),
        ('"-/srv/my photos" /b', {"/srv/my photos", "/b"}),
        ("/it's /b", {"/it's", "/b"}),  # no quotes of a shell
    ],
)
def test_paths_are_read_as_systemctl_prints_them(
    shown: str, writable: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = tmp_path / "answer"
    answer.write_text(f"ProtectSystem=strict\nReadWritePaths={shown}\nBindPaths=/a:/b:rbind\n")
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f"#!/bin/sh\nexec cat {answer}\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert read_sandbox(UNIT) == Sandbox(UNIT, frozenset(writable), "/a:/b:rbind")
    answer.write_text("ProtectSystem=no\n")
    assert read_sandbox(UNIT) is None
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert read_sandbox(UNIT) is None
