"""What people type to install an extra, where dogid runs from a clone, and where it was installed."""

import sys
from pathlib import Path

import pytest

from dogid.system import extras
from dogid.system.extras import make_install_command
from tests.support.daemon import ROOT


def test_clone_has_training_installed_by_make() -> None:
    command = make_install_command("convert")

    assert command == f"cd {ROOT} && make train-env && . .venv-train/bin/activate"
    assert "\ntrain-env: $(TRAIN)/.installed\n" in (ROOT / "Makefile").read_text()
    assert "\nTRAIN := .venv-train\n" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(("prefix", "pip"), [(ROOT / ".venv", ".venv/bin/pip"), (Path("/usr"), "pip")])
def test_clone_has_an_extra_installed_into_its_environment(
    prefix: Path, pip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(prefix))

    assert make_install_command("mqtt") == f"cd {ROOT} && {pip} install -e '.[mqtt]'"
    assert make_install_command("convert", repairs=True).endswith(f"{pip} install --force-reinstall -e '.[convert]'")


@pytest.mark.parametrize("makefile", [None, "all:\n"])
def test_installed_dogid_has_an_extra_installed_by_name(
    makefile: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if makefile is not None:
        (tmp_path / "Makefile").write_text(makefile)
    monkeypatch.setattr(extras, "__file__", str(tmp_path / "site-packages" / "dogid" / "system" / "extras.py"))

    assert make_install_command("convert") == "pip install 'dogid[convert]'"
    assert make_install_command("s3") == "pip install 'dogid[s3]'"
