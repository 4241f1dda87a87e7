"""Getting in without the token: guessing it, forging its cookie, pretending to be somebody else."""

import base64
import hashlib
import hmac
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dogid.web.auth.access import COOKIE, Access
from tests.attacks.conftest import BEARER, TOKEN
from tests.attacks.wire import exchange, host, request
from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.http_client import Reply
from tests.support.photos import photo, put

PATHS = [
    "/", "/?file=mine.jpg", "/results", "/results/1", "/status", "/healthz", "/metrics", "/events", "/openapi.json",
    "//results", "/results/", "/results?", "/./results", "/page/../results", "/page/static/../../results",
    "/page/login/../../results", "/login/../results", "/%72esults", "/results;login", "/results#/login",
    "/results?/page/login", "/page/static/..%2f..%2fresults", "/LOGIN/../results", "/nothing",
]  # fmt: skip
WRONG = [
    "", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), f"{TOKEN},{TOKEN}", f'"{TOKEN}"', "null", "undefined", "*", "%00",
    "\xe9" * 20, "x" * 8000,
]  # fmt: skip


@pytest.fixture
def own_token_daemon(make_daemon: MakeDaemon, tmp_path: Path) -> DaemonProcess:
    """A daemon of this test's own with a token, as wrong tokens are counted."""
    token = put(tmp_path / "token", TOKEN.encode())
    return make_daemon("--host", "0.0.0.0", "--token-file", str(token)).start()


def _login(daemon: DaemonProcess, token: str) -> Reply:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return request(daemon, "/login", "POST", headers, f"token={token}".encode())


def _cookie(reply: Reply) -> str:
    return (reply.headers["Set-Cookie"] or "").partition(";")[0]


@pytest.mark.parametrize("path", PATHS)
def test_path_variants_require_token(token_daemon: DaemonProcess, path: str) -> None:
    raw = f"GET {path} HTTP/1.1\r\nHost: {host(token_daemon)}\r\nConnection: close\r\n\r\n".encode()

    reply = exchange(token_daemon, raw)

    assert reply is not None
    if path.startswith(("/page/", "/login", "/LOGIN")):
        assert reply.status in (401, 404, 405)
    else:
        assert (reply.status, reply.code) == (401, "unauthorized")
    assert b'"results"' not in reply.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"])
def test_every_method_requires_token(token_daemon: DaemonProcess, method: str) -> None:
    assert request(token_daemon, "/results", method).status in (401, 405)


def test_wrong_tokens_are_refused_and_rate_limited(own_token_daemon: DaemonProcess) -> None:
    """The right one opens meanwhile: behind a proxy all come from one address, and its length forbids guessing."""
    inside = {"Cookie": _cookie(_login(own_token_daemon, TOKEN))}
    statuses = [request(own_token_daemon, headers={"Authorization": f"Bearer {wrong}"}).status for wrong in WRONG]

    assert set(statuses) == {401, 429}
    assert statuses[:8] == [401] * 8
    assert statuses[-1] == 429
    refused = request(own_token_daemon, headers={"Authorization": f"Bearer {WRONG[0]}"})
    assert (refused.status, refused.code) == (429, "too_many_tries")
    assert 0 < int(refused.headers["Retry-After"] or 0) <= 60
    assert request(own_token_daemon, headers=inside).status == 200
    assert request(own_token_daemon, headers=BEARER).status == 200


def test_login_attempts_are_rate_limited(own_token_daemon: DaemonProcess) -> None:
    inside = {"Cookie": _cookie(_login(own_token_daemon, TOKEN))}
    with ThreadPoolExecutor(20) as guessers:
        replies = list(guessers.map(lambda number: _login(own_token_daemon, f"guess-{number:040}"), range(200)))

    assert [reply.headers["Set-Cookie"] for reply in replies] == [None] * 200
    assert sum(reply.status != 429 for reply in replies) <= 20, "those already being answered, and ten"
    assert _login(own_token_daemon, TOKEN).headers["Set-Cookie"] is not None
    assert request(own_token_daemon, headers=inside).status == 200


def test_forged_client_address_neither_opens_nor_resets_limit(own_token_daemon: DaemonProcess) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"):
        assert request(own_token_daemon, headers={name: "127.0.0.1"}).status == 401
        for number in range(12):
            address = f"for=10.0.0.{number}" if name == "Forwarded" else f"10.0.0.{number}"
            last = request(own_token_daemon, headers={name: address, "Authorization": "Bearer wrong-wrong-wrong-wrong"})
        assert last.status == 429, name


@pytest.mark.parametrize(
    "header",
    [
        f"Basic {base64.b64encode(TOKEN.encode()).decode()}",
        f"Basic {base64.b64encode(f':{TOKEN}'.encode()).decode()}",
        TOKEN, f"Token {TOKEN}", f"Bearer{TOKEN}", f"Bearer\t{TOKEN}", "Bearer", "Digest x",
    ],
)  # fmt: skip
def test_only_bearer_scheme_is_accepted(token_daemon: DaemonProcess, header: str) -> None:
    assert request(token_daemon, headers={"Authorization": header}).status in (401, 429)


@pytest.mark.parametrize("query", ["token", "access_token", "Authorization"])
def test_token_in_url_is_refused(token_daemon: DaemonProcess, query: str) -> None:
    """Addresses end up in logs and histories."""
    assert request(token_daemon, f"/results?{query}={TOKEN}").status == 401


def test_cookie_is_http_only_same_site_and_holds_no_token(token_daemon: DaemonProcess) -> None:
    reply = _login(token_daemon, TOKEN)
    set_cookie = reply.headers["Set-Cookie"] or ""

    assert reply.headers["Location"] == "/"
    assert "HttpOnly" in set_cookie
    assert "SameSite=Strict" in set_cookie
    assert TOKEN not in set_cookie
    assert hashlib.sha256(TOKEN.encode()).hexdigest() not in set_cookie
    assert request(token_daemon, headers={"Cookie": _cookie(reply)}).status == 200


def _forged() -> dict[str, str]:
    right = Access(TOKEN, frozenset()).make_session()
    subject, stamp, signature = right.split(".")
    later = base64.urlsafe_b64encode(int(time.time() + 9e6).to_bytes(4, "big")).rstrip(b"=").decode()
    other = Access("another-token-of-this-daemon", frozenset()).make_session()
    plain = hmac.new(TOKEN.encode(), f"{subject}.{stamp}".encode(), hashlib.sha256).digest()
    signed = base64.urlsafe_b64encode(plain).rstrip(b"=").decode()
    return {
        "another subject": f"admin.{stamp}.{signature}",
        "another date": f"{subject}.{later}.{signature}",
        "no signature": f"{subject}.{stamp}",
        "an empty signature": f"{subject}.{stamp}.",
        "a changed signature": f"{subject}.{stamp}.{signature[:-2]}AA",
        "the token before it was changed": other,
        "signed with the token itself": f"{subject}.{stamp}.{signed}",
        "the token": TOKEN,
        "true": "true",
        "nothing": "",
        "dots": "..",
        "no ASCII": "\xff.\xff.\xff",
        "long": "a" * 8000,
    }


@pytest.mark.parametrize("kind", _forged())
def test_forged_cookie_is_refused(token_daemon: DaemonProcess, kind: str) -> None:
    assert request(token_daemon, headers={"Cookie": f"{COOKIE}={_forged()[kind]}"}).status == 401


def test_changed_token_ends_sessions(own_token_daemon: DaemonProcess) -> None:
    inside = {"Cookie": _cookie(_login(own_token_daemon, TOKEN))}
    assert request(own_token_daemon, headers=inside).status == 200
    own_token_daemon.stop()
    token = own_token_daemon.state.parent / "token"
    token.write_text("changed-changed-changed-changed\n")
    own_token_daemon.start()

    assert request(own_token_daemon, headers=inside).status == 401


@pytest.mark.parametrize("host_flag", ["0.0.0.0", "::"])
def test_public_address_requires_token(make_daemon: MakeDaemon, host_flag: str) -> None:
    daemon = make_daemon("--host", host_flag)
    daemon.launch()

    assert daemon.wait() == 2
    assert "--token-file" in daemon.log_text()
    assert "--insecure-no-auth" in daemon.log_text()
    assert "Traceback" not in daemon.log_text()


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"short\n", b"with spaces in the middle\n", b"\xff" * 40, b"caf\xc3\xa9" * 9]
)
def test_invalid_token_file_stops_start(make_daemon: MakeDaemon, inbox: Path, content: bytes) -> None:
    token = put(inbox.parent / "token", content)
    daemon = make_daemon("--host", "0.0.0.0", "--token-file", str(token))
    daemon.launch()

    assert daemon.wait() == 2
    assert str(token) in daemon.log_text()
    assert "make a token with" in daemon.log_text()
    assert "Traceback" not in daemon.log_text()


def test_token_appears_in_no_log_or_response(own_token_daemon: DaemonProcess) -> None:
    for path in ("/status", "/openapi.json", "/metrics", "/", "/nothing"):
        assert TOKEN.encode() not in request(own_token_daemon, path, headers=BEARER).body
    _login(own_token_daemon, TOKEN)
    assert request(own_token_daemon, "/classify", "POST", BEARER, photo(1)).status == 200
    assert TOKEN not in own_token_daemon.log_text()
    assert TOKEN not in Path(f"/proc/{own_token_daemon.pid}/cmdline").read_text()
