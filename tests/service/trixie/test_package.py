"""The Debian package on Debian 13: installed, checked, at work. The short form of `make trixie`."""

from email.parser import Parser
from pathlib import Path

import pytest

from tests.service.service import Service
from tests.support.expected_scores import expected_scores
from tests.support.photos import photo

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

_UNIT = "/usr/lib/systemd/system/dogid.service"
_PACKAGES = Path("opt/dogid/venv/lib/python3.13/site-packages")


def test_release_has_its_own_systemd_and_python(installed: Service) -> None:
    assert installed.machine.run("systemctl", "--version").stdout.startswith("systemd 257")
    assert installed.machine.run("python3", "--version").stdout.startswith("Python 3.13.")


def test_package_contains_what_its_python_needs(installed: Service) -> None:
    packaging = pytest.importorskip("packaging.requirements")
    folder = installed.machine.root / _PACKAGES
    notes = [Parser().parsestr(path.read_text()) for path in folder.glob("*.dist-info/METADATA")]
    names = {_plain(note["Name"]) for note in notes}
    target = {"python_version": "3.13", "python_full_version": "3.13.5", "extra": ""}
    texts = [text for note in notes for text in note.get_all("Requires-Dist", [])]
    needed = [packaging.Requirement(text) for text in texts]

    assert "dogid" in names
    wanted = {_plain(each.name) for each in needed if each.marker is None or each.marker.evaluate(target)}
    assert wanted <= names


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def test_check_passes_for_service_user(installed: Service) -> None:
    checked = installed.machine.run("runuser", "-u", "dogid", "--", "dogid", "check").stdout

    assert all(line.startswith("ok ") for line in checked.splitlines())


def test_unit_is_verified_and_shut(installed: Service) -> None:
    verified = installed.machine.run("systemd-analyze", "verify", _UNIT)
    threshold = ["--offline=true", "--threshold=13"]
    installed.machine.run("systemd-analyze", "security", "--no-pager", *threshold, _UNIT)

    assert verified.stdout + verified.stderr == ""


def test_photo_is_classified_and_kept_over_restart(installed: Service) -> None:
    installed.photo("visit.jpg", photo(1))
    before = installed.wait_for_results("visit.jpg")["visit.jpg"]
    assert before["scores"] == pytest.approx(expected_scores(photo(1)), abs=1e-6)
    pid = installed.pid
    installed.machine.run("systemctl", "restart", "dogid")

    assert installed.pid != pid
    assert installed.wait_for_results("visit.jpg")["visit.jpg"] == before
    installed.audit(1)
