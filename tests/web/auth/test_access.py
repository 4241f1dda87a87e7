"""Who may ask a daemon that serves other machines."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.commands.check_machine import check_port
from dogid.errors import UsageError
from dogid.file_names import one_line
from dogid.settings import Settings
from dogid.web.auth.access import Access, same_origin
from dogid.web.auth.rate_limit import WINDOW_SECONDS, LoginRateLimit
from dogid.web.server.listener import WebServer
from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess, dogid
from tests.support.http_client import Reply, fetch, multipart_form
from tests.support.photos import photo

TOKEN = "correct-horse-battery-staple"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


@pytest.fixture(scope="module")
def token_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that serves all addresses, for tests that do not count wrong tokens."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "inbox").mkdir()
    (folder / "token").write_text(f"{TOKEN}\n")
    flags = ("--host", "0.0.0.0", "--token-file", str(folder / "token"))
    made = DaemonProcess(folder / "inbox", folder / "state", *flags)
    try:
        yield _on_loopback(made.start())
    finally:
        made.close()


@pytest.fixture
def own_token_daemon(make_daemon: MakeDaemon, token_file: Path) -> DaemonProcess:
    """A daemon that serves all addresses, of this test's own."""
    return _on_loopback(make_daemon("--host", "0.0.0.0", "--token-file", str(token_file)).start())


def _on_loopback(daemon: DaemonProcess) -> DaemonProcess:
    daemon.url = daemon.url.replace("0.0.0.0", "127.0.0.1")
    return daemon


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def log_in(daemon: DaemonProcess, token: str = TOKEN) -> Reply:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return fetch(daemon.url, "/login", method="POST", body=f"token={token}".encode(), headers=headers)


def cookie_of(reply: Reply) -> dict[str, str]:
    return {"Cookie": reply.headers["Set-Cookie"].partition(";")[0]}


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_start_without_token_names_the_remedies(tmp_path: Path, inbox: Path, host: str) -> None:
    done = dogid("run", "--host", host, "--port", "0", "--inbox", str(inbox), "--state", str(tmp_path / "state"))
    assert done.returncode == 2
    assert "--token-file" in done.stderr
    assert "--insecure-no-auth" in done.stderr


@pytest.mark.parametrize(
    "host",
    ["x" * 64, "é" * 64, "é..b", os.fsdecode(b"\xff"), "127.0.0.1\0.evil", "127.0.0.1\n", "*"],
    ids=["long", "long, not ASCII", "empty part", "not UTF-8", "NUL", "line break", "all addresses"],
)
def test_host_that_no_machine_can_have_is_wrong_usage(host: str) -> None:
    shown = re.escape(one_line(host))
    with pytest.raises(UsageError, match=rf"^--host {shown}: not an address of this machine: .+; .+ by --host or"):
        WebServer(host, 0)
    with pytest.raises(UsageError, match=rf"^--host {shown}: not an address of this machine"):
        check_port(Settings(host=host))


def test_command_that_makes_a_token_works(tmp_path: Path, inbox: Path) -> None:
    done = dogid("run", "--host", "0.0.0.0", "--port", "0", "--inbox", str(inbox), "--state", str(tmp_path / "state"))
    command = done.stderr.partition("make a token with: ")[2].partition(" and give it")[0]
    assert command.startswith("(umask 077; python3 ")
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)

    assert len((tmp_path / "dogid-token").read_text().strip()) == 64
    assert (tmp_path / "dogid-token").stat().st_mode & 0o777 == 0o600


def test_insecure_no_auth_serves_with_warning(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("--host", "0.0.0.0", "--insecure-no-auth").start()
    assert fetch(daemon.url.replace("0.0.0.0", "127.0.0.1"), "/results").status == 200
    assert "WARNING anyone who can reach" in daemon.log.read_text()


@pytest.mark.parametrize("text", ["", "short", "with spaces in the middle", "ümlaut-token-is-no-header-value"])
def test_weak_token_is_refused(make_daemon: MakeDaemon, token_file: Path, text: str) -> None:
    token_file.write_text(text)
    daemon = make_daemon("--host", "0.0.0.0", "--token-file", str(token_file))
    daemon.launch()
    assert daemon.wait() == 2
    assert str(token_file) in daemon.log.read_text()


def test_systemd_credential_is_the_token(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    (tmp_path / "dogid_token").write_text(TOKEN)
    daemon = make_daemon("--host", "0.0.0.0", environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}).start()
    url = daemon.url.replace("0.0.0.0", "127.0.0.1")
    assert fetch(url, "/results").status == 401
    assert fetch(url, "/results", headers=bearer(TOKEN)).status == 200


def test_empty_credential_is_ignored(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    (tmp_path / "dogid_token").write_text("")
    daemon = make_daemon(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}).start()
    assert fetch(daemon.url, "/results").status == 200


PATHS = ["/results", "/results/1", "/status", "/healthz", "/metrics", "/events", "/openapi.json", "/?file=a.jpg", "/x"]


@pytest.mark.parametrize("path", PATHS)
def test_every_path_requires_token(token_daemon: DaemonProcess, path: str) -> None:
    reply = fetch(token_daemon.url, path)
    assert (reply.status, reply.code) == (401, "unauthorized")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert fetch(token_daemon.url, path, headers=bearer(TOKEN + "x")).status in (401, 429)  # 429: after ten wrong ones


def test_token_is_accepted(token_daemon: DaemonProcess) -> None:
    assert fetch(token_daemon.url, "/results", headers=bearer(TOKEN)).status == 200
    assert fetch(token_daemon.url, "/results", headers={"Authorization": f"bearer {TOKEN}"}).status == 200
    # a program with the token is no page of another site, wherever it says it comes from
    body, headers = multipart_form("a.jpg", photo(1))
    headers |= bearer(TOKEN) | {"Origin": "http://elsewhere.example"}
    assert fetch(token_daemon.url, "/classify", method="POST", body=body, headers=headers).status == 200


def test_browser_login_sets_cookie_without_token(token_daemon: DaemonProcess) -> None:
    led = fetch(token_daemon.url, "/", headers={"Accept": "text/html"})
    assert (led.status, led.headers["Location"]) == (303, "/page/login")

    reply = log_in(token_daemon)

    cookie = reply.headers["Set-Cookie"]
    assert (reply.status, reply.headers["Location"]) == (303, "/")
    assert "SameSite=Strict" in cookie
    assert "HttpOnly" in cookie
    assert TOKEN not in cookie
    assert fetch(token_daemon.url, "/results", headers=cookie_of(reply)).status == 200


def test_wrong_login_sets_no_cookie(own_token_daemon: DaemonProcess) -> None:
    reply = log_in(own_token_daemon, "wrong")
    assert (reply.status, reply.headers["Location"]) == (303, "/page/login?failed=1")
    assert "Set-Cookie" not in reply.headers


def test_cookie_writes_are_same_origin_only(token_daemon: DaemonProcess) -> None:
    cookie = cookie_of(log_in(token_daemon))
    body, headers = multipart_form("a.jpg", photo(1))
    own = {"Origin": token_daemon.url.rstrip("/")}
    for origin, status in (
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        (own, 200),
    ):
        reply = fetch(token_daemon.url, "/classify", method="POST", body=body, headers=headers | cookie | origin)
        assert reply.status == status


def test_cookie_of_former_token_is_refused(own_token_daemon: DaemonProcess, token_file: Path) -> None:
    cookie = cookie_of(log_in(own_token_daemon))
    own_token_daemon.stop()
    token_file.write_text("another-token-after-the-first-leaked")
    own_token_daemon.start()
    assert fetch(own_token_daemon.url.replace("0.0.0.0", "127.0.0.1"), "/results", headers=cookie).status == 401


def test_logout_deletes_cookie(token_daemon: DaemonProcess) -> None:
    cookie = cookie_of(log_in(token_daemon))
    reply = fetch(token_daemon.url, "/logout", method="POST", headers=cookie)
    assert reply.status == 303
    assert re.search(r"Max-Age=0|Expires=Thu, 01 Jan 1970", reply.headers["Set-Cookie"])


def test_token_appears_in_no_log(own_token_daemon: DaemonProcess) -> None:
    log_in(own_token_daemon)
    fetch(own_token_daemon.url, "/results", headers=bearer(TOKEN))
    own_token_daemon.stop()
    assert TOKEN not in own_token_daemon.log.read_text()


def test_loopback_needs_no_token(shared_daemon: DaemonProcess) -> None:
    assert fetch(shared_daemon.url, "/results").status == 200


def test_unknown_host_is_refused_unless_allowed(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("--allowed-hosts", "photos.example, Other.Example").start()
    for host, status in (
        ("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:8000", 200), ("192.168.1.7:8000", 200), ("x.localhost", 200),
        ("photos.example:80", 200), ("other.example", 200), ("OTHER.example.", 200),
        ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("photos.example.evil", 421), ("", 421),
    ):  # fmt: skip
        assert (host, fetch(daemon.url, "/results", headers={"Host": host}).status) == (host, status)


def test_every_response_has_security_headers(shared_daemon: DaemonProcess) -> None:
    for path in ("/", "/results", "/nothing", "/openapi.json", "/healthz"):
        headers = fetch(shared_daemon.url, path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


def test_same_origin_follows_origin_and_fetch_metadata() -> None:
    assert same_origin(None, None, "a:1")
    assert same_origin("http://A:1", "same-origin", "a:1")
    assert same_origin(None, "none", "a")
    assert not same_origin("http://a:2", None, "a:1")
    assert not same_origin("null", None, "a")
    assert not same_origin("http://a", "cross-site", "a")
    assert not same_origin(None, "same-site", "a")


def test_rate_limit_is_per_address_and_expires() -> None:
    now = [100.0]
    limit = LoginRateLimit(lambda: now[0])
    for _ in range(10):
        assert limit.wait_seconds("10.0.0.1") == 0
        limit.record_failure("10.0.0.1")
    assert limit.wait_seconds("10.0.0.1") == WINDOW_SECONDS
    assert limit.wait_seconds("10.0.0.2") == 0
    now[0] += WINDOW_SECONDS + 1
    assert limit.wait_seconds("10.0.0.1") == 0


def test_rate_limit_does_not_block_right_token(own_token_daemon: DaemonProcess) -> None:
    for _ in range(11):
        refused = fetch(own_token_daemon.url, "/results", headers=bearer("wrong"))
    assert (refused.status, refused.code) == (429, "too_many_tries")
    assert own_token_daemon.log.read_text().count("WARNING wrong token from 127.0.0.1") == 10
    assert fetch(own_token_daemon.url, "/results", headers=bearer(TOKEN)).status == 200
    assert log_in(own_token_daemon).headers["Location"] == "/"


def test_rate_limit_counts_ipv6_networks() -> None:
    limit = LoginRateLimit()
    for number in range(10):
        limit.record_failure(f"2001:db8::{number}")
    assert limit.wait_seconds("2001:db8::ffff") > 0
    assert limit.wait_seconds("2001:db8:0:1::1") == 0


def test_session_is_signed_and_bound_to_token() -> None:
    access = Access(TOKEN, frozenset())
    session = access.make_session()
    assert access.accepts_session(session)
    assert not access.accepts_session(session[:-5] + ("A" if session[-5] != "A" else "B") + session[-4:])
    assert not access.accepts_session("")
    assert not Access("another-token-altogether", frozenset()).accepts_session(session)


@pytest.mark.parametrize(("hours", "accepted"), [(1, True), (24 * 31, False), (-1, True), (-24 * 31, False)])
def test_session_outlasts_a_clock_that_was_set(monkeypatch: pytest.MonkeyPatch, *, hours: int, accepted: bool) -> None:
    access = Access(TOKEN, frozenset())
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr("itsdangerous.timed.time.time", lambda: now + 3600 * hours)
        session = access.make_session()

    assert access.accepts_session(session) is accepted
