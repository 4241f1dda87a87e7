"""The steps of an installation, without doing them."""

from pathlib import Path

import pytest

from dogid.errors import DogidError, UsageError
from dogid.installer import install
from dogid.installer.install import InstallOptions, install_steps
from dogid.installer.paths import ServicePaths
from dogid.installer.steps import Step, program, run_steps, write_step
from tests.support.daemon import dogid


@pytest.fixture
def config_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of /etc/dogid."""
    monkeypatch.setattr(install, "CONFIG_DIR", tmp_path)
    return tmp_path


def garden() -> InstallOptions:
    return InstallOptions(ServicePaths("garden"), "dogid", "/usr/bin/python3", None)


@pytest.mark.parametrize("text", ["port = ", "port = 'http'", "prot = 1"])
def test_invalid_settings_of_another_instance_are_named(config_dir: Path, text: str) -> None:
    other = config_dir / "other.toml"
    other.write_text(text)

    with pytest.raises(UsageError, match=str(other)):
        install_steps(garden())


def test_instance_gets_a_free_port(config_dir: Path) -> None:
    (config_dir / "dogid.toml").write_text("port = 8001\n")
    (config_dir / "other.toml").write_text("port = 8002\n")

    assert install._free_port(config_dir / "garden.toml") == 8003
    assert len(install_steps(garden())) > 3


@pytest.mark.parametrize("name", ["", "Garden", "-garden", "garden/..", "g" * 33])
def test_invalid_instance_name_is_rejected(name: str) -> None:
    with pytest.raises(UsageError, match="--instance"):
        ServicePaths(name)


def test_step_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "dogid.toml"
    lines: list[str] = []
    for text in ("port = 1\n", "port = 1\n", "port = 2\n"):
        run_steps([write_step(path, text)], lines.append, dry_run=False)
    path.write_text("port = 3\n")
    run_steps([write_step(path, "port = 4\n", replace=False)], lines.append, dry_run=False)

    assert lines == [f"write {path}", f"already: write {path}", f"write {path}", f"already: write {path}"]
    assert path.read_text() == "port = 3\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("/nowhere/systemctl",), "/nowhere/systemctl: cannot be run: No such file or directory"),
        (("sh", "-c", "echo no room >&2; exit 3"), "failed with 3: no room"),
        (("sh", "-c", "echo said on stdout; exit 3"), "failed with 3: said on stdout"),
    ],
)
def test_failed_program_of_a_step_is_reported(command: tuple[str, ...], message: str) -> None:
    with pytest.raises(DogidError, match=message):
        run_steps([Step("start", program(*command))], lambda _: None, dry_run=False)


def test_unwritable_file_of_a_step_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "dogid.toml"

    with pytest.raises(DogidError, match=f"{path}: cannot be written: "):
        run_steps([write_step(path, "")], lambda _: None, dry_run=False)


def test_status_without_systemctl_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = dogid("service", "status")

    assert done.returncode == 2
    assert "systemctl: cannot be run: No such file or directory; does this machine run systemd?" in done.stderr
