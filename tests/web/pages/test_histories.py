"""The history of a photo that was overwritten many times, as JSON and on its page."""

import contextlib
import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from dogid.clock import Clock
from dogid.daemon.daemon import Daemon
from dogid.ledger.ledger import Ledger
from dogid.settings import Settings
from dogid.web.app import create_app
from dogid.web.auth.access import Access
from tests.ledger.ledger_folder import insert_versions

VERSIONS = 20_000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """The application on such a ledger."""
    folder = tmp_path_factory.mktemp("histories")
    (folder / "state").mkdir()
    ledger = Ledger(folder / "state", lambda _: None, Clock())
    insert_versions(ledger, VERSIONS)
    ledger.close()
    daemon = Daemon(Settings(inbox=folder / "inbox", state=folder / "state", port=0))
    yield create_app(daemon, Access(None, frozenset({"localhost"})), contextlib.nullcontext).test_client()
    daemon.ledger.close()


def test_history_is_paged_by_next(client: FlaskClient) -> None:
    page = client.get(f"/results/{VERSIONS}")
    assert len(page.data) < 30_000
    seen = []
    for _ in range(3):
        document = page.get_json()
        seen += [(step["result"], step["event"]) for step in document["history"]]
        page = client.get(document["next"])

    versions = range(VERSIONS, VERSIONS - 75, -1)
    assert seen == [(version, event) for version in versions for event in ("classified", "seen")]


def test_last_page_of_a_history_has_no_next(client: FlaskClient) -> None:
    document = client.get(f"/results/{VERSIONS}?before=3").get_json()

    assert [step["result"] for step in document["history"]] == [2, 2, 1, 1]
    assert document["next"] is None


def test_page_may_begin_at_a_step(client: FlaskClient) -> None:
    document = client.get(f"/results/{VERSIONS}?before=3&step=1").get_json()

    assert [(step["result"], step["event"]) for step in document["history"][:2]] == [(3, "seen"), (2, "classified")]


@pytest.mark.parametrize("query", ["before=x", "before=-1", "step=5000", "before=1&before=2"])
def test_wrong_place_in_a_history_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/results/{VERSIONS}?{query}").status_code == 400


def test_photo_page_links_to_older_history(client: FlaskClient) -> None:
    html = client.get(f"/page/photo/{VERSIONS}").text
    assert len(html) < 30_000
    assert html.count("<b>classified</b>") == 25
    assert ">Newest</a>" not in html

    (link,) = re.findall(r'<a href="([^"]*)#history">Older</a>', html)
    older = client.get(link.replace("&amp;", "&")).text
    assert older.count("<b>classified</b>") == 25
    assert f'<a href="/page/photo/{VERSIONS}#history">Newest</a>' in older
    assert ">Older</a></nav>" not in client.get(f"/page/photo/{VERSIONS}?before=3").text
