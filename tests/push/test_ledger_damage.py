"""Short forms of the parts that damage a ledger: a few cases of each."""

from pathlib import Path

from tests.push import ledger_damage
from tests.push.served_damage import serve_flipped_bits


def test_flipped_bits_cost_only_rows_that_were_hit(tmp_path: Path) -> None:
    report = ledger_damage.flip_every_page(tmp_path, present=14, departed=10, each=1)

    assert report.figures["cases"] >= 15
    assert not report.faults


def test_damaged_header_costs_nothing(tmp_path: Path) -> None:
    report = ledger_damage.damage_headers(tmp_path, present=3, departed=3, step=9)

    assert report.figures["cases"] > 40
    assert not report.faults


def test_foreign_tables_refuse_no_start(tmp_path: Path) -> None:
    report = ledger_damage.replace_tables(tmp_path, present=2, departed=1)

    assert report.figures["cases"] > 30
    assert not report.faults


def test_torn_copies_of_a_live_state_start(tmp_path: Path) -> None:
    report = ledger_damage.tear_live_state(tmp_path, copies=3, photos=9)

    assert report.figures["torn copies"] == 3
    assert not report.faults


def test_daemon_answers_on_a_ledger_with_a_flipped_bit(tmp_path: Path) -> None:
    report = serve_flipped_bits(tmp_path, cases=1, present=3, departed=2)

    assert report.figures["cases"] == 1
    assert not report.faults
