"""The way out of a problem fits how the daemon was started."""

from pathlib import Path

import pytest

from dogid import conditions

BY_HAND = Path("/home/maker/dogid/state")


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
