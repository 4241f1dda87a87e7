"""Somebody signs in at a daemon that asks for a token, and out again."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.web.browser.visitor import PHONE, Visitor

TOKEN = "correct-horse-battery-staple"


@pytest.fixture
def token_daemon(make_daemon: MakeDaemon, tmp_path: Path) -> DaemonProcess:
    """A daemon that asks for a token."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return make_daemon("--token-file", str(file)).start()


def test_sign_in_and_sign_out(visitor: Visitor, token_daemon: DaemonProcess) -> None:
    page = visitor.use_device(PHONE)
    page.goto(token_daemon.url)
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="No photos yet")).to_be_visible()
    visitor.assert_fits()
    visitor.assert_accessible()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.context.cookies() == []
    page.goto(token_daemon.url)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
