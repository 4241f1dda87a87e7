"""What the page's forms for reviews and models take and refuse, without a browser."""

import urllib.parse

import pytest

from tests.support.daemon import DaemonProcess
from tests.support.http_client import Reply, fetch
from tests.support.photos import photo, put

_JSON = "application/json"
_BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.fixture(scope="module")
def answered(shared_daemon: DaemonProcess) -> DaemonProcess:
    """A daemon that has classified a photo, whose id is 1."""
    put(shared_daemon.inbox / "a.jpg", photo(1))
    assert shared_daemon.wait_for_answer("a.jpg")["id"] == 1
    return shared_daemon


def send(daemon: DaemonProcess, path: str, fields: dict[str, str], **headers: str) -> Reply:
    """Send a form as a browser does."""
    sent = {"Content-Type": "application/x-www-form-urlencoded", "Accept": _BROWSER, **headers}
    return fetch(daemon.url, path, method="POST", body=urllib.parse.urlencode(fields).encode(), headers=sent)


@pytest.mark.parametrize("path", ["/review", "/models", "/status"])
def test_browsers_get_the_page_and_programs_json(answered: DaemonProcess, path: str) -> None:
    for accept, kind in (
        (_BROWSER, "text/html"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
    ):
        reply = fetch(answered.url, path, headers={"Accept": accept})
        assert reply.headers["Content-Type"].startswith(kind)
        assert "Accept" in reply.headers["Vary"].split(", ")
    assert fetch(answered.url, path).headers["Content-Type"] == _JSON


@pytest.mark.parametrize(("path", "status"), [("/nope", 404), ("/upload", 405)])
def test_unknown_address_is_a_page_for_browsers(answered: DaemonProcess, path: str, status: int) -> None:
    page = fetch(answered.url, path, headers={"Accept": _BROWSER})
    assert page.status == status
    assert "There is no such page" in page.body.decode()
    assert fetch(answered.url, path, headers={"Accept": "*/*"}).code in ("not_found", "method_not_allowed")


def test_forms_of_other_sites_are_refused(answered: DaemonProcess) -> None:
    for path in ("/page/review", "/page/models"):
        fields = {"ids": "1", "label": "wolf", "activate": "x"}
        assert send(answered, path, fields, Origin="http://evil.example").code == "foreign_origin"
        assert send(answered, path, fields, **{"Sec-Fetch-Site": "cross-site"}).code == "foreign_origin"
    assert answered.get("/results/1")["reviewed"] is None


@pytest.mark.parametrize("back", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", ""])
def test_form_never_leads_to_another_site(answered: DaemonProcess, back: str) -> None:
    assert send(answered, "/page/review", {"ids": "1", "verdict": "unsure", "back": back}).headers["Location"] == "/"


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"verdict": "unsure"}, 400, "no photo is selected"),
        ({"ids": "1,x", "verdict": "unsure"}, 400, "ids must be whole numbers"),
        ({"ids": "1", "verdict": "wrong"}, 400, "there is no verdict &#39;wrong&#39;"),
        ({"ids": "1", "typed": " "}, 400, "the label is empty"),
        ({"ids": "99", "label": "wolf"}, 404, "there is no result 99"),
        ({"ids": ",".join(["1"] * 1001), "label": "wolf"}, 400, "1001 photos are selected; at most 1000"),
    ],
)
def test_refused_form_gives_reason(answered: DaemonProcess, fields: dict[str, str], status: int, reason: str) -> None:
    page = send(answered, "/page/review", {**fields, "back": "/review?order=new"})

    assert page.status == status
    assert reason in page.body.decode()
    assert 'href="/review?order=new"' in page.body.decode()
    assert send(answered, "/page/review", fields, Accept="application/json").status == status


def test_models_form_refuses_unknown_model(answered: DaemonProcess) -> None:
    page = send(answered, "/page/models", {"activate": "none.tflite"})

    assert page.status == 404
    assert "none.tflite" in page.body.decode()
    assert send(answered, "/page/models", {"roll_back": "1"}).status == 409
