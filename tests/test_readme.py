"""The README names what there is."""

import re

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
