"""Whatever keeps the service from starting, it comes back by itself once the cause is gone."""

import pytest

from tests.service.service import INBOX, STATE, Service
from tests.support.photos import photo

pytestmark = pytest.mark.stopped

_LIMIT_BEFORE = 10  # restarts at which systemd would give up by default, or by a limit that seems high enough
CRASH = "import os\nos.abort()\n"


def wait_for_restarts(service: Service, count: int) -> None:
    before = service.restarts
    service.eventually(lambda: service.restarts >= before + count, f"it has been restarted {count} times")


def test_full_disk_at_start_is_waited_out(service: Service) -> None:
    service.machine.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", STATE)
    try:
        service.machine.run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/dogid.conf")
        service.machine.run("sh", "-c", f"cat /dev/zero >{STATE}/filler", check=False)
        service.machine.run("systemctl", "start", "dogid", check=False)
        wait_for_restarts(service, 2)
        assert not service.is_active
        service.machine.run("sh", "-c", f"rm {STATE}/filler && mount -o remount,size=20m {STATE}")

        service.eventually(lambda: service.is_active, "it has started")
        service.photo("visit.jpg", photo(1))
        service.wait_for_results("visit.jpg")
    finally:
        service.machine.run("systemctl", "stop", "dogid", check=False)
        service.machine.run("umount", STATE)


def test_crash_loop_never_ends_the_service_for_good(service: Service) -> None:
    service.machine.write("/srv/test/crash/sitecustomize.py", CRASH)
    with pytest.raises(AssertionError):
        service.drop_in("Environment=PYTHONPATH=/srv/test/crash", "RestartSec=100ms")
    wait_for_restarts(service, _LIMIT_BEFORE + 2)
    service.machine.run("rm", "/srv/test/crash/sitecustomize.py")

    service.eventually(lambda: service.is_active, "it has started")


def test_inbox_on_a_missing_disk_is_tried_again(service: Service) -> None:
    with pytest.raises(AssertionError):
        service.drop_in("Environment=DOGID_INBOX=/srv/disk/photos")
    wait_for_restarts(service, 1)
    assert "is a disk not mounted" in service.machine.messages("-p", "err")
    service.machine.run("install", "-d", "-o", "dogid", "/srv/disk/photos")
    try:
        service.eventually(lambda: service.is_active, "it has started")
    finally:
        service.machine.run("rm", "-r", "/srv/disk")


def test_disk_that_was_missing_at_boot_starts_the_service_later(service: Service) -> None:
    disk = "/srv/disk/upper:/srv/disk/lower"  # a mount that fails for as long as these folders are missing
    service.machine.write("/etc/fstab", f"disk {INBOX} overlay lowerdir={disk},nofail 0 0\n")
    try:
        service.machine.reboot()
        assert not service.is_active
        service.machine.run("mkdir", "-p", *disk.split(":"))
        service.machine.write("/srv/disk/upper/visit.jpg", photo(1))
        service.machine.run("mount", INBOX)

        service.eventually(lambda: service.is_active, "it has started")
        service.wait_for_results("visit.jpg")
    finally:
        service.machine.write("/etc/fstab", "")
        service.machine.run("systemctl", "stop", "dogid", check=False)
        service.machine.run("sh", "-c", f"umount {INBOX}; rm -r /srv/disk; systemctl daemon-reload", check=False)
