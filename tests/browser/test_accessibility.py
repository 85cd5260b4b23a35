"""The page can be used without seeing it: axe finds nothing, in both themes and in all states."""

from __future__ import annotations

import pytest

from ..server.running import running
from .browsing import require_browser

require_browser()

TEXTS = {
    "key": "Hold the reset key of the router for ten seconds.",
    "ar": "افتح باب المكتبة عند التاسعة",
    "long": "Nothing of the kind is said in this sentence. " * 120,
}
each = pytest.mark.parametrize("theme", ["light", "dark"])
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def require_accessible(page):
    """Nothing is found, by any of the rules."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="there is no axe")
    page.page.wait_for_timeout(250)  # until colors have changed
    found = axe.Axe().run(
        page.page, options={"runOnly": TAGS, "resultTypes": ["violations", "incomplete"]}
    )
    broken = {
        one["id"]: [node["html"][:200] for node in one["nodes"]]
        for one in found.response["violations"]
    }
    assert broken == {}


@each
def test_before_a_key_is_given(playground, theme):
    page = playground(color_scheme=theme)
    require_accessible(page)
    page.connect("wrong").page.wait_for_selector(".problem")
    require_accessible(page)


@each
def test_an_empty_server(playground, tmp_path, theme):
    with running(tmp_path) as empty:
        page = playground(empty, color_scheme=theme).connect()
        page.page.wait_for_selector("#begin:not([hidden])")
        require_accessible(page)


@each
@pytest.mark.parametrize("width", [360, 1440])
def test_answers(playground, server, index, theme, width):
    server.make(index, TEXTS)
    page = playground(color_scheme=theme, viewport={"width": width, "height": 900})
    page.connect().choose(index)
    page.page.click("#filter summary")
    page.page.click("text=Add a condition")
    page.page.click("#plan summary")
    page.ask("where is the reset key of this sentence")
    page.page.wait_for_selector("#plan dl")
    require_accessible(page)
    page.page.locator(".words summary").first.click()
    page.page.locator(".word").nth(3).hover()
    require_accessible(page)
    page.page.check("[name=mode][value=all]")
    page.page.wait_for_selector(".columns")
    page.page.locator("mark").first.focus()
    require_accessible(page)


@each
def test_files(playground, server, index, theme):
    server.make(index)
    page = playground(color_scheme=theme).connect().choose(index)
    file = {"name": "a.ndjson", "mimeType": "", "buffer": b'{"text": "a"}\n{"text": 1}\n'}
    page.page.set_input_files("#file", file)
    page.page.wait_for_selector("#ingest .problem")
    require_accessible(page)


def test_headings_landmarks_and_names(playground, server, index):
    server.make(index, TEXTS)
    page = playground().connect().choose(index).ask("reset key").page
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("textbox", name="Ask in any language").count() == 1
    assert page.get_by_role("button", name="Ask", exact=True).count() == 1
    assert page.get_by_role("region", name="Answers").count() == 1
    assert page.get_by_role("meter", name="Relevance").count() == len(TEXTS)
    assert page.get_by_role("switch", name="Dark theme").count() == 1
    assert page.get_by_role("tab", selected=True).count() == 1
    assert page.get_by_role("status").text_content().strip()


def test_tabs_go_by_arrows(playground, server, index):
    server.make(index, TEXTS)
    page = playground().connect().choose(index).page
    page.get_by_role("tab", name="curl").focus()
    page.keyboard.press("End")
    assert page.get_by_role("tab", selected=True).text_content() == "Cohere"
    assert "cohere.ClientV2" in page.text_content("[role=tabpanel]")
    page.keyboard.press("Home")
    assert page.get_by_role("tab", selected=True).text_content() == "curl"
