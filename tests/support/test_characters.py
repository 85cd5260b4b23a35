"""Characters of strings from outside."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag._support.characters import is_blank, storable


@given(st.text(st.characters() | st.characters(categories=["Cs"]) | st.just("\0")))
def test_what_is_replaced_can_be_stored_and_stays(text):
    once = storable(text)
    once.encode()
    assert "\0" not in once
    assert storable(once) == once
    if once != text:
        assert any(one == "\0" or "\ud800" <= one <= "\udfff" for one in text)


def test_halves_side_by_side_are_something_to_see():
    assert not is_blank("\ud83d\ude00")


@given(st.text())
def test_no_text_that_shows_something_is_blank(text):
    assert is_blank(text) <= (
        not any(one.isalnum() for one in text if one not in "\u115f\u1160\u3164\uffa0")
    )
    assert is_blank(text) >= (not text.strip())
