"""Messages to systemd (sd_notify(3)), received by a socket; no systemd is needed."""

import os
import signal
from pathlib import Path

from dogid.system.sd_notify import Notifier
from tests.conftest import MakeDaemon
from tests.service.notify_socket import NotifySocket
from tests.support.photos import photo, put


def test_without_notify_socket_nothing_is_sent() -> None:
    silent = Notifier.from_environment({})
    silent.ready("well")
    with silent.extend_start_timeout("waiting"):
        pass

    assert silent == Notifier(None, None)


def test_watchdog_time_of_another_process_is_ignored() -> None:
    asked = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "4000000"}

    assert Notifier.from_environment(asked).watchdog_seconds == 4.0
    assert Notifier.from_environment({**asked, "WATCHDOG_PID": str(os.getpid())}).watchdog_seconds == 4.0
    assert Notifier.from_environment({**asked, "WATCHDOG_PID": "1"}).watchdog_seconds is None
    assert Notifier.from_environment({**asked, "WATCHDOG_USEC": "0"}).watchdog_seconds is None


def test_abstract_notify_socket_is_used() -> None:
    notify_socket = NotifySocket(f"@dogid-test-{os.getpid()}")
    Notifier(notify_socket.address).stopping()

    assert notify_socket.receive()[0] == "STOPPING=1"
    notify_socket.close()


def test_missing_notify_socket_does_not_stop_daemon(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "gone")).ping_watchdog()


def test_long_start_extends_timeout(notify_socket: NotifySocket) -> None:
    with Notifier(notify_socket.address).extend_start_timeout("opening the ledger"):
        assert notify_socket.receive() == ["EXTEND_TIMEOUT_USEC=30000000", "STATUS=opening the ledger"]


def test_status_line_follows_results(make_daemon: MakeDaemon, notify_socket: NotifySocket, inbox: Path) -> None:
    make_daemon(environ={"NOTIFY_SOCKET": notify_socket.address}).start()
    put(inbox / "a.jpg", photo(1))
    pings = 0
    while not (message := notify_socket.receive())[-1].startswith("STATUS=0 pending, 1 classified"):
        pings += message == ["WATCHDOG=1"]

    assert pings <= 1  # the next health check, after ten seconds, sends the line in any case


def test_daemon_notifies_each_state(make_daemon: MakeDaemon, notify_socket: NotifySocket, inbox: Path) -> None:
    put(inbox / "a.jpg", photo(1))
    environ = {"NOTIFY_SOCKET": notify_socket.address, "WATCHDOG_USEC": "4000000"}
    daemon = make_daemon(environ=environ).start()

    assert notify_socket.receive_until("READY=1")[1].startswith("STATUS=")
    assert notify_socket.receive_until("WATCHDOG=1") == ["WATCHDOG=1"]
    daemon.send(signal.SIGHUP)
    reloading = notify_socket.receive_until("RELOADING=1")
    assert reloading[1].removeprefix("MONOTONIC_USEC=").isdecimal()
    assert notify_socket.receive_until("READY=1")
    daemon.wait_for_answer("a.jpg")
    assert daemon.stop() == 0
    assert notify_socket.receive_until("STOPPING=1")


def test_long_decode_timeout_extends_watchdog(make_daemon: MakeDaemon, notify_socket: NotifySocket) -> None:
    environ = {"NOTIFY_SOCKET": notify_socket.address, "WATCHDOG_USEC": "40000000"}
    make_daemon("--decode-timeout", "600", environ=environ).launch()

    assert notify_socket.receive_until("WATCHDOG_USEC=") == ["WATCHDOG_USEC=630000000"]
