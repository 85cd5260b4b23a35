"""A question is asked, and its words are lit where they were answered."""

from __future__ import annotations

import pytest

from .browsing import require_browser

require_browser()

TEXTS = {
    "key": "Hold the reset key of the router for ten seconds.",
    "library": "The library opens at nine and closes at six.",
    "ferry": "In summer the ferry leaves every two hours.",
}
# Beyond the BMP, where JavaScript counts two for what the server counts as one.
ASTRAL = {
    "emoji": "👩‍👩‍👧 🗝️🗝️ the reset key 🦊 opens the 𝔡𝔬𝔬𝔯 and the key",
    "han": "𠮷野家 𠀋𠂊 reset 𪚥 key 鍵",
}


def evidence(server, index, question):
    """Return what the server says of each hit, by its id."""
    body = {"query": question, "evidence": True}
    found = server.ask("POST", f"/v1/indexes/{index}/search", body).json()["results"][0]["hits"]
    return {hit["id"]: hit["evidence"] for hit in found}


def test_the_passages_come_in_the_order_of_the_server(playground, server, index):
    server.make(index, TEXTS)
    page = playground().connect().choose(index).ask("when does the library open")
    assert page.texts(".id bdi") == list(evidence(server, index, "when does the library open"))
    by_id = dict(zip(page.texts(".id bdi"), page.texts(".text"), strict=True))
    assert by_id == TEXTS
    assert "3 passages" in page.page.text_content("#told")


@pytest.mark.parametrize(
    ("texts", "question"),
    [
        (TEXTS, "Where is the reset key of my router?"),
        (ASTRAL, "🦊🦊 where is 𠮷 the reset 🗝️ key?"),
        ({"ar": "اضغط على زر إعادة الضبط key"}, "أين reset زر الضبط ؟"),
    ],
    ids=["plain", "astral", "arabic"],
)
def test_pointing_at_a_word_lights_what_answered_it(playground, server, index, texts, question):
    server.make(index, texts)
    page = playground().connect().choose(index).ask(question)
    assert page.texts(".question") == [question]
    said = evidence(server, index, question)
    words = page.page.locator(".question .word")
    assert words.count()
    for place in range(words.count()):
        words.nth(place).hover()
        start = word_start(page, place)
        for number, id in enumerate(page.texts(".id bdi"), 1):
            answering = [
                one["words"][1] for one in said[id] if one["query"][0] <= start < one["query"][1]
            ]
            lit = "".join(page.lit(f".hits > li:nth-child({number})"))
            assert all(one in lit for one in answering), (id, place)
            assert bool(lit) == bool(answering)
    page.page.mouse.move(0, 0)
    assert page.lit() == []


def word_start(page, place):
    """Return where a word of the question begins, in code points."""
    before = (
        page.page.locator(".question .word")
        .nth(place)
        .evaluate(
            """(word) => {
          const range = document.createRange();
          range.setStart(word.parentElement, 0);
          range.setEndBefore(word);
          return [...range.toString()].length;
        }"""
        )
    )
    return int(before)


def test_pointing_at_a_word_of_a_passage_lights_the_question(playground, server, index):
    server.make(index, TEXTS)
    question = "Where is the reset key?"
    page = playground().connect().choose(index).ask(question)
    best = evidence(server, index, question)[page.texts(".id bdi")[0]][0]
    mark = page.page.locator(".hits > li:first-child mark", has_text=best["words"][1]).first
    mark.hover()
    assert best["words"][0] in page.texts(".word.lit")
    assert mark.text_content() in page.lit(".hits > li:first-child")
    assert page.lit(".hits > li:nth-child(2)") == []


def test_all_of_it_goes_by_keyboard(playground, server, index):
    server.make(index, TEXTS)
    page = playground().connect().choose(index)
    keys = page.page.keyboard
    page.page.focus("#question")
    keys.type("reset key router")
    with page.page.expect_response(lambda one: one.url.endswith("/search")):
        keys.press("Enter")
    page.page.wait_for_selector(".word")
    focused = "document.activeElement.className"
    for _ in range(40):  # past examples, modes, and what else lies between
        keys.press("Tab")
        if page.page.evaluate(focused).startswith("word"):
            break
    first = page.page.evaluate("document.activeElement.textContent")
    assert page.lit()
    assert first in page.page.text_content("#told")
    assert "percent" in page.page.text_content("#told")
    keys.press("ArrowRight")
    second = page.page.evaluate("document.activeElement.textContent")
    assert second != first
    keys.press("Enter")
    assert page.page.get_attribute(".word[aria-pressed=true]", "class") is not None
    keys.press("ArrowDown")
    assert page.page.evaluate("document.activeElement.tagName") == "MARK"
    keys.press("ArrowUp")
    assert page.page.evaluate(focused).startswith("word")
    page.page.focus("#question")
    assert page.lit(), "what is held stays lit"
    keys.press("Tab")
    page.page.locator(".word").first.focus()
    keys.press("Escape")
    assert page.page.locator(".word[aria-pressed=true]").count() == 0
    # One stop of the Tab key for the question, and one for each passage.
    assert page.page.locator(".word[tabindex='0']").count() == 1
    assert page.page.locator("mark[tabindex='0']").count() == len(TEXTS)


def test_enter_within_an_input_method_does_not_ask(playground, server, index):
    server.make(index, TEXTS)
    page = playground().connect().choose(index)
    page.page.fill("#question", "鍵")
    page.page.eval_on_selector(
        "#question",
        """(field) => field.dispatchEvent(new KeyboardEvent(
          "keydown", {key: "Enter", isComposing: true, bubbles: true, cancelable: true}))""",
    )
    page.page.wait_for_timeout(100)
    assert not [one for one in page.asked if one.endswith("/search")]


def test_modes_stand_side_by_side(playground, server, index):
    server.make(index, TEXTS)
    page = playground().connect().choose(index)
    page.page.check("[name=mode][value=all]")
    page.ask("reset key")
    page.page.wait_for_selector(".columns")
    assert page.texts(".column > h2") == ["late", "lexical", "hybrid"]
    for place, mode in enumerate(("late", "lexical", "hybrid"), 1):
        body = {"query": "reset key", "mode": mode}
        hits = server.ask("POST", f"/v1/indexes/{index}/search", body).json()["results"][0]["hits"]
        assert page.texts(f".column:nth-child({place}) .id bdi") == [hit["id"] for hit in hits]
    page.page.locator(".word", has_text="key").first.hover()
    assert page.lit(".column:nth-child(1)")
    assert page.lit(".column:nth-child(3)")
    assert page.page.locator("#time .stack").count() == 3


def test_what_was_found_of_a_long_passage_is_shown_first(playground, server, index):
    filler = "Nothing of the kind is said in this sentence. " * 120
    server.make(index, {"long": f"{filler}The zebra crossed. {filler}"})
    page = playground().connect().choose(index).ask("zebra")
    assert "zebra" in page.texts(".text")[0]
    assert len(page.texts(".text")[0]) < 2 * len(filler)
    page.page.click(".more")
    assert page.texts(".text") == [f"{filler}The zebra crossed. {filler}"]


def test_the_plan_and_the_times_are_told(playground, server, index):
    server.make(index, TEXTS)
    page = playground().connect().choose(index)
    page.page.click("#plan summary")
    page.ask("reset key")
    page.page.wait_for_selector("#plan dl")
    plan = server.ask("POST", f"/v1/indexes/{index}/plan", {"query": "reset key"}).json()
    assert f"Vectors they have{plan['vectors']}" in page.page.text_content("#plan-body")
    assert page.page.locator("#time dd").count() == 3


def test_arabic_runs_from_right_to_left(playground, server, index):
    texts = {"ar": "افتح باب المكتبة عند التاسعة صباحا", "en": "The library opens at nine."}
    server.make(index, texts)
    page = playground().connect().choose(index).ask("متى تفتح المكتبة library")
    direction = "one => getComputedStyle(one).direction"
    assert page.page.eval_on_selector("#question", direction) == "rtl"
    assert page.page.eval_on_selector(".question", direction) == "rtl"
    by_id = dict(
        zip(
            page.texts(".id bdi"),
            page.page.eval_on_selector_all(
                ".text", "all => all.map((one) => getComputedStyle(one).direction)"
            ),
            strict=True,
        )
    )
    assert by_id == {"ar": "rtl", "en": "ltr"}
    boxes = [one.bounding_box() for one in page.page.locator(".word").all()]
    assert boxes[0]["x"] > boxes[1]["x"], "the first word stands to the right of the second"
    page.page.locator(".word").first.focus()
    page.page.keyboard.press("ArrowLeft")
    where = "[...document.querySelectorAll('.word')].indexOf(document.activeElement)"
    assert page.page.evaluate(where) == 1
