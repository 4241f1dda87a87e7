"""Filters of `/results` and `dogid results`: by presence, and what happens to names that do not exist."""

import json
from pathlib import Path

import pytest

from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch
from tests.support.photos import photo, put
from tests.support.waiting import eventually


def test_results_can_be_those_that_are_there(daemon: DaemonProcess, inbox: Path) -> None:
    gone = put(inbox / "gone.jpg", photo(1))
    put(inbox / "stays.jpg", photo(2))
    daemon.wait_for_all_answers(2)
    gone.unlink()
    eventually(lambda: not daemon.results_by_name()["gone.jpg"]["present"], "it has left")

    for value, flag, names in (("true", "--present", ["stays.jpg"]), ("false", "--absent", ["gone.jpg"])):
        assert [found["file"] for found in daemon.get(f"/results?present={value}")["results"]] == names
        printed = json.loads(daemon.command("results", flag, "--json").stdout)["results"]
        assert [found["file"] for found in printed] == names
    next_page = daemon.get("/results?present=true&limit=1")["next"]
    assert "present=true" in next_page
    page, everything = fetch(daemon.url, "/").body.decode(), fetch(daemon.url, "/?show=all").body.decode()
    assert "gone.jpg" not in page
    assert "Show the 1 that left the inbox" in page
    assert "gone.jpg" in everything


@pytest.mark.parametrize(
    ("query", "expected"),
    [("label=pugg", "there is no label 'pugg'; labels are pug,"), ("lable=pug", "parameters are limit, before, label")],
)
def test_unknown_names_are_errors_that_name_the_known_ones(
    shared_daemon: DaemonProcess, query: str, expected: str
) -> None:
    reply = fetch(shared_daemon.url, f"/results?{query}")

    assert (reply.status, reply.code) == (400, "bad_request")
    assert expected in reply.document["error"]["message"]


def test_results_with_unknown_label_is_wrong_usage(shared_daemon: DaemonProcess) -> None:
    done = shared_daemon.command("results", "--label", "pugg")

    assert done.returncode == 2
    assert "labels are pug," in done.stderr
