"""Where time is over before a photo is found, the page says so, and links to where the search goes on."""

import contextlib
import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import pytest
from flask.testing import FlaskClient

from dogid.daemon.daemon import Daemon
from dogid.ledger import bounded_search
from dogid.settings import Settings
from dogid.web.app import create_app
from dogid.web.auth.access import Access
from dogid.web.pages import filter_choices
from dogid.web.pages.filters import NewerPage, PhotoFilter, find_newer, find_newer_page, find_older
from tests.ledger.ledger_folder import Inbox, add_classified

_PHOTOS = 40
_FOLDER = "Drive"  # of the first photo and the last one


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbox]:
    """Photos, of which the first and the last are of one camera; one of another has left the inbox."""
    inbox = Inbox(tmp_path_factory.mktemp("searched"))
    for number in range(1, _PHOTOS + 1):
        add_classified(inbox, f"{_FOLDER if number in (1, _PHOTOS) else 'Pond'}/{number}.jpg")
    inbox.ledger.connection.db.execute("UPDATE photo SET absent_at = 1 WHERE id = 7")
    yield inbox
    inbox.close()


@pytest.fixture(scope="module")
def client(inbox: Inbox) -> Iterator[FlaskClient]:
    daemon = Daemon(Settings(inbox=inbox.folder, state=inbox.state))
    yield create_app(daemon, Access(None, frozenset({"localhost"})), contextlib.nullcontext).test_client()
    daemon.ledger.close()


@pytest.fixture
def _little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_search, "_FIRST_ROWS", 5)
    monkeypatch.setattr(bounded_search, "_SECONDS", 0)  # each search ends after the first rows


def follow(client: FlaskClient, path: str, rel: str) -> tuple[str, str]:
    """Address and words of the link to the previous or next photos on a page."""
    html = client.get(path).get_data(as_text=True)
    (link,) = re.findall(rf'<a [^>]*rel="{rel}"[^>]*>.*?</a>', html)
    words = re.findall(r'aria-label="([^"]*)"', link) or re.findall(">([^<]+)</a>", link)
    return unescape(re.findall('href="([^"]*)"', link)[0]), words[0]


@pytest.mark.usefixtures("_little_time")
@pytest.mark.parametrize(("rel", "start", "end"), [("next", _PHOTOS, 1), ("prev", 1, _PHOTOS)])
@pytest.mark.parametrize("view", ["photo", "full"])
def test_neighbour_is_found_by_further_searches(client: FlaskClient, view: str, rel: str, start: int, end: int) -> None:
    address, words = follow(client, f"/page/{view}/{start}?folder={_FOLDER}", rel)
    assert words.endswith(": not known yet, look further")

    for _ in range(_PHOTOS):
        html = client.get(address).get_data(as_text=True)
        if f'data-id="{end}"' in html:
            break
        address, words = follow(client, address, rel)
        assert words in ("Newer", "Older", "Look among newer photos")
    assert f'data-id="{end}"' in html


def test_neighbours_without_end_of_time_are_plain(client: FlaskClient) -> None:
    path = f"/page/photo/{_PHOTOS}?folder={_FOLDER}"
    assert follow(client, path, "next") == (f"/page/photo/1?folder={_FOLDER}&place=2", "Older")
    assert 'rel="prev"' not in client.get(path).get_data(as_text=True)


def test_newer_page_is_exact_or_goes_on(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = PhotoFilter(before=6, show="all")
    assert find_newer_page(inbox.db, everything, []) == NewerPage(6 + 24, is_found=True)
    assert find_newer_page(inbox.db, replace(everything, before=_PHOTOS), []) == NewerPage(_PHOTOS + 1, is_found=True)
    assert find_newer_page(inbox.db, replace(everything, before=_PHOTOS + 1), []) is None
    assert find_newer_page(inbox.db, PhotoFilter(), []) is None
    monkeypatch.setattr(bounded_search, "_FIRST_ROWS", 5)
    monkeypatch.setattr(bounded_search, "_SECONDS", 0)
    assert find_newer_page(inbox.db, everything, []) == NewerPage(11, is_found=True)
    assert find_newer_page(inbox.db, replace(everything, folder=_FOLDER), []) == NewerPage(11, is_found=False)
    none = PhotoFilter(name="none")
    assert find_older(inbox.db, none, 3) == find_newer(inbox.db, none, _PHOTOS - 2)  # all was looked at


@pytest.mark.usefixtures("_little_time")
@pytest.mark.parametrize(
    "query",
    ["show=gone&label=cat", "label=cat&reviewed=true", "reviewed=false&show=gone", "show=gone&status=classified"],
)
def test_combined_conditions_are_searched_in_parts(inbox: Inbox, query: str) -> None:
    wanted = PhotoFilter.from_query(dict(part.split("=") for part in query.split("&")))
    assert find_older(inbox.db, wanted, _PHOTOS).further == _PHOTOS - 5


def test_gone_photos_are_counted_by_the_filter(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def offer(query: str) -> list[str]:
        return re.findall("(?:Show|Hide) [^<]* that left the inbox", client.get(query).get_data(as_text=True))

    assert offer("/") == offer("/?folder=Pond") == ["Show the 1 that left the inbox"]
    assert offer("/?folder=Pond&show=all") == ["Hide the 1 that left the inbox"]
    assert offer(f"/?folder={_FOLDER}") == []
    monkeypatch.setattr(filter_choices, "_CPU_SECONDS", 0)
    assert offer(f"/?folder={_FOLDER}") == ["Show those that left the inbox"]


def test_count_that_has_found_none_yet_is_left_out(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_search, "_STEPS", 1)
    clock = iter([False, *[True] * 1000])
    monkeypatch.setattr(bounded_search.Stopwatch, "is_over", property(lambda _: next(clock)))
    choices = filter_choices.build_choices(inbox.db, PhotoFilter(folder="Pond"), (), (), (), dt.date(2026, 11, 1))
    assert {choice.count for choice in choices.states} == {""}


@pytest.mark.usefixtures("_little_time")
@pytest.mark.parametrize(
    ("query", "expected"),
    [("folder=Drive", [_PHOTOS, 1]), ("max_score=0.1", []), ("since=2999-01-01", []), ("label=cat&present=false", [7])],
)
def test_results_that_no_index_finds_come_page_by_page(client: FlaskClient, query: str, expected: list[int]) -> None:
    found, pages, following = list[int](), 0, f"/results?{query}"
    while following:
        page = client.get(following).get_json()
        found += [result["id"] for result in page["results"]]
        pages, following = pages + 1, page["next"]
    assert found == expected
    assert pages > 1
