"""The pages name what there is."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from dogid.result_document import result_document
from tests.pages.markdown import find_links, headings, list_pages
from tests.support.daemon import ROOT

README_WORDS = 1200  # one page


def test_readme_is_one_page() -> None:
    assert len(list_pages()["README.md"].split()) <= README_WORDS


def test_every_promise_names_existing_tests() -> None:
    written = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))
    existing = set(re.findall(r"def (test_\w+)\(", written))
    promises = list_pages()["tests/README.md"].split("## What is promised")[1].split("\n## ")[0]
    lines = re.findall(r"^\| [A-Z].*\| ([^|]*) \|$", promises, re.MULTILINE)

    assert len(lines) > 40
    for line in lines:
        named = re.findall(r"`(test_\w+)`", line)
        assert named, f"a promise without a test: {line}"
        assert set(named) <= existing, f"tests that do not exist: {sorted(set(named) - existing)}"


@pytest.mark.parametrize("page", list_pages())
def test_every_link_leads_somewhere(page: str) -> None:
    for path, anchor in find_links(page):
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {path}"
        if anchor and target.suffix == ".md":
            assert anchor in headings(target), f"{page}: {path}#{anchor}"


@pytest.mark.parametrize("page", list_pages())
def test_every_path_in_a_page_exists(page: str) -> None:
    if page == "CHANGELOG.md":  # what was there once
        return
    named = re.findall(r"`((?:tests|daemon|convert|models|systemd)/[\w./]*)`", list_pages()[page])
    rooms = (ROOT, ROOT / "daemon" / "dogid", ROOT / "convert" / "dogid_convert")
    assert not [path for path in named if not any(_is_module(room / path) or (room / path).exists() for room in rooms)]


def test_every_make_target_is_described() -> None:
    (listed,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    table = list_pages()["tests/README.md"].split("| target |")[1].split("\n\n")[0]
    described = {word for code in re.findall(r"`make ([^`]*)`", table) for word in code.split()}

    assert described >= set(listed.split()) - {"help", "check-python"}


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
    sample = list_pages()["daemon/API.md"].partition('\n{"results":')[2].partition("]")[0].strip("[\n")
    document = result_document(number=1, file="rex.jpg", status="classified", scores={})

    assert list(json.loads(sample)) == list(document)


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
