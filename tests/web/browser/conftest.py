"""A browser for the whole session, and a daemon with photos that tests only look at."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.daemon import DaemonProcess
from tests.web.browser.gallery import fill
from tests.web.browser.visitor import Visitor

expect.set_options(timeout=30_000)  # milliseconds: on a busy machine the usual five seconds are short
_OMNIBOX = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "PreloadTopChromeWebUI")
"""Pages that Chromium keeps ready for its address bar, in a process for each window: they take as long as our own."""
_PLAYWRIGHT_TURNS_OFF = (
    "AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "LensOverlay", "MediaRouter",
    "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding", "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)  # fmt: skip
"""Of two such lists, Chromium takes the last one alone."""
_FLAGS = (
    "--disable-gpu", "--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage",
    f"--disable-features={','.join(_OMNIBOX + _PLAYWRIGHT_TURNS_OFF)}",
)  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        without = pytest.fail if "browser" in os.environ.get("DOGID_TESTS_NEED", "") else pytest.skip
        without("needs chromium (apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """Somebody at a desk, who minds every error that the browser reports and every address outside the daemon."""
    visitor = Visitor(browser)
    yield visitor
    visitor.close()


@pytest.fixture
def page(visitor: Visitor) -> Page:
    """The visitor's tab."""
    return visitor.page


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that has answered for thirty photos, hostile and broken ones among them. Not to be changed by tests."""
    folder: Path = tmp_path_factory.mktemp("gallery")
    (folder / "inbox").mkdir()
    daemon = DaemonProcess(folder / "inbox", folder / "state", "--settle", "1").start()
    try:
        count = fill(daemon.inbox)
        daemon.wait_for_all_answers(count)
        yield daemon
    finally:
        daemon.close()
