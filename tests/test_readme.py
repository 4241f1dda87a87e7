"""The README names what there is."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from dogid.result_document import result_document
from tests.support.daemon import ROOT

README = (ROOT / "README.md").read_text()


def test_every_guarantee_names_existing_tests() -> None:
    written = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))
    existing = set(re.findall(r"def (test_\w+)\(", written))
    named = set(re.findall(r"`(test_\w+)`", README))

    assert named
    assert named <= existing, f"the README names tests that do not exist: {sorted(named - existing)}"


def test_every_path_in_the_readme_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README)
    folders = re.findall(r"`((?:tests|daemon|convert|models|systemd)/[\w./]*)`", README)
    missing = [path for path in links + folders if not (ROOT / path).exists()]

    assert links
    assert folders
    assert not missing


def test_pages_made_from_the_code_are_current() -> None:
    spec = importlib.util.spec_from_file_location("make_pages", ROOT / "daemon" / "make_pages.py")
    assert spec is not None
    assert spec.loader is not None
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)

    for path, made in (
        (pages.MANUAL, pages.make_manual()),
        (pages.SETTINGS, pages.make_settings_page(pages.SETTINGS.read_text())),
    ):
        assert path.read_text() == made, f"{path.name} is not as the code has it: make pages"


def test_sample_result_has_every_key() -> None:
    sample = json.loads(README.partition('\n{"results":')[2].partition("\n```")[0].partition("]")[0].strip("[\n"))

    assert list(sample) == list(result_document(number=1, file="rex.jpg", status="classified", scores={}))


@pytest.mark.parametrize("package", ["daemon/dogid", "convert/dogid_convert"])
def test_guides_to_the_code_name_existing_modules(package: str) -> None:
    root = ROOT / package
    text = (root.parent / "README.md").read_text()
    rooms = {path.name for path in root.iterdir() if path.is_dir()}
    named = set(re.findall(r"`(\w+/\w*)`", text))
    missing = [path for path in named if path.split("/")[0] in rooms and not _is_module(root / path)]

    assert len(named) > 20
    assert not missing


@pytest.mark.parametrize("package", ["daemon/dogid", "convert/dogid_convert"])
def test_guides_to_the_code_name_existing_functions(package: str) -> None:
    root = ROOT / package
    table = (root.parent / "README.md").read_text().split("## Where is ...?")[1].split("\n## ")[0]
    named = re.findall(r"`([\w/]+)` \(((?:`[\w.-]+`(?:, )?)+)\)", table)

    assert len(named) >= 5
    for module, names in named:
        code = (root / f"{module}.py").read_text()
        for name in re.findall(r"[\w-]+(?=`)", names):
            assert name in code, f"{module} has no {name}"


def _is_module(path: Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").is_file()
