"""Characters as readers see them, and the scripts that put no blanks between words."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag._support import scripts
from lfm2_colbert_rag._support.graphemes import whole_characters

BLOCKS = (
    "ab 1'",
    "e\u0301\u0308\u200d\u200c",
    "กั้ำๆเ",
    "क्षिनी",
    "கா့က္",
    "👩🏽🍳❤\ufe0f\u200d",
    "🇩🇪🇫",
    "\u1112\u1161\u11ab가각",
    "ﾊﾟパー密",
    "مُحَ\u0600",
    "\r\n\t",
)
TEXTS = st.text(st.sampled_from("".join(BLOCKS)), max_size=24)


def test_fused_consonants_stay_together_with_signs_between_them():
    text = "\u0915\u094d\u0301\u0937"  # ka, virama, an accent, ssa
    assert whole_characters(text, (3, 4)) == (0, 4)
    apart = "\u0915\u094d\N{ZERO WIDTH NON-JOINER}\u0937"  # written apart on purpose
    assert whole_characters(apart, (3, 4)) == (3, 4)


@given(TEXTS, st.data())
def test_no_grapheme_cluster_is_ever_cut(text, data):
    """Also where the search for the border before it begins within the text."""
    borders = {match.start() for match in regex.finditer(r"\X", text)} | {len(text)}
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    left, right = whole_characters(text, (start, end))
    assert left == right or {left, right} <= borders


@given(TEXTS)
def test_characters_do_not_overlap(text):
    found = {whole_characters(text, (at, at + 1)) for at in range(len(text))}
    assert "".join(text[start:end] for start, end in sorted(found)) == text


@pytest.mark.parametrize(
    ("text", "inside", "whole"),
    [
        ("e" + "\u0301" * 100_000, 70_001, (65_904, 74_097)),  # as far as one looks
        ("e" + "\u0301" * 4_000, 2_001, (0, 4_001)),
        ("🇩" * 100_001, 70_001, (70_000, 70_002)),
        ("\u0915\u094d" * 50_000, 70_001, (65_904, 74_097)),
        ("가" * 100_000, 70_001, (70_001, 70_002)),
    ],
)
def test_long_rows_of_what_may_join(text, inside, whole):
    """Were each code point looked at anew for the next, these would take hours."""
    assert whole_characters(text, (inside, inside + 1)) == whole


@pytest.mark.parametrize(
    ("name", "letters", "others"),
    [
        ("SYLLABIC", "กລខမ၁ํ", "aअ漢の"),
        ("HAN", "漢々〇𠮷", "〡のカーa"),
        ("HIRAGANA", "のゝ\u3099", "カー漢"),
        ("KATAKANA", "カーヽㇰ", "のｶ漢"),
        ("UNSPACED", "ก漢のカー", "가aअｶ1"),
    ],
)
def test_what_the_scripts_hold(name, letters, others):
    of_script = regex.compile(rf"(?V1)[{getattr(scripts, name)}]")
    assert all(map(of_script.fullmatch, letters))
    assert not any(map(of_script.fullmatch, others))
