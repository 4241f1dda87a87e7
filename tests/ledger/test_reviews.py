"""A person's word on a photo is kept by content, beside the model's answers, and nothing that is said is lost."""

import os
from dataclasses import replace
from hashlib import sha256

import pytest

from dogid.learning_run.stored_contradictions import list_stored_contradictions
from dogid.ledger import embeddings, queries
from dogid.ledger.database import FILE_NAME
from dogid.ledger.forget import delete_photos
from dogid.ledger.histories import read_history_page
from dogid.ledger.outcomes import Classified, Job, Timings
from dogid.ledger.review_writer import (
    NoAnswerError,
    UnknownLabelError,
    UnknownResultError,
    WordError,
    rename_label,
    say_label,
    say_verdict,
)
from dogid.ledger.reviews import (
    Review,
    count_corrections_since,
    count_reviewed_labels,
    count_reviews,
    find_standing_review,
    list_newest_embeddings,
    list_reviewed_embeddings,
    list_reviews,
    list_standing_reviews,
)
from tests.ledger.ledger_folder import Inbox, add, add_classified, moved
from tests.support.photos import put

NETWORK = "ab" * 32


def content(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def said(inbox: Inbox, name: str) -> list[tuple[str, str | None]]:
    return [(review.verdict, review.label) for review in list_reviews(inbox.db, content(name))]


def standing(inbox: Inbox) -> list[Review]:
    return [found.review for found in list_standing_reviews(inbox.db, NETWORK)]


def outcome(inbox: Inbox, job: Job, data: bytes | None, network: str = NETWORK) -> Classified:
    digest, scores = sha256(job.path).hexdigest(), {"cat": 0.75, "dog": 0.25}
    made = Classified(job, job.version, digest, 4, 3, scores, inbox.model_id, Timings(1, 2, 4))
    return made if data is None else replace(made, embedding=data, network=network)


def test_latest_word_stands_and_all_are_kept(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    for word in (
        say_label(" wolf ", "anna"), say_label("wolf", "anna"), say_verdict("unsure", "ben"),
        say_verdict("withdrawn", "ben"), say_verdict("withdrawn", "ben"), say_verdict("confirmed", "carl"),
    ):  # fmt: skip
        inbox.ledger.review([photo], word)

    assert said(inbox, "a") == [("confirmed", "cat"), ("withdrawn", None), ("unsure", None), ("labelled", "wolf")]
    (found,) = standing(inbox)
    assert (found.by, found.label, found.model_label, found.model_score) == ("carl", "cat", "cat", 1.0)
    assert count_reviews(inbox.db) == {"labelled": 0, "confirmed": 1, "unsure": 0, "corrected": 0}
    inbox.ledger.review([photo], say_verdict("withdrawn", "ben"))
    assert standing(inbox) == []
    assert find_standing_review(inbox.db, content("a")) is None


def test_word_stays_with_a_content_under_all_its_names(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    inbox.ledger.review([photo], say_label("wolf", "anna"))
    moved(inbox, "a", "b")
    put(inbox.folder / "copy", b"a")
    inbox.observe("copy")
    inbox.classify(inbox.job(), "dog")
    (inbox.folder / "b").unlink()
    inbox.ledger.note_left([b"b"])
    inbox.ledger.forget([photo])
    inbox.reopen()

    (found,) = standing(inbox)
    assert (found.label, found.path, found.model_label) == ("wolf", b"a", "cat")
    assert inbox.db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_answers_on_training_photos_are_no_reviewed_photos(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    inbox.ledger.review([photo], say_label("wolf", "anna"))
    asked = {"name": None, "label": "cat", "other": "wolf", "reason": "looks like it"}
    contradictions = [asked | {"sha256": sha256} for sha256 in (content("a"), "cd" * 32)]
    assert [one["sha256"] for one in list_stored_contradictions(inbox.db, contradictions)] == ["cd" * 32]

    for word in (say_verdict("unsure", "ben"), say_verdict("withdrawn", "ben")):
        assert inbox.ledger.review_training_photos({content("a"): "cat"}, word) == 0  # anna's word stays
    for label, word in (("cat", say_verdict("confirmed", "ben")), ("pug", say_label("wolf", "ben"))):
        inbox.ledger.review_training_photos({sha256(label.encode()).hexdigest(): label}, word)
    assert said(inbox, "a") == [("labelled", "wolf")]
    assert count_reviews(inbox.db) == {"labelled": 1, "confirmed": 0, "unsure": 0, "corrected": 1}
    assert count_reviewed_labels(inbox.db) == {"wolf": 1}
    assert count_corrections_since(inbox.db, 0) == 3  # all change what is learned from


def test_word_outlives_the_answer_of_another_model(inbox: Inbox) -> None:
    former = add_classified(inbox, "a")
    inbox.ledger.review([former], say_label("wolf", "anna"))
    inbox.model_id = inbox.ledger.register_model("new.tflite", "11", ("cat", "dog"))
    os.utime(inbox.folder / "a", (7, 7))
    inbox.observe("a")
    inbox.classify(inbox.job(), "dog")

    (result,) = queries.list_results(inbox.db, queries.ResultFilter(label="wolf"))
    assert (result["label"], result["reviewed"]["label"], result["id"] > former) == ("dog", "wolf", True)
    assert queries.list_results(inbox.db, queries.ResultFilter(label="dog", reviewed="labelled")) == [result]
    words = [step for step in read_history_page(inbox.db, result["id"]).steps if step["event"] == "reviewed"]
    assert [step["detail"] for step in words] == ["labelled wolf by anna"]


def test_words_on_many_photos_are_written_all_or_none(inbox: Inbox) -> None:
    ids = [add_classified(inbox, name) for name in ("a", "b")]
    pending = add(inbox, "c").id

    with pytest.raises(UnknownResultError, match="99"):
        inbox.ledger.review([*ids, 99], say_label("wolf", "anna"))
    with pytest.raises(NoAnswerError, match=str(pending)):
        inbox.ledger.review([*ids, pending], say_label("wolf", "anna"))
    assert standing(inbox) == []
    assert inbox.ledger.review([*ids, ids[0]], say_label("wolf", "anna")) == 2


@pytest.mark.parametrize(
    "label", ["", " \t", "a" * 201, "a\nb", "a\0b", "\ud800", "a\u2028b", "\u200b", "\u200d", "a\u202eb", "\ufeffpug"]
)
def test_label_that_cannot_be_shown_is_refused(label: str) -> None:
    with pytest.raises(WordError):
        say_label(label, "anna")


def test_labels_that_look_the_same_are_one() -> None:
    assert say_label("cafe\u0301 \u200d", "anna").label == "café"


@pytest.mark.parametrize("label", ["a" * 200, "Ünïcødé 犬", "👩‍🌾 / <b>&'\"", "../..", "%s{}"])
def test_label_may_have_any_characters(inbox: Inbox, label: str) -> None:
    inbox.ledger.review([add_classified(inbox, "a")], say_label(label, "anna"))

    assert count_reviewed_labels(inbox.db) == {label: 1}


def test_label_is_renamed_where_it_stands(inbox: Inbox) -> None:
    a, b, c = (add_classified(inbox, name) for name in ("a", "b", "c"))
    inbox.ledger.review([a, b], say_label("wolff", "anna"))
    inbox.ledger.review([c], say_label("wolf", "anna"))
    inbox.ledger.review([b], say_verdict("withdrawn", "anna"))

    with inbox.ledger._transaction():
        assert rename_label(inbox.ledger.connection.db, "wolff", "wolf", "ben", inbox.clock.wall_ms()) == 1
        for old, error, reason in (("wollf", UnknownLabelError, "gave: wolf"), ("wolf", WordError, "the same")):
            with pytest.raises(error, match=reason):
                rename_label(inbox.ledger.connection.db, old, "wolf", "ben", inbox.clock.wall_ms())
    assert count_reviewed_labels(inbox.db) == {"wolf": 2}
    assert said(inbox, "a") == [("labelled", "wolf"), ("labelled", "wolff")]


def test_numbers_of_words_and_results_are_never_shared(inbox: Inbox) -> None:
    inbox.ledger.review([add_classified(inbox, "a")], say_label("wolf", "anna"))
    inbox.ledger.connection.db.execute("UPDATE counter SET value = 0 WHERE name = 'seq'")
    inbox.reopen()
    photo = add_classified(inbox, "b")

    (seq,) = inbox.db.execute("SELECT seq FROM photo WHERE id = ?", (photo,)).fetchone()
    assert seq == standing(inbox)[0].id + 1


def test_embeddings_of_new_and_of_reviewed_photos_are_kept(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "MOST_RECENT", 3)
    monkeypatch.setattr(embeddings, "_TRIM_EVERY", 0)
    jobs = [add(inbox, name) for name in "abcde"]
    inbox.ledger.record([outcome(inbox, jobs[0], b"0"), outcome(inbox, jobs[1], b"1")])
    inbox.ledger.review([jobs[0].id], say_label("wolf", "anna"))
    for number, job in enumerate(jobs[2:], 2):
        inbox.ledger.record([outcome(inbox, job, b"%d" % number)])

    newest = list_newest_embeddings(inbox.db, NETWORK, 9)
    assert [(found.photo_id, found.data) for found in newest] == [(job.id, b"%d" % (job.id - 1)) for job in jobs[:1:-1]]
    assert [found.embedding for found in list_standing_reviews(inbox.db, NETWORK)] == [b"0"]
    assert [found.embedding for found in list_standing_reviews(inbox.db, "other")] == [None]
    inbox.ledger.store_reviewed_embeddings("other", {content("a"): b"new", content("b"): b"not reviewed"})
    assert [found.embedding for found in list_standing_reviews(inbox.db, "other")] == [b"new"]
    assert inbox.db.execute("SELECT count(*) FROM reviewed_embedding").fetchone()[0] == 2


def test_reviewed_content_gets_the_embedding_of_a_new_network(inbox: Inbox) -> None:
    job = add(inbox, "a")
    inbox.ledger.record([outcome(inbox, job, None)])
    assert inbox.db.execute("SELECT count(*) FROM recent_embedding").fetchone()[0] == 0
    inbox.ledger.review([job.id], say_label("wolf", "anna"))
    put(inbox.folder / "copy", b"a")
    inbox.observe("copy")
    copy = inbox.job()
    inbox.ledger.record([replace(outcome(inbox, copy, b"1", "new"), sha256=content("a"))])

    assert [found.embedding for found in list_standing_reviews(inbox.db, "new")] == [b"1"]
    inbox.ledger.forget([copy.id])
    assert list_newest_embeddings(inbox.db, "new", 9) == []
    assert [found.embedding for found in list_standing_reviews(inbox.db, "new")] == [b"1"]


def test_words_are_forgotten_on_request_with_the_last_photo(inbox: Inbox) -> None:
    jobs = [add(inbox, name) for name in ("a", "b")]
    inbox.ledger.record([replace(outcome(inbox, job, b"1"), sha256=content("a")) for job in jobs])
    inbox.ledger.review([jobs[0].id], say_label("wolf", "anna"))
    with inbox.ledger._transaction():
        delete_photos(inbox.ledger.connection.db, [jobs[0].id], with_reviews=True)
    assert len(standing(inbox)) == 1
    with inbox.ledger._transaction():
        delete_photos(inbox.ledger.connection.db, [jobs[1].id], with_reviews=True)

    assert list_reviews(inbox.db, content("a")) == []
    assert inbox.db.execute("SELECT count(*) FROM reviewed_embedding").fetchone()[0] == 0


@pytest.mark.parametrize(
    "query",
    [
        embeddings._KEEP,
        f"SELECT 1 FROM photo WHERE {queries._IS_REVIEWED.format('true')}",
        f"SELECT 1 FROM photo WHERE {queries._IS_OTHERWISE_LABELLED}",
    ],
)
def test_photos_of_a_content_are_found_by_an_index(inbox: Inbox, query: str) -> None:
    values = ["0" * 64] * query.count("?1") or ["wolf"] * query.count("?")
    plan = [row["detail"] for row in inbox.ledger.connection.db.execute(f"EXPLAIN QUERY PLAN {query}", values[:2])]

    assert any("USING INDEX photo_content (<expr>=?)" in step for step in plan)
    assert not any(step.startswith(("SCAN photo", "SCAN copy")) for step in plan)


@pytest.fixture
def reviewed(inbox: Inbox) -> Inbox:
    """An inbox with three photos that were reviewed, with embeddings, and one of them twice."""
    jobs = [add(inbox, name) for name in ("a", "b", "c")]
    inbox.ledger.record([outcome(inbox, job, bytes(1280)) for job in jobs])
    inbox.ledger.review([job.id for job in jobs], say_label("wolf", "anna"))
    inbox.ledger.review([jobs[0].id], say_label("fox", "ben"))
    return inbox


def test_reviewed_embeddings_are_the_last_of_words_that_stand(reviewed: Inbox) -> None:
    reviewed.ledger.store_reviewed_embeddings(NETWORK, {content("c"): b"other size"})
    reviewed.ledger.review([2], say_verdict("withdrawn", "anna"))

    assert list_reviewed_embeddings(reviewed.db, NETWORK, 9) == [b"other size", bytes(1280)]
    assert list_reviewed_embeddings(reviewed.db, NETWORK, 1) == [b"other size"]


_NOT_UTF8 = "CAST(x'ff7b' AS TEXT)"


@pytest.mark.parametrize(
    ("table", "change", "left"),
    [
        ("review", f"label = {_NOT_UTF8}", ["wolf", "wolf", None]),
        ("review", "verdict = 'lbbelled'", ["wolf", "wolf", "wolf"]),
        ("review", "sha256 = 'x'", ["wolf", "wolf", "wolf"]),
        ("review", "at = 1 << 62", ["wolf", "wolf", "wolf"]),
        ("review", "sha256 = 'x', photo_id = 99", ["wolf", "wolf"]),
        ("review", f"reviewer = {_NOT_UTF8}", ["wolf", "wolf", "wolf"]),
        ("review", f"model_label = {_NOT_UTF8}", ["wolf", "wolf", "wolf"]),
        ("recent_embedding", f"network = {_NOT_UTF8}", ["wolf", "wolf", "wolf"]),
        ("reviewed_embedding", f"network = {_NOT_UTF8}", ["wolf", "wolf", "wolf"]),
    ],
)
def test_damaged_row_of_a_review_costs_that_row(inbox: Inbox, table: str, change: str, left: list[str]) -> None:
    jobs = [add(inbox, name) for name in ("a", "b", "c")]
    inbox.ledger.record([outcome(inbox, job, bytes(1280)) for job in jobs])
    inbox.ledger.review([job.id for job in jobs], say_label("wolf", "anna"))
    db = inbox.ledger.connection.db
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute(f"UPDATE {table} SET {change} WHERE rowid = (SELECT max(rowid) FROM {table})")
    db.execute("PRAGMA ignore_check_constraints = OFF")
    damaged_table = inbox.ledger.repairer.repair_table(table, 0)

    assert damaged_table[1] == 1
    assert inbox.ledger.repairer.repair_table(table, 0)[1] == 0
    assert [review.label for review in standing(inbox)] == left
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_word_with_a_flipped_bit_costs_no_other_result(reviewed: Inbox) -> None:
    path = reviewed.state / FILE_NAME
    reviewed.ledger.connection.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = path.read_bytes()
    # in the header of a row, the types of the verdict `labelled` and of the label `fox`, which becomes a blob
    # https://www.sqlite.org/fileformat2.html#record_format
    assert data.count(b"\x1d\x13") == 1
    path.write_bytes(data.replace(b"\x1d\x13", b"\x1d\x12"))
    for db in (reviewed.db, reviewed.ledger.connection.db):
        db.execute("PRAGMA shrink_memory")  # they have the page as it was

    results = queries.list_results(reviewed.db, queries.ResultFilter())
    assert [result["reviewed"]["label"] for result in results] == ["wolf", "wolf"]
    assert queries.find_result(reviewed.db, 1) is None
    assert reviewed.db.damaged_rows == 1
    assert read_history_page(reviewed.db, 1).steps == []
    assert reviewed.ledger.repairer.repair_table("review", 0)[1] == 1
    assert [review.label for review in standing(reviewed)] == ["wolf", "wolf", "fox"]
    assert len(queries.list_results(reviewed.db, queries.ResultFilter(label="fox"))) == 1


@pytest.mark.parametrize("lost", [b"", b"tablereview", b"tablereviewed_embedding"])
def test_words_and_embeddings_are_salvaged(reviewed: Inbox, lost: bytes) -> None:
    """Also where it is lost which pages are a table's: tables that are described as no table."""
    tables = ("review", "recent_embedding", "reviewed_embedding")
    before = {name: [tuple(row) for row in reviewed.db.execute(f"SELECT * FROM {name}")] for name in tables}
    reviewed.close()
    path = reviewed.state / FILE_NAME
    data = bytearray(path.read_bytes())
    data[0] ^= 0xFF
    data[data.index(lost)] ^= 0xFF if lost else 0
    path.write_bytes(data)
    reviewed.open()

    assert reviewed.ledger.moved_aside is not None
    assert len(before["review"]) == 4
    assert {name: [tuple(row) for row in reviewed.db.execute(f"SELECT * FROM {name}")] for name in tables} == before
    reviewed.ledger.review([1], say_label("wolf", "carl"))
    assert list_reviews(reviewed.db, content("a"))[0].id > before["review"][-1][0]
