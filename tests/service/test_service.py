"""The service at work, on a real systemd."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dogid.conditions import hidden_home
from dogid.file_names import quote_for_shell
from tests.service.service import CONFIG, INBOX, STATE, Service
from tests.support.daemon import ROOT
from tests.support.photos import photo

Record = Callable[[str, object], None]

HANG = ROOT / "tests" / "support" / "harmful" / "sitecustomize.py"
HANGING = photo(4) + b"a photo that hangs the decoder" + b"\xff\xd9"
MODEL = ROOT / "models" / "dogid.tflite"
RELEASE = "/srv/test/release"
HOLD = f"""
import os, socket, sqlite3, time
db = sqlite3.connect("{STATE}/ledger.db", isolation_level=None)
db.execute("PRAGMA locking_mode = EXCLUSIVE")
db.execute("BEGIN EXCLUSIVE")
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
    systemd.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while not os.path.exists("{RELEASE}"):
    time.sleep(0.02)
"""
"""Another program that has the ledger for itself until a file is there."""
HOLDER = ("/usr/bin/python3", "-I", "/srv/test/hold.py")


def test_photo_copied_with_umask_077_is_classified(shared_service: Service) -> None:
    shared_service.photo("visit.jpg", photo(1))

    assert shared_service.wait_for_results("visit.jpg")["visit.jpg"]["label"]
    assert shared_service.machine.run("stat", "-c", "%U:%G", f"{INBOX}/visit.jpg").stdout == "visitor:dogid\n"
    shared_service.audit(shared_service.count_files())


def test_photos_in_user_made_folders_are_classified(shared_service: Service) -> None:
    shared_service.machine.run_as("visitor", f"umask 077 && mkdir -p {INBOX}/2026/june")
    shared_service.photo("2026/june/visit.jpg", photo(1))
    shared_service.machine.write("/srv/test/album/one.jpg", photo(2))
    shared_service.machine.run_as("visitor", f"umask 077 && cp -r /srv/test/album {INBOX}/")

    shared_service.wait_for_results("2026/june/visit.jpg", "album/one.jpg")
    shared_service.audit(shared_service.count_files())


def test_owner_only_photo_waits_for_rights(shared_service: Service) -> None:
    shared_service.machine.write("/home/visitor/own.jpg", photo(1), 0o600)
    shared_service.machine.run("chown", "visitor:", "/home/visitor/own.jpg")
    shared_service.machine.run_as("visitor", f"cp ~visitor/own.jpg {INBOX}/")
    shared_service.eventually(lambda: shared_service.results()["own.jpg"]["error"], "the photo waits, with a reason")
    shared_service.photo("other.jpg", photo(2))
    shared_service.wait_for_results("other.jpg")

    error = shared_service.results()["own.jpg"]["error"]
    assert error["code"] == "unreadable"
    assert error["message"].endswith(f"try: chmod g+r {INBOX}/own.jpg")
    shared_service.machine.run_as("visitor", f"chmod g+r {INBOX}/own.jpg")
    shared_service.wait_for_results("own.jpg")


def test_user_outside_group_has_no_access(shared_service: Service) -> None:
    shared_service.machine.run("useradd", "stranger", check=False)
    shared_service.photo("hidden.jpg", photo(1))

    for script in (f"cat {INBOX}/hidden.jpg", f"touch {INBOX}/mine.jpg"):
        with pytest.raises(AssertionError, match="Permission denied"):
            shared_service.machine.run_as("stranger", script)


def test_journal_has_fields_and_priorities(shared_service: Service) -> None:
    shared_service.photo("good.jpg", photo(1))
    shared_service.photo("text.jpg", b"no photo\n" * 30)
    good = shared_service.wait_for_results("good.jpg")["good.jpg"]
    shared_service.wait_for_results("text.jpg", status="failed")

    invocation = f"_SYSTEMD_INVOCATION_ID={shared_service.machine.show('dogid', 'InvocationID')}"
    journal = shared_service.machine.journal(invocation, "DOGID_FILE=good.jpg", "DOGID_FILE=text.jpg")
    entries = {entry["DOGID_FILE"]: entry for entry in journal}
    assert (entries["good.jpg"]["DOGID_STATUS"], entries["good.jpg"]["DOGID_LABEL"]) == ("classified", good["label"])
    assert (entries["good.jpg"]["PRIORITY"], entries["text.jpg"]["PRIORITY"]) == ("6", "4")
    assert entries["text.jpg"]["DOGID_STATUS"] == "failed"
    # a shared service may have reported errors about others
    assert all(int(entry["PRIORITY"]) > 3 for entry in journal)


def test_group_members_read_results_and_service_user_checks(shared_service: Service) -> None:
    shared_service.photo("read.jpg", photo(1))
    shared_service.wait_for_results("read.jpg")

    assert "read.jpg" in shared_service.machine.run_as("visitor", "dogid results").stdout
    checked = shared_service.machine.run("runuser", "-u", "dogid", "--", "dogid", "check").stdout
    assert all(line.startswith("ok ") for line in checked.splitlines())
    shared_service.machine.run("systemctl", "stop", "dogid")
    assert "read.jpg" in shared_service.machine.run_as("visitor", "dogid results").stdout


@pytest.mark.stopped
def test_ready_means_watching_and_serving(service: Service, record_property: Record) -> None:
    seconds = service.took("systemctl", "start", "dogid")
    record_property("start_to_ready_seconds", seconds)

    status = service.machine.get("/status")  # at once: no waiting
    assert status["watcher"]["mode"] == "events"
    assert "classified" in service.machine.show("dogid", "StatusText")
    assert service.machine.show("dogid", "WatchdogUSec") == "1min 15s"


def test_killed_service_restarts_and_loses_nothing(service: Service) -> None:
    names = service.photos([f"{number}.jpg" for number in range(150)], photo(3))
    service.eventually(lambda: len(service.results()) > 10, "it is at work")
    service.machine.run("kill", "-KILL", str(service.pid))
    service.photo("late.jpg", photo(1))

    service.wait_for_results(*names, "late.jpg")
    assert service.restarts == 1
    service.audit(151)


@pytest.mark.stopped
def test_hang_restarts_service_and_fails_the_photo(
    service: Service,
) -> None:
    service.machine.write("/srv/test/hang/sitecustomize.py", HANG.read_text())
    service.configure("decode_timeout = 2")
    service.drop_in("Environment=PYTHONPATH=/srv/test/hang", "WatchdogSec=6s")
    service.photo("hangs.jpg", HANGING)
    service.eventually(lambda: service.restarts == 1 and service.is_active, "the watchdog restarts it")
    service.photo("next.jpg", photo(1))

    found = service.wait_for_results("next.jpg")
    assert found["hangs.jpg"]["error"]["code"] == "too_large"
    said = service.machine.messages()
    assert "Watchdog timeout" in said
    assert "hang_in_this_photo" in said
    assert "not healthy: worker" in said
    assert service.restarts == 1


def test_reload_under_load_loses_nothing(service: Service, record_property: Record) -> None:
    service.machine.write("/srv/test/other.tflite", MODEL.read_bytes())
    pid = service.pid
    names = service.photos([f"{number}.jpg" for number in range(500)], photo(3, size=(2000, 1500)))
    service.eventually(lambda: service.counts()["classified"], "it is at work")
    service.configure('model = "/srv/test/other.tflite"\nworkers = 3')
    seconds = []
    for _ in range(3):
        seconds.append(service.took("systemctl", "reload", "dogid"))
        record_property("pending_after_reload", service.counts()["pending"])
    record_property("reload_seconds", seconds)
    service.photo("late.jpg", photo(1))

    found = service.wait_for_results(*names, "late.jpg")
    assert service.pid == pid
    assert found["late.jpg"]["model"] == "other.tflite"
    # there was work before and after
    assert {found[name]["model"] for name in names} == {MODEL.name, "other.tflite"}
    assert service.machine.get("/status")["model"]["name"] == "other.tflite"
    service.audit(501)


def test_root_activates_a_model_of_a_home_folder_and_goes_back(service: Service) -> None:
    service.machine.write("/root/mine.tflite", MODEL.read_bytes(), 0o600)

    done = service.machine.run("/usr/local/bin/dogid", "model", "activate", "/root/mine.tflite", "--config", CONFIG)

    assert done.stdout.startswith("active: mine.tflite")
    assert service.machine.get("/status")["model"]["origin"] == "activated"
    owners = service.machine.run("stat", "-c", "%U", f"{STATE}/models/mine.tflite", f"{STATE}/models/active.json")
    assert owners.stdout == "dogid\ndogid\n"
    service.machine.run("/usr/local/bin/dogid", "model", "rollback", "--config", CONFIG)
    assert service.machine.get("/status")["model"]["origin"] == "shipped"


@pytest.mark.stopped
def test_stop_during_reload_wins(service: Service, record_property: Record) -> None:
    service.machine.write("/srv/test/hang/sitecustomize.py", HANG.read_text())
    service.configure("workers = 1")
    service.drop_in("Environment=PYTHONPATH=/srv/test/hang", "TimeoutStopSec=5s")
    service.photo("hangs.jpg", HANGING)
    service.eventually(lambda: service.machine.get("/status")["queue"]["in_flight"], "its only worker hangs")
    service.machine.run("systemctl", "reload", "--no-block", "dogid")
    service.eventually(lambda: service.machine.show("dogid", "StatusText") == "loading new settings", "it reloads")
    record_property("stop_seconds", service.took("systemctl", "stop", "dogid"))

    assert service.machine.show("dogid", "Result") == "success"  # and not killed by systemd


def test_slow_ledger_extends_start(service: Service) -> None:
    service.machine.run("systemctl", "stop", "dogid")
    service.machine.write("/srv/test/hold.py", HOLD)
    service.machine.run("systemd-run", "--quiet", "--unit=hold", "--service-type=notify", *HOLDER)
    try:
        service.drop_in("TimeoutStartSec=6s", wait=False)
        service.eventually(lambda: service.machine.show("dogid", "StatusText") == "opening the ledger", "it starts")
        began = int(service.machine.show("dogid", "InactiveExitTimestampMonotonic"))  # microseconds
        service.eventually(lambda: time.monotonic_ns() // 1000 > began + 6_500_000, "it may not start for so long")
        service.machine.write(RELEASE, "")

        service.eventually(lambda: service.is_active, "it has started")
        assert int(service.machine.show("dogid", "ActiveEnterTimestampMonotonic")) > began + 6_000_000
        assert service.restarts == 0
    finally:
        service.machine.run("systemctl", "stop", "hold", check=False)


@pytest.mark.parametrize("broken", ["cut", "missing", "settings"])
def test_broken_reload_is_rejected_by_service(shared_service: Service, broken: str) -> None:
    def rejections() -> int:
        return shared_service.machine.messages("-p", "err").count("reload rejected")

    shared_service.machine.write("/srv/test/cut.tflite", MODEL.read_bytes()[: MODEL.stat().st_size // 2])
    pid, before = shared_service.pid, rejections()
    shared_service.configure("wrokers = 2" if broken == "settings" else f'model = "/srv/test/{broken}.tflite"')
    refused = shared_service.machine.run("systemctl", "reload", "dogid", check=False)
    shared_service.photo(f"{broken}.jpg", photo(1))

    assert refused.returncode != 0
    assert shared_service.wait_for_results(f"{broken}.jpg")[f"{broken}.jpg"]["model"] == MODEL.name
    assert shared_service.pid == pid
    assert shared_service.is_active
    assert rejections() > before


@pytest.mark.stopped
def test_reboot_starts_service_and_classifies_backlog(service: Service) -> None:
    service.photo("before.jpg", photo(1))
    service.machine.reboot()

    service.wait_for_results("before.jpg")
    assert service.is_active
    service.audit(1)


@pytest.mark.stopped
def test_service_stops_in_time_under_load(service: Service, record_property: Record) -> None:
    service.drop_in("TimeoutStopSec=5s")
    names = service.photos([f"{number}.jpg" for number in range(150)], photo(3, size=(2000, 1500)))
    service.eventually(lambda: service.results(), "it is at work")
    record_property("stop_seconds", service.took("systemctl", "stop", "dogid"))

    assert service.machine.show("dogid", "Result") == "success"  # and not killed by systemd
    command = ("runuser", "-u", "dogid", "--", "dogid", "status", "--json")
    assert json.loads(service.machine.run(*command, check=False).stdout)["counts"]["classified"] < 150
    service.machine.run("systemctl", "start", "dogid")
    service.wait_for_results(*names)
    service.audit(150)


@pytest.mark.stopped
def test_invalid_settings_log_one_line_without_restart(service: Service) -> None:
    service.configure("wrokers = 2")
    failed = service.machine.run("systemctl", "start", "dogid", check=False)

    assert failed.returncode != 0
    invocation = f"_SYSTEMD_INVOCATION_ID={service.machine.show('dogid', 'InvocationID')}"
    (line,) = service.machine.journal(invocation, "-p", "err")
    assert line["MESSAGE"].startswith(f"{CONFIG}: wrokers: no such setting")
    assert service.restarts == 0


@pytest.mark.stopped
def test_service_survives_full_disk(service: Service) -> None:
    service.machine.run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", STATE)
    try:
        service.machine.run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/dogid.conf")
        service.machine.run("systemctl", "start", "dogid")
        service.photo("first.jpg", photo(1))
        service.wait_for_results("first.jpg")
        service.machine.run("sh", "-c", f"cat /dev/zero >{STATE}/filler", check=False)
        # links take no room, so that the photos arrive although nothing can be written about them
        names = [f"{number}.jpg" for number in range(40)]
        script = f'cd {INBOX} && for name; do ln first.jpg "$name"; done'
        service.machine.run("sh", "-c", script, "photos", *names)
        invocation = f"_SYSTEMD_INVOCATION_ID={service.machine.show('dogid', 'InvocationID')}"
        service.eventually(
            lambda: "cannot be written" in service.machine.messages(invocation, "-p", "err"), "the error is logged"
        )
        assert service.is_active
        service.machine.run("rm", f"{STATE}/filler")

        service.wait_for_results("first.jpg", *names)
        assert service.restarts == 0
    finally:
        service.machine.run("systemctl", "stop", "dogid")
        service.machine.run("umount", STATE)


@pytest.mark.stopped
def test_inbox_may_be_bound_from_a_home(service: Service) -> None:
    folder = Path('/home/visitor/my "photos": 100 %s')
    service.machine.run_as("visitor", f"chmod 700 ~visitor; mkdir -p {quote_for_shell(folder)}")
    service.drop_in(hidden_home(folder).partition("with [Service] and ")[2])
    service.machine.run_as("visitor", f"cat >{quote_for_shell(folder / 'home.jpg')}", stdin=photo(1))

    service.wait_for_results("home.jpg")


def test_disk_mounted_on_inbox_is_watched(
    service: Service,
) -> None:
    def may_write() -> bool:
        into = ["nsenter", "-t", str(service.pid), "--mount", "--", "setpriv", "--reuid=dogid", "--clear-groups"]
        return service.machine.run(*into, "touch", f"{INBOX}/on-the-disk.jpg", check=False).returncode == 0

    service.machine.run("mount", "-t", "tmpfs", "tmpfs", INBOX)
    try:
        service.machine.run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/dogid.conf")
        service.photo("on-the-disk.jpg", photo(1))
        service.machine.run("chown", "dogid", f"{INBOX}/on-the-disk.jpg")
        service.wait_for_results("on-the-disk.jpg")
        assert may_write()
        service.machine.run("systemctl", "restart", "dogid")
        assert not may_write()
        service.wait_for_results("on-the-disk.jpg")
    finally:
        service.machine.run("umount", "-l", INBOX)
