"""What `/results` spares: answers that have not changed, and bytes."""

import gzip
import json
from pathlib import Path

from tests.support.asking import ask
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo


def test_a_page_that_has_not_changed_is_not_sent_again(daemon: DaemonProcess, inbox: Path) -> None:
    (inbox / "a.jpg").write_bytes(photo(1))
    daemon.answered("a.jpg")
    first = ask(daemon.url, "/results")

    again = ask(daemon.url, "/results", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]

    (inbox / "b.jpg").write_bytes(photo(2))
    daemon.answered("b.jpg")
    changed = ask(daemon.url, "/results", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status == 200
    assert [result["file"] for result in changed.document["results"]] == ["b.jpg", "a.jpg"]
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_the_same_page_has_the_same_etag_after_a_restart(daemon: DaemonProcess, inbox: Path) -> None:
    (inbox / "a.jpg").write_bytes(photo(1))
    daemon.answered("a.jpg")
    before = ask(daemon.url, "/results").headers["ETag"]
    daemon.stop()
    daemon.start()
    assert ask(daemon.url, "/results", headers={"If-None-Match": before}).status == 304


def test_each_filter_has_a_page_of_its_own(daemon: DaemonProcess, inbox: Path) -> None:
    (inbox / "a.jpg").write_bytes(photo(1))
    (inbox / "text.jpg").write_text("no photo")
    daemon.settled(2)
    pages = {query: ask(daemon.url, f"/results?{query}").body for query in ("", "status=failed", "limit=1")}
    assert {query: ask(daemon.url, f"/results?{query}").body for query in pages} == pages
    assert len(set(pages.values())) == 3


def test_answers_are_packed_for_those_who_take_it(daemon: DaemonProcess, inbox: Path) -> None:
    for number in range(5):
        (inbox / f"{number}.jpg").write_bytes(photo(number))
    daemon.settled(5)
    plain = ask(daemon.url, "/results")
    for path in ("/results", "/openapi.json"):
        packed = ask(daemon.url, path, headers={"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert gzip.decompress(packed.body) == ask(daemon.url, path).body
        assert len(packed.body) == int(packed.headers["Content-Length"])
    assert "Content-Encoding" not in plain.headers
    refused = ask(daemon.url, "/results", headers={"Accept-Encoding": "gzip;q=0, br"})
    assert json.loads(refused.body) == plain.document


def test_a_parameter_given_twice_is_refused(daemon: DaemonProcess) -> None:
    reply = ask(daemon.url, "/results?limit=1&limit=2")
    assert (reply.status, reply.code) == (400, "bad_request")
