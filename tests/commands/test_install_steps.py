"""The steps of an installation, without doing them."""

from pathlib import Path

import pytest

from dogid.errors import UsageError
from dogid.installer import install
from dogid.installer.install import InstallOptions, install_steps
from dogid.installer.paths import ServicePaths


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
