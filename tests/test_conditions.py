"""The way out of a problem fits how the daemon was started."""

import errno
import os
import re
from pathlib import Path

import pytest

from dogid import conditions

BY_HAND = Path("/home/maker/dogid/state")
INBOX = Path("/srv/my photos")


@pytest.mark.parametrize(
    ("state", "unit"),
    [
        ("/var/lib/dogid", "dogid"),
        ("/var/lib/dogid/copy", "dogid"),
        ("/var/lib/dogid-garden", "dogid@garden"),
        ("/var/lib/dogid-front-door/x", "dogid@front-door"),
        ("/var/lib/dogidea", None),
        ("/home/maker/var/lib/dogid", None),
        ("/tmp/state", None),
    ],
)
def test_unit_is_known_by_the_state_folder(state: str, unit: str | None) -> None:
    assert conditions.find_unit(Path(state)) == unit


def test_service_is_restarted_by_systemd() -> None:
    state = Path("/var/lib/dogid-garden")

    assert conditions.not_running(state).endswith(": sudo systemctl start dogid@garden")
    assert conditions.stop_first(state) == "stop it first: sudo systemctl stop dogid@garden"
    assert conditions.ledger_unreadable(state, "x").endswith("restart the daemon: sudo systemctl restart dogid@garden")
    assert conditions.no_ledger(state / "ledger.db").endswith("yet: sudo systemctl start dogid@garden")
    assert conditions.reload_by_hand(state, 7) == "sudo systemctl reload dogid@garden"


def test_daemon_that_was_started_by_hand_is_not_systemds() -> None:
    messages = [
        conditions.LEDGER_DAMAGED,
        conditions.not_running(BY_HAND),
        conditions.stop_first(BY_HAND),
        conditions.ledger_unreadable(BY_HAND, "x"),
        conditions.ledger_replaced(BY_HAND / "ledger.db"),
        conditions.no_ledger(BY_HAND / "ledger.db"),
    ]

    assert not [message for message in messages if "systemctl" in message]
    assert conditions.not_running(BY_HAND).endswith(": dogid run, or make run")


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (errno.ENOENT, "the inbox is missing; bring it back, or mount its disk"),
        (errno.ENOTDIR, "the inbox is not a folder; give another by --inbox"),
        (errno.EACCES, "the inbox cannot be read by this user; try: chmod a+rx '/srv/my photos'"),
        (errno.EIO, "the inbox cannot be read: Input/output error"),
    ],
)
def test_unreadable_inbox_has_a_way_out(number: int, way_out: str) -> None:
    error = OSError(number, os.strerror(number))

    assert conditions.inbox_unreadable(INBOX, error) == f"{INBOX}: {way_out}"


@pytest.mark.parametrize(
    ("number", "unit", "way_out"),
    [
        (errno.ENOSPC, "dogid", "No space left on device; make room there"),
        (errno.EROFS, "dogid@barn", "allow it by upload.conf, .*: sudo systemctl restart dogid@barn"),
        (errno.EACCES, None, "the right to write there: chmod u\\+rwx '/srv/my photos'"),
        (errno.EROFS, None, "Read-only file system"),
    ],
)
def test_upload_that_cannot_be_stored_has_a_way_out(number: int, unit: str | None, way_out: str) -> None:
    message = conditions.inbox_unwritable(INBOX, OSError(number, os.strerror(number)), unit)

    assert re.fullmatch(f"{INBOX}: .*{way_out}", message)


def test_full_disk_is_named_before_anything_else() -> None:
    full, broken = (OSError(number, os.strerror(number)) for number in (errno.ENOSPC, errno.EIO))

    assert conditions.temporary_folder_unwritable("/tmp", full).endswith("make room there, or send a smaller photo")
    assert conditions.temporary_folder_unwritable("/tmp", broken).endswith("cannot be written: Input/output error")
    assert conditions.ledger_unwritable(BY_HAND, "database or disk is full").endswith("photos wait, none is lost")
    assert conditions.ledger_unwritable(BY_HAND, "disk I/O error").endswith("cannot be written: disk I/O error")


def test_threads_that_the_machine_refuses_are_named() -> None:
    assert "TasksMax, ulimit -u" in str(conditions.no_more_threads(RuntimeError("can't start new thread")))
    assert conditions.no_more_threads(RuntimeError("another reason")) is None


def test_paths_of_another_user_and_damaged_rows_are_named() -> None:
    assert conditions.no_rights(BY_HAND, "ann").endswith("put `sudo -u ann` before the command")
    assert conditions.rows_left_out(1).startswith("1 damaged row is left out; ")
    assert conditions.rows_left_out(2).startswith("2 damaged rows are left out; ")
