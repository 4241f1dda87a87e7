"""`dogid service install|uninstall|status` on a real systemd."""

import json
import tomllib

import pytest

from dogid.settings import SINGLE_VALUES
from tests.service.service import CONFIG, INBOX, LEFT_BEHIND, STATE, Service
from tests.support.photos import photo

COMMAND = "/usr/local/bin/dogid"
GARDEN_UNIT = "/etc/systemd/system/dogid@garden.service"


def test_dry_run_prints_steps_and_changes_nothing(installed: Service) -> None:
    printed = [line.removeprefix("would: ") for line in installed.dry_log.splitlines()]

    assert all(line.startswith("would: ") for line in installed.dry_log.splitlines())
    assert installed.install_log.splitlines()[: len(printed)] == printed
    assert installed.made_by_dry_run == []


def test_settings_file_lists_every_default(installed: Service) -> None:
    text = installed.machine.read(CONFIG)
    uncommented = "\n".join(line.removeprefix("#") for line in text.splitlines() if not line.startswith("# "))
    named = tomllib.loads(uncommented)

    thresholds = named.pop("thresholds")
    assert list(thresholds.values()) == [0.8]
    assert list(named) == [item.name for item in SINGLE_VALUES]
    assert tomllib.loads(text) == {"inbox": INBOX, "state": STATE}
    assert all(named[item.name] == item.default for item in SINGLE_VALUES if isinstance(item.default, int | float))


def test_service_user_owns_only_the_state(installed: Service) -> None:
    owned = installed.machine.run("find", "/opt/dogid", "/etc/dogid", "-user", "dogid").stdout

    assert owned == ""
    assert installed.machine.run("stat", "-c", "%U %a", STATE, INBOX).stdout == "dogid 750\ndogid 2775\n"


def test_reinstalling_keeps_settings_and_results(service: Service) -> None:
    service.photo("visit.jpg", photo(1))
    service.wait_for_results("visit.jpg")
    service.configure("settle = 7")
    printed = service.dogid("service", "install").stdout

    assert f"already: write {CONFIG}" in printed
    assert "settle = 7" in service.machine.read(CONFIG)
    service.wait_for_results("visit.jpg")
    service.audit(1)


def test_uninstalling_keeps_data_for_reinstalling(service: Service) -> None:
    service.photo("visit.jpg", photo(1))
    service.wait_for_results("visit.jpg")
    service.keep_program()
    service.dogid("service", "uninstall")

    assert [path for path in LEFT_BEHIND if service.machine.has(path)] == ["/etc/dogid", STATE]
    assert service.machine.run("systemctl", "list-unit-files", "dogid*", check=False).stdout.count("dogid") == 0
    service.dogid("service", "uninstall")  # again: nothing to do is no error
    service.put_back_program()
    service.reinstall("--user", "visitor")
    service.wait_for_results("visit.jpg")
    service.audit(1)


def test_instance_has_own_inbox_settings_and_port(service: Service) -> None:
    service.dogid("service", "install", "--instance", "garden", "--user", "visitor")
    inbox = "/var/lib/dogid-garden/inbox"
    service.machine.run_as("visitor", f"umask 077 && cat >{inbox}/rose.jpg", stdin=photo(2))

    def found() -> bool:
        page = service.machine.get("/results", "127.0.0.1:8001")
        return bool(page and [result["status"] for result in page["results"]] == ["classified"])

    service.eventually(found, "the instance classifies its photo")
    assert service.results() == {}
    assert service.dogid("service", "uninstall", check=False).returncode == 2  # the instance needs the program
    printed = json.loads(service.dogid("service", "status", "--instance", "garden", "--json").stdout)
    assert printed["active"]

    service.machine.run("systemctl", "disable", "dogid@garden")
    service.machine.run("rm", "/etc/tmpfiles.d/dogid-garden.conf")
    refused = service.dogid("service", "uninstall", check=False)
    assert refused.returncode == 2  # as long as it runs
    assert "sudo dogid service uninstall --instance garden" in refused.stderr

    running = service.machine.show("dogid@garden", "MainPID")
    service.reinstall()
    assert service.machine.show("dogid@garden", "MainPID") not in (running, "0")  # it runs the new program

    service.machine.write(f"{GARDEN_UNIT}.d/own.conf", "[Service]\nNice=1\n")
    assert f"{GARDEN_UNIT}.d" in service.dogid("service", "uninstall", "--instance", "garden").stdout
    assert service.machine.has("/var/lib/dogid-garden/ledger.db")
    assert service.dogid("service", "uninstall", "--dry-run", check=False).returncode == 0
    service.dogid("service", "uninstall", "--instance", "garden", "--delete-data")
    left = ("/var/lib/dogid-garden", "/etc/dogid/garden.toml", f"{GARDEN_UNIT}.d")
    assert [path for path in left if service.machine.has(path)] == []
    assert service.is_active


def test_reinstalling_repairs_failed_service(service: Service) -> None:
    service.machine.write(CONFIG, "wrokers = 2\n")
    service.machine.run("systemctl", "restart", "dogid", check=False)
    assert service.machine.show("dogid", "ActiveState") == "failed"
    failed = service.reinstall(check=False)
    assert (failed.returncode, failed.stderr.count("\n")) == (1, 1)
    assert "dogid.service does not start; see: journalctl -u dogid.service -p err" in failed.stderr
    service.machine.write(CONFIG, f'inbox = "{INBOX}"\nstate = "{STATE}"\n')
    service.reinstall()

    assert service.is_active


@pytest.mark.parametrize(
    ("flags", "script", "message"),
    [
        (["--user", "ghost"], "", "--user ghost: there is no such user"),
        (["--python", "/srv/test/none"], "", "/srv/test/none: cannot be run: No such file or directory"),
        (["--python", "/srv/test/python"], "exit 1", "is older than Python 3.11; give a newer one by --python"),
        (["--python", "/srv/test/python"], "echo No module named venv >&2; exit 1", "its venv module is missing"),
        (["--instance", "Garden"], "", "--instance Garden: must be 1 to 32 of a-z"),
    ],
)
def test_unusable_option_of_install_is_refused(
    running_service: Service, flags: list[str], script: str, message: str
) -> None:
    running_service.machine.write("/srv/test/python", f"#!/bin/sh\n{script}\n", 0o755)
    refused = running_service.dogid("service", "install", *flags, check=False)

    assert refused.returncode == 2
    assert message in refused.stderr
    assert running_service.is_active


@pytest.mark.parametrize(
    ("hidden", "flags", "message"),
    [
        ("/run/systemd", [], "this machine does not run systemd; start `dogid run` by other means"),
        ("/opt/dogid", ["--instance", "garden"], "install the service itself first: sudo dogid service install"),
    ],
)
def test_install_names_missing_prerequisite(
    running_service: Service, hidden: str, flags: list[str], message: str
) -> None:
    refused = running_service.dogid("service", "install", *flags, check=False, hidden=hidden)

    assert refused.returncode == 2
    assert message in refused.stderr


def test_debian_package_is_left_to_apt(running_service: Service) -> None:
    listed = "/var/lib/dpkg/info/dogid.list"
    running_service.machine.write(listed, "/opt/dogid/venv/bin/dogid\n")
    refused = [
        running_service.dogid("service", *verb, check=False) for verb in (["install"], ["uninstall", "--delete-data"])
    ]
    running_service.machine.run("rm", listed)

    assert [done.returncode for done in refused] == [2, 2]
    assert "sudo apt install ./dogid_*.deb" in refused[0].stderr
    assert "sudo apt purge dogid" in refused[1].stderr
    assert running_service.is_active


def test_deleting_data_leaves_nothing(service: Service) -> None:
    service.photo("visit.jpg", photo(1))
    service.wait_for_results("visit.jpg")
    service.keep_program()
    service.dogid("service", "uninstall", "--delete-data")

    assert [path for path in LEFT_BEHIND if service.machine.has(path)] == []
    assert service.machine.run("getent", "passwd", "dogid", check=False).returncode != 0
    service.dogid("service", "uninstall", "--delete-data")  # again: nothing to do is no error
    service.put_back_program()
    service.reinstall("--user", "visitor")
    assert service.is_active


def test_foreign_command_is_kept(running_service: Service) -> None:
    ours = running_service.machine.read(COMMAND)
    running_service.machine.write(COMMAND, "#!/bin/sh\necho another program\n", 0o755)
    refused = running_service.dogid("service", "install", check=False)

    assert refused.returncode == 2
    assert f"sudo mv {COMMAND} {COMMAND}.old" in refused.stderr
    assert f"remove {COMMAND}" not in running_service.dogid("service", "uninstall", "--dry-run").stdout
    running_service.machine.write(COMMAND, ours, 0o755)


def test_install_without_root_prints_sudo_command(running_service: Service) -> None:
    done = running_service.machine.run("runuser", "-u", "visitor", "--", "dogid", "service", "install", check=False)

    assert done.returncode == 2
    assert "sudo /opt/dogid/venv/bin/dogid service install" in done.stderr


def test_status_command_shows_service(service: Service) -> None:
    service.photo("visit.jpg", photo(1))
    service.wait_for_results("visit.jpg")
    document = json.loads(service.dogid("service", "status", "--json").stdout)

    assert (document["installed"], document["active"], document["starts_at_boot"]) == (True, True, True)
    assert document["inbox"] == INBOX
    service.machine.run("systemctl", "stop", "dogid")
    assert service.dogid("service", "status", check=False).returncode == 1
