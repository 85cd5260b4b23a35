"""What the builder of filters builds is what the API takes."""

from __future__ import annotations

import pytest

from .browsing import require_browser

require_browser()

PASSAGES = {
    "a": {"lang": "de", "year": 2022, "open": True, "maker": {"country": "it"}, "mixed": "x"},
    "b": {"lang": "en", "year": 2024, "open": False, "tags": ["red", "blue"], "mixed": 5},
    "c": {"lang": "en", "year": 2025.5, "none": None, "a.b": "dot"},
}


@pytest.fixture(scope="module")
def filled(server):
    """Make an index with fields of all kinds."""
    server.make("fields")
    passages = [
        {"id": id, "text": f"passage {id}", "metadata": held} for id, held in PASSAGES.items()
    ]
    server.ask("PUT", "/v1/indexes/fields/passages", {"passages": passages}).raise_for_status()
    return "fields"


@pytest.fixture
def page(playground, filled):
    """Open the builder."""
    opened = playground().connect().choose(filled)
    opened.page.click("#filter summary")
    return opened


def add(page, field, operator, value=None):
    """Add a condition as a person would."""
    page.page.click("text=Add a condition")
    row = page.page.locator(".conditions li").last
    row.get_by_label("Field").select_option(label=field)
    row.get_by_label("Comparison").select_option(label=operator)
    if value is not None:
        control = row.locator(".value > :first-child")
        if control.evaluate("one => one.localName") == "select":
            control.select_option(value)
        else:
            control.fill(value)


def asked(page):
    """Ask, and return the filter that was sent, and the ids that came."""
    with page.page.expect_request(lambda one: one.url.endswith("/search")) as sent:
        page.ask("passage")
    return sent.value.post_data_json.get("where"), sorted(page.texts(".id bdi"))


@pytest.mark.parametrize(
    ("condition", "where", "found"),
    [
        (("lang", "is", "en"), {"lang": "en"}, ["b", "c"]),
        (("lang", "is not", "en"), {"lang": {"$ne": "en"}}, ["a"]),
        (("lang", "is one of", "en, fr"), {"lang": {"$in": ["en", "fr"]}}, ["b", "c"]),
        (("year", "≥", "2024"), {"year": {"$gte": 2024}}, ["b", "c"]),
        (("year", "=", "2025.5"), {"year": 2025.5}, ["c"]),
        (("year", "is one of", "2022, 2024"), {"year": {"$in": [2022, 2024]}}, ["a", "b"]),
        (("open", "is", "false"), {"open": False}, ["b"]),
        (("maker.country", "contains", "IT"), {"maker.country": {"$icontains": "IT"}}, ["a"]),
        (("tags", "is", "red"), {"tags": "red"}, ["b"]),
        (("mixed", "= (numbers)", "5"), {"mixed": 5}, ["b"]),
        (("mixed", "is (texts)", "x"), {"mixed": "x"}, ["a"]),
        (("none", "is null", None), {"none": {"$eq": None}}, ["c"]),
        (("tags", "is missing", None), {"tags": {"$exists": False}}, ["a", "c"]),
        (("a\\.b", "is", "dot"), {"a\\.b": "dot"}, ["c"]),
        (("id of the passage", "is one of", "a,c"), {"$id": {"$in": ["a", "c"]}}, ["a", "c"]),
    ],
    ids=lambda one: str(one)[:30],
)
def test_a_condition_is_what_it_says(page, condition, where, found):
    add(page, *condition)
    assert asked(page) == (where, found)
    assert page.page.text_content("#filter-count") == "1"


def test_conditions_are_joined(page):
    add(page, "lang", "is", "de")
    add(page, "year", ">", "2025")
    assert asked(page) == ({"$and": [{"lang": "de"}, {"year": {"$gt": 2025}}]}, [])
    page.page.select_option("[aria-label='How conditions are joined']", "$or")
    where, found = asked(page)
    assert (list(where), found) == (["$or"], ["a", "c"])
    page.page.locator("[aria-label='Remove the condition']").first.click()
    assert asked(page) == ({"year": {"$gt": 2025}}, ["c"])


def test_what_is_not_whole_is_not_asked(page):
    add(page, "year", "≥", "")
    assert asked(page) == (None, ["a", "b", "c"])
    assert page.page.is_hidden("#filter-count")


def test_json_takes_over_what_was_built_and_may_be_anything(page):
    add(page, "lang", "is", "en")
    page.page.check("#filter [type=checkbox]")
    assert page.page.input_value("#filter textarea").split() == ["{", '"lang":', '"en"', "}"]
    page.page.fill("#filter textarea", '{"$not": {"lang": "en"}}')
    assert asked(page) == ({"$not": {"lang": "en"}}, ["a"])
    for wrong in ("{", "[1]", "3"):
        page.page.fill("#filter textarea", wrong)
        page.page.click("#ask button.main")
        page.page.wait_for_selector("#problems .problem")
    page.page.fill("#filter textarea", '{"lang": {"$foo": 1}}')
    page.ask("passage")
    assert "400 filter" in page.page.text_content("#results")
    page.page.fill("#filter textarea", "")
    assert asked(page)[0] is None
