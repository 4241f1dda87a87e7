"""Somebody who looks at the page, and what must never happen while they do."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

_PICTURES = os.environ.get("DOGID_SCREENSHOTS")
_ENDED = "net::ERR_"  # the daemon of a test may end before its visitor leaves
_BUSY = "status of 503"  # a picture that is asked for again


class Visitor:
    """A tab of its own, with what the browser complained of and whom it asked."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self.console_errors: list[str] = []
        self._expected = [_ENDED, _BUSY]
        self.requested_urls: list[str] = []

    def use_device(self, screen: Mapping[str, int], scheme: Literal["light", "dark"] = "light", **options: Any) -> Page:
        """Take another device: a fresh tab of this size and colour scheme."""
        if self._context is not None:
            self._context.close()
        viewport = {"width": screen["width"], "height": screen["height"]}
        self._context = self._browser.new_context(
            viewport=viewport,  # type: ignore[arg-type]
            color_scheme=scheme,
            **options,
        )
        self._page = self._context.new_page()
        self._page.on("console", self._note_console)
        self._page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        self._page.on("request", self._note)
        return self._page

    @property
    def page(self) -> Page:
        """The tab; at a desk, where no other device was taken."""
        return self._page or self.use_device(DESKTOP)

    def expect_status(self, status: int) -> None:
        """Do not mind that the daemon answers with this status, which the browser reports as an error."""
        self._expected.append(f"status of {status}")

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(known in message.text for known in self._expected):
            self.console_errors.append(message.text)

    def _note(self, request: Request) -> None:
        if request.url.startswith(("http:", "https:", "ws:", "wss:")):
            self.requested_urls.append(request.url)

    def close(self) -> None:
        """Close the tab; fails where the browser complained of anything."""
        if self._context is not None:
            self._context.close()
        assert not self.console_errors, self.console_errors

    def assert_accessible(self) -> None:
        """Ask axe whether anything on the page shuts somebody out."""
        found = Axe().run(self.page)
        violations = [
            f"{violation['id']}: {violation['help']}: {[node['html'][:200] for node in violation['nodes']]}"
            for violation in found.response["violations"]
        ]
        assert violations == []

    def wait_for_pictures(self) -> None:
        """Wait until every picture in view is there."""
        self.page.wait_for_function(
            "() => [...document.images].filter((image) => image.getBoundingClientRect().top < innerHeight)"
            ".every((image) => image.complete && image.naturalWidth)"
        )

    def assert_fits(self) -> None:
        """Fails where the page is wider than the screen."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0

    def save_screenshot(self, name: str) -> None:
        """Take a screenshot, where DOGID_SCREENSHOTS names a folder for them."""
        if _PICTURES:
            self.page.screenshot(path=Path(_PICTURES) / f"{name}.png")
