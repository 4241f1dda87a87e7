"""What `/results` spares: answers that have not changed, and bytes."""

import gzip
import json
from pathlib import Path

from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch
from tests.support.photos import photo


def test_unchanged_page_gives_304(daemon: DaemonProcess, inbox: Path) -> None:
    (inbox / "a.jpg").write_bytes(photo(1))
    daemon.wait_for_answer("a.jpg")
    first = fetch(daemon.url, "/results")

    again = fetch(daemon.url, "/results", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]

    (inbox / "b.jpg").write_bytes(photo(2))
    daemon.wait_for_answer("b.jpg")
    changed = fetch(daemon.url, "/results", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status == 200
    assert [result["file"] for result in changed.document["results"]] == ["b.jpg", "a.jpg"]
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_etag_survives_restart(daemon: DaemonProcess, inbox: Path) -> None:
    (inbox / "a.jpg").write_bytes(photo(1))
    daemon.wait_for_answer("a.jpg")
    before = fetch(daemon.url, "/results").headers["ETag"]
    daemon.stop()
    daemon.start()
    assert fetch(daemon.url, "/results", headers={"If-None-Match": before}).status == 304


def test_filters_are_cached_separately(daemon: DaemonProcess, inbox: Path) -> None:
    (inbox / "a.jpg").write_bytes(photo(1))
    (inbox / "text.jpg").write_text("no photo")
    daemon.wait_for_all_answers(2)
    pages = {query: fetch(daemon.url, f"/results?{query}").body for query in ("", "status=failed", "limit=1")}
    assert {query: fetch(daemon.url, f"/results?{query}").body for query in pages} == pages
    assert len(set(pages.values())) == 3


def test_responses_are_gzipped_on_request(daemon: DaemonProcess, inbox: Path) -> None:
    for number in range(5):
        (inbox / f"{number}.jpg").write_bytes(photo(number))
    daemon.wait_for_all_answers(5)
    plain = fetch(daemon.url, "/results")
    for path in ("/results", "/openapi.json"):
        packed = fetch(daemon.url, path, headers={"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert gzip.decompress(packed.body) == fetch(daemon.url, path).body
        assert len(packed.body) == int(packed.headers["Content-Length"])
    assert "Content-Encoding" not in plain.headers
    refused = fetch(daemon.url, "/results", headers={"Accept-Encoding": "gzip;q=0, br"})
    assert json.loads(refused.body) == plain.document


def test_repeated_parameter_is_refused(daemon: DaemonProcess) -> None:
    reply = fetch(daemon.url, "/results?limit=1&limit=2")
    assert (reply.status, reply.code) == (400, "bad_request")
