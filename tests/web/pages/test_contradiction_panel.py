"""Contradicting photos as the page asks about them: of those without a picture a person cannot say what they show."""

from pathlib import Path

from dogid.web.pages.contradiction_panel import build_panel
from tests.ledger.ledger_folder import Inbox, add_classified

_ELSEWHERE = "ab" * 32


def test_photos_that_are_not_here_are_a_group_of_their_own(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    photo_id = add_classified(inbox, "a")
    (here,) = inbox.db.execute("SELECT sha256 FROM photo").fetchone()
    asked = {"label": "other", "other": "pug", "reason": "looks like pug", "answer": None}
    seen, unseen = build_panel(inbox.db, [asked | {"sha256": one} for one in (_ELSEWHERE, here)]).asked
    inbox.close()

    assert (seen.is_here, seen.contents) == (True, (here,))
    assert seen.shown[0].result is not None
    assert seen.shown[0].result["id"] == photo_id
    assert (unseen.is_here, unseen.contents, unseen.shown[0].result) == (False, (_ELSEWHERE,), None)
