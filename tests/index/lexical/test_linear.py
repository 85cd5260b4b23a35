"""Whatever a text consists of, its terms take time and memory in proportion to its length."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lfm2_colbert_rag.index.lexical import strings as cutting
from lfm2_colbert_rag.index.lexical.analyser import analyse, weigh
from lfm2_colbert_rag.index.lexical.inversion import invert_texts
from lfm2_colbert_rag.index.lexical.strings import LONGEST, strings

from .definition import analyse_as_defined

MISCHIEF = {
    "dots": ".", "dashes": "-", "underscores": "_", "slashes": "/", "quotes": '"',
    "closing": ")]}」",
    "a.a.": "a.", "1.1.": "1.", "codes": "a-1/b_2.", "paths": "some-path/of/kebab-case_x.",
    "word": "abcdefghij", "letter": "a", "marks": "\u0301",
    "unordered marks": "\u0301\u0316\u0345\u05b0",
    "families": "👨\u200d👩\u200d👧", "flags": "🇩🇪", "katakana": "カタナラキリ", "jamo": "각",
    "thai": "ภาษาไทยไม่มีช่องว่าง", "han": "漢字文本連続", "spaces": " ",
    "numbers": "123 456 ", "groups": "1,234,", "initials": "a.b-", "selectors": "x\ufe0f\U000e0100",
    "mixed": '.")a-1_\u0301\u200d"/…+',
}  # fmt: skip
parts = st.sampled_from(
    [
        "Häuser",
        "RT-AX88U",
        "a.b",
        "ab-cd--9",
        "--",
        "x_1/",
        "c++",
        "C#",
        "a-bü",
        "1.2.a",
        "1.1",
        "ü1-a",
        "東京",
        "ไทย",
        "한국어",
        "カメラ",
        "👨\u200d👩",
        "🇩🇪",
        "→",
        "①-a",
        "𠮷",
        "́",
        "\xad",
        "é",
        "word",
    ]
)
around = st.sampled_from(
    [" ", "\xa0", ",", "(", "」", "“", "\u3000", "", "-", ".", "_", "/", "+", "#"]
)
texts = st.text(max_size=80) | st.lists(st.tuples(parts, around), max_size=30).map(
    lambda pairs: "".join(part + other for part, other in pairs)
)


@given(texts)
@example("U.S.A1")
def test_terms_are_those_of_the_definition(text):
    assert analyse(text) == analyse_as_defined(text)


@given(st.lists(st.tuples(parts, st.sampled_from(["」", "“", ",", "→"])), min_size=8, max_size=40))
def test_where_a_long_string_is_cut_changes_no_term(pairs):
    """As long as something stands in it that is no part of a word or code. Those of what is one
    word, too, come behind the others of each piece."""
    text = "".join(part + other for part, other in pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "LONGEST", 24)
        patch.setattr(cutting, "_BLOCK", 7)
        cut = analyse(text)
        assert max(map(len, strings(text)), default=0) <= 24
    assert Counter(cut) == Counter(analyse_as_defined(text))


@pytest.mark.parametrize("kind", MISCHIEF)
def test_strings_are_of_bounded_length_and_leave_nothing_out(kind):
    text = MISCHIEF[kind] * (3 * LONGEST)
    found = list(strings(text))
    assert all(len(string) <= LONGEST for string in found)
    gone = dict.fromkeys(map(ord, f" {cutting.EDGES}"))
    assert "".join(found).translate(gone) == text.translate(gone)


@pytest.mark.parametrize("kind", MISCHIEF)
def test_ten_times_the_text_takes_about_ten_times_as_long(kind):
    def seconds(length: int) -> float:
        text = (MISCHIEF[kind] * length)[:length]
        before = time.thread_time()
        weigh(text)
        return time.thread_time() - before

    seconds(1_000)  # warms up caches
    assert seconds(100_000) < 30 * seconds(10_000) + 0.2


@pytest.mark.parametrize("kind", MISCHIEF)
def test_a_long_text_takes_bounded_memory(kind):
    text = (MISCHIEF[kind] * 100_000)[:100_000]
    invert_texts([text])
    tracemalloc.start()
    invert_texts([text])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000 + 20 * len(text)
