"""The page with many cameras, labels and days: it stays small for slow connections, and its numbers are right."""

import contextlib
import re
from collections.abc import Iterator
from html import unescape

import pytest
from flask.testing import FlaskClient

from dogid.daemon.daemon import Daemon
from dogid.settings import Settings
from dogid.web.app import create_app
from dogid.web.auth.access import Access
from dogid.web.pages import filter_choices
from tests.benchmarks import page_cost

SMALL = 66_000  # bytes, of all that a visitor loads besides thumbnails
_PHOTOS = 1400  # of twenty days


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """The page with eight cameras and twelve labels, which are as many as have a link each."""
    folder = tmp_path_factory.mktemp("full")
    (folder / "inbox").mkdir()
    daemon = Daemon(Settings(inbox=folder / "inbox", state=folder / "empty"))
    known = daemon.model.labels
    daemon.ledger.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_cost, "LABELS", (*known, *(f"squirrel {at}" for at in range(12 - len(known)))))
        patch.setattr(filter_choices, "_CPU_SECONDS", 60.0)  # all are counted, also on a busy machine
        patch.setattr(filter_choices, "_SECONDS", 60.0)
        page_cost.fill(folder / "state", _PHOTOS)
        daemon = Daemon(Settings(inbox=folder / "inbox", state=folder / "state"))
        yield create_app(daemon, Access(None, frozenset({"localhost"})), contextlib.nullcontext).test_client()
        daemon.ledger.close()


def find_links(html: str, group: str) -> list[tuple[str, str]]:
    """Address and number of each link of a group of filters."""
    (part,) = re.findall(rf'<ul [^>]* aria-label="{group}">(.*?)</ul>', html, re.DOTALL)
    return [(unescape(link), number) for link, number in re.findall(r'<a href="([^"]*)".*?<span>([^<]*)</span>', part)]


def test_full_page_is_smaller_than_66_kilobytes(client: FlaskClient) -> None:
    html = client.get("/").text
    assert [len(find_links(html, group)) for group in ("Label", "Folder", "Day")] == [12, 8, 14]
    assert html.count("/page/thumbnail/") == 24

    parts = set(re.findall(r'(?:href|src)="(/page/static/[^"]+)"', html))
    sizes = {part: len(client.get(part).get_data()) for part in parts}
    assert len(html.encode()) + sum(sizes.values()) < SMALL, (len(html), sizes)


def test_numbers_of_links_are_those_of_their_pages(client: FlaskClient) -> None:
    def count_shown(address: str, name: str = "All") -> str:
        return str(re.findall(rf"<bdi>{name}</bdi> <span>([^<]*)<", client.get(address).text)[0])

    html = client.get("/").text
    for address, number in [*find_links(html, "Day"), *find_links(html, "Label")[:2], *find_links(html, "Folder")[:2]]:
        assert count_shown(address) == number, address
    assert count_shown("/", "Not reviewed") == f"{_PHOTOS:,}"
    assert client.post("/results/7/label", json={"verdict": "confirmed"}).status_code == 200
    assert count_shown("/", "Not reviewed") == f"{_PHOTOS - 1:,}"
    assert count_shown("/", "Reviewed") == "1"
