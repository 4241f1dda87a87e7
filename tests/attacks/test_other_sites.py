"""Pages of other sites in the browser of somebody who may ask: CSRF, DNS rebinding, framing, reading across origins."""

from collections.abc import Callable

import pytest

from tests.attacks.conftest import BEARER, TOKEN
from tests.attacks.wire import address, exchange, exchange_raw, host, multipart_form, request
from tests.support.daemon import DaemonProcess
from tests.support.http_client import Reply
from tests.support.photos import photo

FOREIGN: list[Callable[[str], dict[str, str]]] = [
    lambda own: {"Origin": "https://evil.example"},  # noqa: ARG005
    lambda own: {"Origin": "null"},  # noqa: ARG005
    lambda own: {"Origin": ""},  # noqa: ARG005
    lambda own: {"Origin": f"http://{own}.evil.example"},
    lambda own: {"Origin": f"http://evil.example/{own}"},
    lambda own: {"Origin": f"http://evil.example#{own}"},
    lambda own: {"Origin": f"http://{own}@evil.example"},
    lambda own: {"Origin": f"http://evil.example@{own}"},
    lambda own: {"Origin": f"{own}"},
    lambda own: {"Origin": f"http://{own.split(':')[0]}:1"},
    lambda own: {"Origin": f"http://{own.split(':')[0]}"},
    lambda own: {"Origin": "http://["},  # noqa: ARG005
    lambda own: {"Origin": f"http://{own}, https://evil.example"},
    lambda own: {"Sec-Fetch-Site": "cross-site"},  # noqa: ARG005
    lambda own: {"Sec-Fetch-Site": "same-site"},  # noqa: ARG005
    lambda own: {"Sec-Fetch-Site": "CROSS-SITE", "Origin": f"http://{own}"},
    lambda own: {"Sec-Fetch-Site": "", "Origin": f"http://{own}"},
    lambda own: {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{own}"},
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda make: str(make("127.0.0.1:8000")))
def test_cross_site_upload_is_refused(open_daemon: DaemonProcess, foreign: Callable[[str], dict[str, str]]) -> None:
    headers, body = multipart_form(b"a.jpg", photo(1))

    reply = request(open_daemon, "/classify", "POST", headers | foreign(host(open_daemon)), body)

    assert (reply.status, reply.code) == (403, "foreign_origin")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=w"])
def test_simple_cross_site_forms_are_refused(open_daemon: DaemonProcess, kind: str) -> None:
    headers = {"Content-Type": kind, "Origin": "https://evil.example"}

    assert request(open_daemon, "/classify", "POST", headers, photo(1)).status == 403


def test_cross_site_session_use_is_refused(token_daemon: DaemonProcess) -> None:
    login = request(
        token_daemon, "/login", "POST", {"Content-Type": "application/x-www-form-urlencoded"}, f"token={TOKEN}".encode()
    )
    cookie = (login.headers["Set-Cookie"] or "").partition(";")[0]
    evil = {"Cookie": cookie, "Origin": "https://evil.example"}

    assert request(token_daemon, "/classify", "POST", evil, photo(1)).status == 403
    assert request(token_daemon, "/classify", "POST", {"Cookie": cookie}, photo(1)).status == 200


def test_cross_site_login_is_refused(token_daemon: DaemonProcess) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example"}

    reply = request(token_daemon, "/login", "POST", headers, f"token={TOKEN}".encode())

    assert reply.status == 403
    assert reply.headers["Set-Cookie"] is None


def test_cross_site_logout_is_refused(token_daemon: DaemonProcess) -> None:
    reply = request(token_daemon, "/logout", "POST", {"Origin": "https://evil.example"})

    assert reply.status in (401, 403)
    assert reply.headers["Set-Cookie"] is None


@pytest.mark.parametrize(
    "path", ["/", "/results", "/status", "/openapi.json", "/events-not", "/classify", "/?file=mine.jpg"]
)
def test_responses_forbid_cross_site_reading_framing_and_sniffing(open_daemon: DaemonProcess, path: str) -> None:
    reply = request(open_daemon, path, headers={"Origin": "https://evil.example"})

    assert not [name for name, _ in reply.headers.items() if name.lower().startswith("access-control-")]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert reply.headers["Referrer-Policy"] == "same-origin"
    policy = reply.headers["Content-Security-Policy"] or ""
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_preflight_is_not_granted(open_daemon: DaemonProcess) -> None:
    headers = {
        "Origin": "https://evil.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization", "Access-Control-Request-Private-Network": "true",
    }  # fmt: skip
    reply = request(open_daemon, "/classify", "OPTIONS", headers)

    assert not [name for name, _ in reply.headers.items() if name.lower().startswith("access-control-")]


REBOUND = [
    "evil.example", "evil.example:{port}", "localhost.evil.example:{port}", "127.0.0.1.evil.example:{port}",
    "127.0.0.1.nip.io", "localhost@evil.example", "evil.example#localhost", "evil.example/localhost",
    "evil.example, 127.0.0.1:{port}", "127.0.0.1:{port}, evil.example", "[::1]evil.example", "[::1].evil.example",
    "[evil.example]", "127.0.0.1:{port}@evil.example", "127.0.0.1:x", "127.0.0.1:{port}:80", "127.0.0.1 evil.example",
    "localhost\tevil.example", "localhost\\evil.example", "localhost..evil", "127.0.0.1%00.evil.example",
    "", ".", ":", "[", "[]", "*", "\xe9vil.example", "0x7f.0.0.1.evil", "notlocalhost", "xlocalhost", "localhost_",
    "a" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("name", REBOUND, ids=lambda name: name[:30])
def test_foreign_host_is_refused(open_daemon: DaemonProcess, name: str) -> None:
    asked = name.format(port=address(open_daemon)[1])

    reply = exchange(open_daemon, f"GET /results HTTP/1.1\r\nHost: {asked}\r\n\r\n".encode("latin-1"))

    _is_refused(reply)


@pytest.mark.parametrize(
    "text",
    [
        "GET /results HTTP/1.1\r\n\r\n",
        "GET /results HTTP/1.0\r\n\r\n",
        "GET /results HTTP/1.1\r\nHost: {own}\r\nHost: evil.example\r\n\r\n",
        "GET /results HTTP/1.1\r\nHost: evil.example\r\nHost: {own}\r\n\r\n",
        "GET http://evil.example/results HTTP/1.1\r\nHost: {own}\r\n\r\n",
        "GET http://evil.example:80/results HTTP/1.1\r\nHost: {own}\r\n\r\n",
        "GET http://{own}@evil.example/results HTTP/1.1\r\nHost: {own}\r\n\r\n",
        "GET /results HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: {own}\r\n\r\n",
        "GET /results HTTP/1.1\r\nHost: evil.example\r\nX-Host: {own}\r\nForwarded: host={own}\r\n\r\n",
        "GET /results HTTP/1.1\r\nHost: evil.example\r\nX-Original-URL: /\r\nX-HTTP-Host-Override: {own}\r\n\r\n",
    ],
)
def test_second_host_does_not_excuse_foreign_one(open_daemon: DaemonProcess, text: str) -> None:
    _is_refused(exchange(open_daemon, text.format(own=host(open_daemon)).encode()))


def test_token_does_not_excuse_foreign_host(token_daemon: DaemonProcess) -> None:
    asked = f"GET /results HTTP/1.1\r\nHost: evil.example\r\nAuthorization: {BEARER['Authorization']}\r\n\r\n"

    _is_refused(exchange(token_daemon, asked.encode()))


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "localhost", "LOCALHOST:{port}", "[::1]", "[::1]:{port}", "dogid.localhost"]
)
def test_own_hosts_are_accepted(open_daemon: DaemonProcess, name: str) -> None:
    asked = name.format(port=address(open_daemon)[1])

    reply = exchange(open_daemon, f"GET /results HTTP/1.1\r\nHost: {asked}\r\n\r\n".encode())

    assert reply is not None
    assert reply.status == 200


def test_no_redirect_leads_to_another_site(token_daemon: DaemonProcess) -> None:
    for target in ("//evil.example", "//evil.example/..", "/\\evil.example", "/page/login?next=https://evil.example"):
        received = exchange_raw(
            token_daemon, f"GET {target} HTTP/1.1\r\nHost: {host(token_daemon)}\r\nAccept: text/html\r\n\r\n".encode()
        )
        locations = [line for line in received.split(b"\r\n") if line.lower().startswith(b"location:")]
        assert all(b"evil" not in line for line in locations), locations


def _is_refused(reply: Reply | None) -> None:
    assert reply is not None
    assert reply.status in (400, 421)
    assert b'"results"' not in reply.body
