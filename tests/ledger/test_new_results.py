"""What rules go by is what the whole results say."""

from dogid.errors import PhotoCode
from dogid.ledger import new_results
from dogid.ledger.new_results import list_new_results_since
from dogid.ledger.review_writer import say_label
from tests.ledger.ledger_folder import Inbox, add, add_classified, fail


def test_new_results_say_what_results_say(inbox: Inbox) -> None:
    first = add_classified(inbox, "gate/a b.jpg")
    fail(inbox, add(inbox, "yard/é.jpg"), PhotoCode.CORRUPT)
    inbox.overwrite("gate/a b.jpg", "another")
    inbox.ledger.review([first], say_label("wolf", "anna"))
    add_classified(inbox, "last.jpg")
    add(inbox, "waits.jpg")
    inbox.db.thresholds = {"cat": 1.5}

    quick, slow = list_new_results_since(inbox.db, 0, 99), new_results._list_around_damage(inbox.db, 0, 99)
    assert quick.found == slow.found
    assert [(each.folder, each.label, each.unsure) for each in quick.found] == [
        ("gate", "cat", True),
        ("yard", None, False),
        ("gate", "cat", True),
        ("", "cat", True),
    ]
    assert list_new_results_since(inbox.db, quick.found[0].seq, 2).found == quick.found[1:3]
    assert list_new_results_since(inbox.db, quick.found[-1].seq, 2) == ([], None, False)


def test_damaged_row_is_no_new_result(inbox: Inbox) -> None:
    for name in ("a", "b", "c"):
        add_classified(inbox, name)
    db = inbox.ledger.connection.db
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute("UPDATE photo SET label = CAST(x'ff7b' AS TEXT) WHERE id = 2")

    assert [each.result_id for each in list_new_results_since(inbox.db, 0, 9).found] == [1, 3]
