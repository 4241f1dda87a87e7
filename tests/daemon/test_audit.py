"""What the audit costs."""

from pathlib import Path

from dogid.clock import Clock
from dogid.commands.audit import SAME_FILE
from dogid.ledger.database import open_for_reading
from dogid.ledger.ledger import Ledger


def test_the_audit_finds_other_names_of_a_file_by_its_inode_and_not_by_looking_at_every_photo(tmp_path: Path) -> None:
    Ledger(tmp_path, lambda _: None, Clock()).close()
    db = open_for_reading(tmp_path)
    plan = " ".join(str(row["detail"]) for row in db.execute(f"EXPLAIN QUERY PLAN {SAME_FILE}", (1, 1, 1, b"a", 1)))
    db.close()

    assert "USING INDEX photo_inode (inode=?)" in plan
