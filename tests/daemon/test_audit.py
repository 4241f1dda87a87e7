"""What the audit costs."""

import os
from pathlib import Path

from dogid.auditing import SAME_FILE, audit
from dogid.clock import Clock
from dogid.inbox.scan import look, scan
from dogid.ledger.database import open_for_reading
from dogid.ledger.ledger import Ledger
from tests.support.photos import put


def test_the_audit_finds_other_names_of_a_file_by_its_inode_and_not_by_looking_at_every_photo(tmp_path: Path) -> None:
    Ledger(tmp_path, lambda _: None, Clock()).close()
    db = open_for_reading(tmp_path)
    plan = " ".join(str(row["detail"]) for row in db.execute(f"EXPLAIN QUERY PLAN {SAME_FILE}", (1, 1, 1)))
    db.close()

    assert "USING INDEX photo_inode (inode=?)" in plan


def test_the_audit_asks_once_for_the_names_of_a_file_that_has_thousands(tmp_path: Path) -> None:
    inbox, state = tmp_path / "inbox", tmp_path / "state"
    state.mkdir()
    first = put(inbox / "first.jpg", b"photo")
    for number in range(50):
        os.link(first, inbox / f"{number}.jpg")
    ledger = Ledger(state, lambda path: look(inbox, path), Clock())
    ledger.observe(list(scan(inbox)))
    ledger.close()
    db = open_for_reading(state)
    asked: list[str] = []
    db.set_trace_callback(asked.append)

    found = audit(db, inbox)

    db.close()
    assert found.is_clean
    assert found.photos == 51
    assert sum("+state = 'classified'" in statement for statement in asked) == 1
