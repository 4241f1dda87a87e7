"""Photos of one folder of the inbox, by its index."""

from dogid.ledger.gallery_queries import list_first_folders
from dogid.ledger.queries import ResultFilter, list_results
from tests.ledger.ledger_folder import Inbox, add_classified


def test_first_folder_is_found_by_its_index(inbox: Inbox) -> None:
    names = ("Pond/2026/b.jpg", "flat.jpg", "Pond/a.jpg", "100%25 Hut/c.jpg", "Teich ☂/d.jpg", "100% Hut/e.jpg")
    for name in names:
        add_classified(inbox, name)

    assert list_first_folders(inbox.db, 10) == ["100% Hut", "100%25 Hut", "Pond", "Teich ☂"]
    assert list_first_folders(inbox.db, 1) == ["100% Hut"]
    for folder, expected in (
        ("Pond", ["Pond/a.jpg", "Pond/2026/b.jpg"]),
        ("Pond/2026", ["Pond/2026/b.jpg"]),
        ("Teich ☂/", ["Teich ☂/d.jpg"]),
        ("Pon", []),
    ):
        assert [found["file"] for found in list_results(inbox.db, ResultFilter(folder=folder))] == expected
    plan = inbox.db.execute(
        "EXPLAIN QUERY PLAN SELECT id FROM photo WHERE state != 'superseded' AND instr(path, x'2f') > 0"
        " AND substr(path, 1, instr(path, x'2f')) = ? ORDER BY id DESC",
        (b"Pond/",),
    ).fetchall()
    assert [row["detail"] for row in plan] == ["SEARCH photo USING INDEX photo_folder (<expr>=?)"]
