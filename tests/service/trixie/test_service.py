"""The service under Debian 13's systemd: reload, watchdog, reboot and purge."""

import pytest

from tests.service.service import INBOX, STATE, Service
from tests.support.daemon import ROOT
from tests.support.photos import photo

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

MODEL = ROOT / "models" / "dogid.tflite"
HANG = ROOT / "tests" / "support" / "harmful" / "sitecustomize.py"
HANGING = photo(4) + b"a photo that hangs the decoder" + b"\xff\xd9"


def test_reload_changes_model_or_is_rejected(service: Service) -> None:
    service.machine.write("/srv/test/other.tflite", MODEL.read_bytes())
    service.machine.write("/srv/test/cut.tflite", MODEL.read_bytes()[: MODEL.stat().st_size // 2])
    pid = service.pid
    service.configure('model = "/srv/test/other.tflite"')
    service.machine.run("systemctl", "reload", "dogid")
    service.photo("after.jpg", photo(1))
    assert service.wait_for_results("after.jpg")["after.jpg"]["model"] == "other.tflite"
    service.reset_settings()
    service.configure('model = "/srv/test/cut.tflite"')
    refused = service.machine.run("systemctl", "reload", "dogid", check=False)

    assert refused.returncode != 0
    assert service.pid == pid
    assert service.machine.get("/status")["model"]["name"] == "other.tflite"
    assert "reload rejected" in service.machine.messages("-p", "err")


def test_watchdog_ends_a_hang(service: Service) -> None:
    service.machine.write("/srv/test/hang/sitecustomize.py", HANG.read_text())
    service.configure("decode_timeout = 1")
    service.drop_in("Environment=PYTHONPATH=/srv/test/hang", "WatchdogSec=4s")
    service.photo("hangs.jpg", HANGING)
    service.eventually(lambda: service.restarts == 1 and service.is_active, "the watchdog restarts it")
    service.photo("next.jpg", photo(1))

    assert service.wait_for_results("next.jpg")["hangs.jpg"]["error"]["code"] == "too_large"
    assert "Watchdog timeout" in service.machine.messages()


def test_killed_service_restarts_and_loses_nothing(service: Service) -> None:
    names = service.photos([f"{number}.jpg" for number in range(50)], photo(3))
    service.machine.run("kill", "-KILL", str(service.pid))
    service.photo("late.jpg", photo(1))

    service.wait_for_results(*names, "late.jpg")
    assert service.restarts == 1
    service.audit(51)


def test_reboot_starts_service_and_classifies_backlog(service: Service) -> None:
    service.machine.run("systemctl", "stop", "dogid")
    service.photo("before.jpg", photo(1))
    service.machine.reboot()

    service.wait_for_results("before.jpg")
    service.audit(1)


def test_purge_keeps_only_photos(service: Service) -> None:
    service.photo("visit.jpg", photo(1))
    service.wait_for_results("visit.jpg")
    purged = service.machine.run("dpkg", "--purge", "dogid")
    left = service.machine.run("sh", "-c", f"find /opt/dogid /etc/dogid {STATE} -type f || true").stdout

    assert f"your photos are kept in {INBOX}" in purged.stdout + purged.stderr
    assert left.split() == [f"{INBOX}/visit.jpg"]
    service.machine.run("dpkg", "--install", "/srv/wheels/dogid.deb")
    service.wait_for_results("visit.jpg")
