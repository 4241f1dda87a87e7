"""What the daemon tells systemd, as a socket hears it; no systemd is needed."""

import os
import signal
from pathlib import Path

from dogid.system.sd_notify import Notifier
from tests.conftest import MakeDaemon
from tests.service.ear import Ear
from tests.support.photos import photo, put


def test_outside_systemd_nothing_is_said_and_nothing_fails() -> None:
    silent = Notifier.from_environment({})
    silent.ready("well")
    with silent.extend_start_timeout("waiting"):
        pass

    assert silent == Notifier(None, None)


def test_the_watchdogs_time_is_read_only_where_it_is_meant_for_this_process() -> None:
    asked = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "4000000"}

    assert Notifier.from_environment(asked).watchdog_seconds == 4.0
    assert Notifier.from_environment({**asked, "WATCHDOG_PID": str(os.getpid())}).watchdog_seconds == 4.0
    assert Notifier.from_environment({**asked, "WATCHDOG_PID": "1"}).watchdog_seconds is None
    assert Notifier.from_environment({**asked, "WATCHDOG_USEC": "0"}).watchdog_seconds is None


def test_a_socket_in_the_abstract_namespace_is_spoken_to() -> None:
    ear = Ear(f"@dogid-test-{os.getpid()}")
    Notifier(ear.address).stopping()

    assert ear.hear()[0] == "STOPPING=1"
    ear.close()


def test_a_socket_that_is_gone_is_no_reason_to_stop(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "gone")).ping_watchdog()


def test_a_long_step_of_the_start_asks_for_time(ear: Ear) -> None:
    with Notifier(ear.address).extend_start_timeout("opening the ledger"):
        assert ear.hear() == ["EXTEND_TIMEOUT_USEC=30000000", "STATUS=opening the ledger"]


def test_a_daemon_says_ready_alive_reloading_ready_and_stopping(make_daemon: MakeDaemon, ear: Ear, inbox: Path) -> None:
    put(inbox / "a.jpg", photo(1))
    environ = {"NOTIFY_SOCKET": ear.address, "WATCHDOG_USEC": "4000000"}
    daemon = make_daemon(environ=environ).start()

    assert ear.hear_of("READY=1")[1].startswith("STATUS=")
    assert ear.hear_of("WATCHDOG=1") == ["WATCHDOG=1"]
    daemon.send(signal.SIGHUP)
    reloading = ear.hear_of("RELOADING=1")
    assert reloading[1].removeprefix("MONOTONIC_USEC=").isdecimal()
    assert ear.hear_of("READY=1")
    daemon.answered("a.jpg")
    assert daemon.stop() == 0
    assert ear.hear_of("STOPPING=1")


def test_a_decode_timeout_longer_than_the_units_watchdog_makes_systemd_wait_longer(
    make_daemon: MakeDaemon, ear: Ear
) -> None:
    environ = {"NOTIFY_SOCKET": ear.address, "WATCHDOG_USEC": "40000000"}
    make_daemon("--decode-timeout", "600", environ=environ).launch()

    assert ear.hear_of("WATCHDOG_USEC=") == ["WATCHDOG_USEC=630000000"]
