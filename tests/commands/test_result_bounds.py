"""`dogid results` within bounds of time, score and folder, by what a person types."""

import itertools
import json
from collections.abc import Iterator

import pytest

from dogid.cli import main
from dogid.commands.result_bounds import ResultBounds
from dogid.ledger.database import open_for_reading
from dogid.ledger.queries import ResultFilter, list_results
from tests.exporting.answered_ledger import HOSTILE, classify, fill
from tests.ledger.ledger_folder import Inbox


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbox]:
    made = Inbox(tmp_path_factory.mktemp("answered"))
    fill(made)
    classify(made, "gate/100%41/b.jpg", score=0.25)
    yield made
    made.close()


def run_results(inbox: Inbox, *flags: str) -> int:
    return main(["results", *flags, "--inbox", str(inbox.folder), "--state", str(inbox.state), "--json"])


DAY = ("--since", "2023-11-14", "--until", "2023-11-14")
CAT = ("--min-score", "0.5", "--max-score", ".5")


@pytest.mark.parametrize(
    ("flags", "files"),
    [
        (CAT, {"pond/a.jpg"}),
        (("--min-score", "0.9"), {"alone.jpg"}),
        (("--folder", "pond/"), {"pond/a.jpg", "pond/long name of a photo.jpg"}),
        (("--folder", "pon"), set[str]()),
        (("--folder", "gate", "--max-score", "0.3"), {"gate/100%41/b.jpg"}),
        (("--folder", "gate/100%41"), {"gate/100%41/b.jpg"}),
        ((*DAY, "--status", "failed"), {"broken.jpg"}),
        ((*DAY, *CAT), {"pond/a.jpg"}),
        (("--since", "2023-11-15T00:00Z"), set[str]()),
        (("--until", "2023-11-13"), set[str]()),
        (("--since", "100000w", "--folder", "gate", "--min-score", "0.7"), {f"gate/{name}" for name in HOSTILE}),
    ],
)
def test_bounds_choose_results(
    answered: Inbox, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], files: set[str]
) -> None:
    assert run_results(answered, *flags) == 0
    assert {result["file"] for result in json.loads(capsys.readouterr().out)["results"]} == files


def test_followed_results_are_bounded_as_queries_are(answered: Inbox) -> None:
    db = open_for_reading(answered.state)
    everything = list_results(db, ResultFilter(limit=1000))
    moments = [None, *sorted({row[0] for row in db.execute("SELECT classified_at FROM photo")} - {None})]
    scores, folders = [None, 0.5, 0.75, 0.9], [None, "", "gate", "gate/", "/pond", "gate/100%41", "gate/100A", "x"]
    tried = [ResultBounds(since, until) for since in moments for until in moments]
    tried += [ResultBounds(None, None, *each) for each in itertools.product(scores, scores, folders)]
    for bounds in tried:
        wanted = ResultFilter(1000, since_ms=bounds.since_ms, until_ms=bounds.until_ms, min_score=bounds.min_score,
            max_score=bounds.max_score, folder=bounds.folder)  # fmt: skip
        assert [result for result in everything if bounds.allow(result)] == list_results(db, wanted), bounds


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--since", "soon"), "--since: 'soon' is no moment: write 2026-11-29"),
        (("--until", "-"), "--until: '-' is no moment"),
        (("--min-score", "half"), "--min-score: it must be a number from 0 to 1"),
        (("--max-score", "nan"), "--max-score: it must be a number from 0 to 1"),
        (("--new",), "--new prints what comes from now on: give --follow with it"),
        (("--new", "--from", "http://127.0.0.1:1/"), "give --follow with it; or --since for what came before"),
    ],
)
def test_wrong_bounds_are_explained(
    answered: Inbox, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], reason: str
) -> None:
    assert run_results(answered, *flags) == 2
    assert reason in capsys.readouterr().err
