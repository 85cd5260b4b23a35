"""One browser and one server for all tests of the playground; each makes indexes of its own."""

from __future__ import annotations

import itertools

import pytest

from ..server.running import running
from .browsing import CHROMIUM, OPTIONS, Playground

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def browser():
    """Start the system's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Run a server."""
    with running(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def index():
    """Give a name that no other test uses."""
    return f"index-{next(_NUMBERS)}"


@pytest.fixture
def playground(browser, server):
    """Give what opens the page; at the end, nothing may have run that is not the page's own."""
    opened: list[Playground] = []

    def open_(server=server, **options):
        opened.append(Playground.open(browser, server, **options))
        return opened[-1]

    yield open_
    for one in opened:
        one.require_clean()
        one.page.context.close()
