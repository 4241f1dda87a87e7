"""The page with a model that knows many labels, some of them hostile."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from dogid.clock import Clock
from dogid.daemon.daemon import Daemon
from dogid.inbox.scan import FoundFile, Version
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Timings
from dogid.settings import Settings
from dogid.web.app import create_app
from dogid.web.auth.access import Access

HOSTILE = "<script>alert('label')</script>\" onload=\"x"
LABELS = (*(f"kind {number:03d}" for number in range(300)), HOSTILE)


def fill(state: Path) -> None:
    """Make a ledger in which each label was given once."""
    state.mkdir()
    ledger = Ledger(state, lambda _: None, Clock())
    model = ledger.register_model("m", "00", LABELS)
    ledger.observe([FoundFile(b"%d.jpg" % at, Version(at, 9, 9)) for at in range(len(LABELS))])
    jobs = ledger.claim(len(LABELS), (), oldest=True)
    ledger.record(
        [
            Classified(job, job.version, f"{at:064x}"[::-1], 1, 1, {label: 0.9}, model, Timings(1, 1, 1))
            for at, (job, label) in enumerate(zip(jobs, LABELS, strict=True))
        ]
    )
    ledger.close()


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[FlaskClient]:
    """The page of such a ledger."""
    fill(tmp_path / "state")
    service = Daemon(Settings(inbox=tmp_path / "inbox", state=tmp_path / "state", port=0))
    yield create_app(service, Access(None, frozenset({"localhost"})), contextlib.nullcontext).test_client()
    service.ledger.close()


def test_many_labels_become_a_select_list(asked: FlaskClient) -> None:
    html = asked.get("/").text

    assert len(re.findall("<option", html)) == 1 + 200  # any, and the first
    known = len(LABELS) + len(asked.get("/status").get_json()["model"]["labels"])
    assert f"first 200 of {known}" in html
    assert 'aria-label="Label"' not in html
    by_day = html.partition('<table id="table"')[2].partition("</table>")[0]
    assert by_day.count('scope="col"') == 1 + 6 + 1  # day, five labels and the others, all


def test_label_by_people_can_be_chosen(asked: FlaskClient) -> None:
    for photo_id, label in ((1, "rottweiler"), (2, "wolf"), (2, "kind 005")):  # none is a wolf any more
        assert asked.post(f"/results/{photo_id}/label", json={"label": label}).status_code == 200

    html = asked.get("/").text
    assert '<option value="rottweiler">' in html
    assert '<option value="wolf">' not in html
    assert len(re.findall("<option", html)) == 1 + 200
    chosen = asked.get("/", query_string={"label": "rottweiler"}).text
    assert len(re.findall(r"<li class=\"tile", chosen)) == 1


def test_hostile_label_is_shown_as_text(asked: FlaskClient) -> None:
    for path in ("/", "/?status=classified", f"/page/photo/{len(LABELS)}"):
        html = asked.get(path).text
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html

    chosen = asked.get("/", query_string={"label": HOSTILE}).text
    assert len(re.findall(r"<li class=\"tile", chosen)) == 1
    assert "<script>alert" not in chosen


def test_select_list_keeps_chosen_label(asked: FlaskClient) -> None:
    assert "selected" not in asked.get("/").text
    assert re.findall(r'<option value="">', asked.get("/").text)
    for label in ("kind 007", "kind 299", "never given"):
        html = asked.get("/", query_string={"label": label}).text
        assert re.findall(r'<option selected value="([^"]*)"', html) == [label]
