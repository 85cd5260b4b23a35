"""Keys: where they are kept, what is told without one, and of a server that is not there."""

from __future__ import annotations

import pytest

from ..server.running import running
from .browsing import require_browser

require_browser()

TEXTS = {"key": "Hold the reset key.", "library": "The library opens at nine."}


def test_a_key_is_kept_in_the_tab_and_nowhere_else(playground, server, index):
    server.make(index, TEXTS)
    page = playground().connect().choose(index).ask("reset key")
    for tab in page.page.locator("[role=tab]").all():
        tab.click()
        assert server.admin not in page.page.text_content("#snippet")
    tab = page.page
    assert server.admin not in tab.content()
    assert tab.input_value("#key") == ""
    kept = "(storage) => JSON.stringify(Object.entries(window[storage]))"
    assert server.admin in tab.evaluate(kept, "sessionStorage")
    assert server.admin not in tab.evaluate(kept, "localStorage")
    assert tab.evaluate("document.cookie") == ""
    assert not [one for one in [*page.asked, tab.url] if server.admin in one]
    tab.reload()
    tab.wait_for_selector("#desk:not([hidden])")
    tab.click("#forget")
    assert tab.is_visible("#connect")
    assert tab.evaluate("sessionStorage.length") == 0
    assert "reset" not in tab.text_content("#results")


def test_another_tab_knows_no_key(playground, server, index):
    server.make(index, TEXTS)
    page = playground().connect()
    page.page.wait_for_selector("#desk:not([hidden])")
    other = page.page.context.new_page()
    other.goto(f"{server.url}/")
    other.wait_for_selector("#connect:not([hidden])")
    assert other.evaluate("sessionStorage.length") == 0


@pytest.mark.parametrize("key", ["lcb_wrong", "nothing like it", "schlüssel ☃", "a\u202eb"])
def test_a_wrong_key_is_told_and_forgotten(playground, key):
    page = playground().connect(key).page
    page.wait_for_selector("#problems .problem")
    assert "No valid key or token was given." in page.text_content("#problems")
    assert page.is_visible("#connect")
    assert page.evaluate("sessionStorage.length") == 0
    assert key not in page.content()


def test_a_key_that_is_revoked_meanwhile_is_told(playground, server, index):
    server.make(index, TEXTS)
    key = server.key(["search"])
    page = playground().connect(key).choose(index).ask("reset")
    server.keys.revoke(key.split("_")[1])
    page.page.wait_for_timeout(2500)  # the server looks every second
    page.ask("reset")
    said = page.page.text_content("#results .problem")
    assert "401 unauthorized" in said
    assert "request" in said


def test_a_key_sees_its_own_indexes(playground, server, index):
    server.make(index, TEXTS)
    server.make(f"{index}-other", TEXTS)
    page = playground().connect(server.key(["search"], indexes=[index]))
    page.page.wait_for_selector("#desk:not([hidden])")
    assert page.texts("#index option") == [index]


def test_a_key_that_may_not_ask_is_told_so(playground, server):
    page = playground().connect(server.key(["read"])).page
    page.wait_for_selector("#problems .problem")
    assert "The key is not for search." in page.text_content("#problems")


def test_a_server_that_is_there_again_is_asked_again(playground, tmp_path):
    with running(tmp_path) as other:
        other.make("docs", TEXTS)
        page = playground(other).page
        page.route("**/v1/indexes", lambda route: route.abort())
        page.fill("#key", other.admin)
        page.click("#connect button")
        page.wait_for_selector("#problems .problem")
        assert "cannot be reached" in page.text_content("#problems")
        page.unroute("**/v1/indexes")
        page.click("text=Try again")
        page.wait_for_selector("#desk:not([hidden])")
        assert page.locator("#problems .problem").count() == 0


def test_an_empty_server_says_how_to_begin(playground, tmp_path):
    with running(tmp_path) as empty:
        page = playground(empty).connect().page
        page.wait_for_selector("#begin:not([hidden])")
        assert "lfm2-colbert demo --into indexes/demo" in page.text_content("#begin")
        page.click("#make button")
        page.wait_for_selector("#desk:not([hidden])")
        assert page.text_content("#index option") == "docs"
        assert "no passages yet" in page.text_content("#results")


def test_who_may_not_make_an_index_is_told(playground, tmp_path):
    with running(tmp_path) as empty:
        page = playground(empty).connect(empty.key(["search"])).page
        page.wait_for_selector("#begin:not([hidden])")
        page.click("#make button")
        page.wait_for_selector("#problems .problem")
        assert "The key is not for admin." in page.text_content("#problems")


def test_a_server_that_stopped_is_told(playground, tmp_path):
    with running(tmp_path) as other:
        other.make("docs", TEXTS)
        page = playground(other).connect().choose("docs").ask("reset")
        other.stop()
        page.page.click("#ask button.main")
        page.page.wait_for_selector("#results .problem")
        assert "cannot be reached" in page.page.text_content("#results")
        assert "cannot be reached" in page.page.text_content("#told")


def test_the_theme_follows_the_system_until_it_is_chosen(playground):
    ground = "getComputedStyle(document.body).backgroundColor"
    dark, light = playground(color_scheme="dark").page, playground(color_scheme="light").page
    assert dark.evaluate(ground) != light.evaluate(ground)
    assert dark.get_attribute("#theme", "aria-checked") == "true"
    before = light.evaluate(ground)
    light.click("#theme")
    assert light.evaluate(ground) == dark.evaluate(ground)
    light.reload()
    assert light.evaluate(ground) == dark.evaluate(ground)
    light.click("#theme")
    assert light.evaluate(ground) == before


@pytest.mark.parametrize("width", [360, 768, 1600])
def test_it_fits_narrow_and_wide(playground, server, index, width):
    server.make(index, {**TEXTS, "long": "word" * 500})
    page = playground(viewport={"width": width, "height": 800}).connect().choose(index)
    page.page.check("[name=mode][value=all]")
    page.ask("reset key word")
    assert page.page.evaluate("document.documentElement.scrollWidth") == width


def test_motion_is_left_out_where_it_is_not_wanted(playground, server, index):
    server.make(index, TEXTS)
    for wanted, moving in (("reduce", False), ("no-preference", True)):
        page = playground(reduced_motion=wanted).connect().choose(index).ask("reset key")
        seconds = page.page.eval_on_selector(
            "mark", "one => getComputedStyle(one).transitionDuration"
        )
        assert (seconds != "0s") == moving
