"""What people say about photos, over HTTP: kept beside the model's answer, shown everywhere, refused from elsewhere."""

import json
import re
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from tests.support.daemon import DaemonProcess
from tests.support.http_client import Reply, fetch
from tests.support.photos import photo, put
from tests.support.waiting import eventually
from tests.web.api.event_listener import Listener


def say(daemon: DaemonProcess, path: str, body: Any, method: str = "POST", **headers: str) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return fetch(daemon.url, path, method=method, body=data, headers={"Content-Type": "application/json", **headers})


@pytest.fixture(scope="module")
def answered(shared_daemon: DaemonProcess) -> DaemonProcess:
    """A daemon that has classified four photos, and failed at a file."""
    for number in range(4):
        put(shared_daemon.inbox / f"{number}.jpg", photo(number))
    put(shared_daemon.inbox / "text.jpg", b"no photo")
    shared_daemon.wait_for_all_answers(5)
    return shared_daemon


def result_of(daemon: DaemonProcess, number: int) -> dict[str, Any]:
    return daemon.wait_for_answer(f"{number}.jpg")


def test_word_is_shown_beside_the_answer(answered: DaemonProcess) -> None:
    before = result_of(answered, 0)
    label_path = f"/results/{before['id']}/label"
    with closing(Listener(answered)) as listener:
        labelled = say(answered, label_path, {"label": "rottweiler", "by": "anna"})
        ((_, announced),) = listener.receive(1)
    word = labelled.document["reviewed"]

    assert labelled.status == 200
    assert labelled.document | {"reviewed": None} == before
    assert (word["label"], word["verdict"], word["by"]) == ("rottweiler", "labelled", "anna")
    assert announced == labelled.document == result_of(answered, 0)
    confirmed = say(answered, label_path, {"verdict": "confirmed"}).document["reviewed"]
    assert (confirmed["label"], confirmed["verdict"]) == (before["label"], "confirmed")
    assert "127.0.0.1" in confirmed["by"]
    unsure = say(answered, label_path, {"verdict": "unsure"}).document["reviewed"]
    assert (unsure["label"], unsure["verdict"]) == (None, "unsure")
    assert fetch(answered.url, label_path, method="DELETE").document == before
    history = answered.get(f"/results/{before['id']}")["history"]
    assert [step["detail"].partition(" by ")[0] for step in history if step["event"] == "reviewed"] == [
        "withdrawn", "unsure", f"confirmed {before['label']}", "labelled rottweiler",
    ]  # fmt: skip
    printed = json.loads(answered.command("why", "0.jpg", "--json").stdout)["history"]
    assert printed == history


def test_many_photos_get_a_word_at_once_or_none(answered: DaemonProcess) -> None:
    ids = [result_of(answered, number)["id"] for number in (1, 2)]

    refused = say(answered, "/labels", {"ids": [*ids, 999_999], "label": "wolf"})
    assert (refused.status, refused.code) == (404, "not_found")
    assert result_of(answered, 1)["reviewed"] is None
    done = say(answered, "/labels", {"ids": ids, "label": "wolf"})
    assert [result["id"] for result in done.document["results"]] == ids
    assert {result["reviewed"]["label"] for result in done.document["results"]} == {"wolf"}

    def names(query: str) -> set[str]:
        return {found["file"] for found in answered.get(f"/results?{query}")["results"]}

    assert names("reviewed=true") == names("label=wolf") == names("reviewed=labelled") == {"1.jpg", "2.jpg"}
    assert {"0.jpg", "3.jpg", "text.jpg"} == names("reviewed=false")
    assert names(f"label={result_of(answered, 1)['label']}") >= {"1.jpg"}
    assert names("label=wolf&reviewed=unsure") == set()
    next_page = answered.get("/results?reviewed=true&limit=1")["next"]
    assert [found["file"] for found in answered.get(next_page)["results"]] == ["1.jpg"]
    metrics = fetch(answered.url, "/metrics").body.decode()
    assert re.search(r'^dogid_reviews\{verdict="labelled"\} 2', metrics, re.MULTILINE)
    assert {found["file"] for found in answered.get("/review?order=new")["results"]} == {"0.jpg", "3.jpg"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'{"label": 1}', {}, {"label": "a", "verdict": "unsure"}, {"label": ""}, {"label": "a" * 201},
        {"label": "a\n"  "b"}, {"verdict": "withdrawn"}, {"verdict": "sure"}, {"label": "a", "by": ""}, {"lable": "a"},
        b'{"label": "\\ud800"}', b"[" * 90_000, {"label": None},
    ],
)  # fmt: skip
def test_body_that_says_nothing_is_refused(answered: DaemonProcess, body: Any) -> None:
    reply = say(answered, f"/results/{result_of(answered, 3)['id']}/label", body)

    assert (reply.status, reply.code) == (400, "bad_request")
    assert result_of(answered, 3)["reviewed"] is None


@pytest.mark.parametrize("ids", [[], [0], [True], ["1"], [1.5], None, [1] * 1001])
def test_ids_that_are_none_are_refused(answered: DaemonProcess, ids: Any) -> None:
    assert say(answered, "/labels", {"ids": ids, "label": "wolf"}).status == 400


def test_only_accepted_sessions_count_as_signed_in(answered: DaemonProcess) -> None:
    path = f"/results/{result_of(answered, 3)['id']}/label"
    word = say(answered, path, {"verdict": "unsure"}, Cookie="dogid_session=x").document["reviewed"]
    say(answered, path, {}, "DELETE")

    assert word["by"] == "client at 127.0.0.1"


def test_page_of_another_site_cannot_label(answered: DaemonProcess) -> None:
    photo_id = result_of(answered, 3)["id"]
    foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}

    for path, body in ((f"/results/{photo_id}/label", {"label": "x"}), ("/labels", {"ids": [photo_id], "label": "x"})):
        assert say(answered, path, body, **foreign).code == "foreign_origin"
        assert say(answered, path, body, **{"Content-Type": "text/plain", "Origin": "null"}).status == 403
    assert fetch(answered.url, f"/results/{photo_id}/label", method="DELETE", headers=foreign).status == 403
    assert result_of(answered, 3)["reviewed"] is None


def test_failed_photo_has_nothing_to_confirm(answered: DaemonProcess) -> None:
    path = f"/results/{answered.wait_for_answer('text.jpg')['id']}/label"

    assert say(answered, path, {"verdict": "confirmed"}).code == "not_classified"
    assert say(answered, "/results/999999/label", {"verdict": "confirmed"}).code == "not_found"
    assert say(answered, f"/results/{2**64}/label", {"verdict": "confirmed"}).code == "not_found"


def test_review_asks_about_a_burst_once(daemon: DaemonProcess) -> None:
    rng = np.random.default_rng(1)
    for number in range(3):
        put(daemon.inbox / f"other-{number}.jpg", photo(10 * number))
    daemon.wait_for_all_answers(3)
    data = photo(77)
    for number in range(5):  # frames of a burst: the same picture, of other bytes
        put(daemon.inbox / f"burst-{number}.jpg", data + rng.bytes(16))
    daemon.wait_for_all_answers(8)

    for order in ("doubt", "new", "spread"):
        found = [result["file"] for result in daemon.get(f"/review?order={order}")["results"]]
        assert len(found) == 8
        assert sum(name.startswith("burst") for name in found[:4]) == 1, (order, found)
    doubt = daemon.get("/review?limit=1")["results"][0]
    assert len(say(daemon, "/labels", {"ids": [doubt["id"]], "verdict": "unsure"}).document["results"]) == 1
    eventually(lambda: doubt["id"] not in {found["id"] for found in daemon.get("/review")["results"]}, "it is reviewed")
