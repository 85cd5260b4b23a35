"""A page of the playground in a browser, and what is watched of it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from ..server.running import Server

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

# Before anything of the page runs: what its policy forbids is noted, and so is what must not run.
_WATCH = """
window.forbidden = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.forbidden.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""


@dataclass
class Playground:
    """The page, open in a tab of its own.

    Attributes:
        page: the tab.
        server: whose page it is.
        asked: addresses that were asked for.
        said: errors on the console, and those that were thrown.
        dialogs: what popped up.
    """

    page: Page
    server: Server
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, browser: Browser, server: Server, **options: Any) -> Playground:
        """Open it in a new profile.

        Args:
            browser: the browser.
            server: whose page it is.
            options: of Playwright's context, such as ``color_scheme``.
        """
        context = browser.new_context(**options)
        context.add_init_script(_WATCH)
        opened = cls(context.new_page(), server)
        opened.page.on("request", lambda one: opened.asked.append(one.url))
        opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.page.on("console", opened._note)
        opened.page.on("dialog", opened._dismiss)
        opened.page.set_default_timeout(20_000)
        opened.page.goto(f"{server.url}/")
        return opened

    def connect(self, key: str | None = None) -> Playground:
        """Give it a key, as a person would."""
        self.page.fill("#key", self.server.admin if key is None else key)
        self.page.click("#connect button")
        return self

    def choose(self, index: str) -> Playground:
        """Choose an index, and wait until it is described."""
        self.page.wait_for_selector("#desk:not([hidden])")
        with self.page.expect_response(lambda one: one.url.endswith(f"/v1/indexes/{index}")):
            self.page.select_option("#index", index)
        self.page.wait_for_function("name => document.title.startsWith(name)", arg=index)
        return self

    def ask(self, question: str) -> Playground:
        """Ask, and wait for the answer."""
        self.page.fill("#question", question)
        with self.page.expect_response(lambda one: one.url.endswith("/search")):
            self.page.click("#ask button.main")
        self.page.wait_for_selector("#results[aria-busy=false]")
        return self

    def texts(self, selector: str) -> list[str]:
        """Return the texts of elements, with all their spaces."""
        return self.page.eval_on_selector_all(selector, "all => all.map((one) => one.textContent)")

    def lit(self, within: str = "") -> list[str]:
        """Return the words of passages that are lit."""
        return self.texts(f"{within} mark.lit")

    def require_clean(self) -> None:
        """Nothing was forbidden, thrown, popped up or asked of another server."""
        assert self.page.evaluate("window.forbidden") == []
        assert self.page.evaluate("window.ran") is None
        assert self.said == []
        assert self.dialogs == []
        assert [one for one in self.asked if not one.startswith(f"{self.server.url}/")] == []

    def _note(self, message: Any) -> None:
        # The browser itself notes every answer that is a problem.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.said.append(message.text)

    def _dismiss(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


def require_browser() -> None:
    """Skip a module where there is no browser to test in."""
    pytest.importorskip("playwright", reason="`make test-browser` installs Playwright and runs it")
