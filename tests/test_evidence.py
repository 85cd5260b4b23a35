"""Words that answered words: spans that cut whole words out of texts in every script."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.evidence import find_matches, merge_spans, word_span
from lfm2_colbert_rag.types import TokenVectors, Window


@pytest.mark.parametrize(
    ("text", "token", "word"),
    [
        ("Der Kaffeevollautomat tropft.", "vollauto", "Kaffeevollautomat"),
        ("where's the key?", "wher", "where"),
        (" router", " router", "router"),
        ("end of line...", "...", "..."),
        ("إعادة تعيين كلمة المرور", "كلم", "كلمة"),
        ("مُحَمَّد كتب", "حَ", "مُحَمَّد"),
        ("पासवर्ड रीसेट करें", "सव", "पासवर्ड"),
        ("비밀번호를 재설정하세요", "번호", "비밀번호를"),
        ("路由器密码重置", "密码", "密码"),
        ("パスワードを忘れた", "ワード", "ワード"),
        ("รหัสผ่านของคุณ", "ผ", "ผ่"),
        ("wifi密码是什么", "wi", "wifi"),
        ("👩‍🚒 fire-fighter", "fire", "fire"),
        ("e\u0301te\u0301 chaud", "te", "e\u0301te\u0301"),
        ("naïve café", "caf", "café"),
        ("x2y", "2", "x2y"),
    ],
)
def test_a_token_widens_to_its_word(text, token, word):
    start = text.index(token)
    assert text[slice(*word_span(text, start, start + len(token)))] == word


@given(st.text(min_size=1, max_size=30), st.data())
def test_a_word_span_lies_in_the_text_and_around_the_tokens_letters(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start, len(text)))
    left, right = word_span(text, start, end)
    assert 0 <= left <= right <= len(text)
    stripped = text[start:end].strip()
    assert stripped in text[left:right]
    assert word_span(text, left, right) == (left, right)


def vectors(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def spans(*pairs: tuple[int, int]) -> np.ndarray:
    return np.array(pairs, dtype=np.int32).reshape(-1, 2)


def test_pieces_of_one_word_become_one_match_and_markers_take_no_part():
    query = TokenVectors(
        vectors([1, 0, 0], [0, 1, 0], [0, 0.6, 0.8]),
        np.array([1, 2, 3], np.int32),
        spans((0, 0), (0, 3), (3, 6)),
    )
    document = TokenVectors(
        vectors([1, 0, 0], [0, 1, 0], [0, 0, 1]),
        np.array([1, 2, 3], np.int32),
        spans((0, 0), (0, 2), (3, 8)),
    )
    found = find_matches(query, "router", Window((0, 8), document), "le modem")
    assert [(m.query_span, m.passage_span) for m in found] == [((0, 6), (0, 2))]
    assert found[0].strength == pytest.approx(1.0)


def test_no_words_no_matches():
    one = TokenVectors(vectors([1, 0]), np.array([1], np.int32), spans((0, 0)))
    assert find_matches(one, "q", Window((0, 1), one), "d") == ()


def test_a_match_does_not_leave_its_window():
    """Where a window had to be cut within a word."""
    one = TokenVectors(vectors([1, 0]), np.array([1], np.int32), spans((2, 4)))
    found = find_matches(one, "  it", Window((1, 5), one), "unbroken")
    assert found[0].passage_span == (1, 5)


def test_spans_merge():
    assert merge_spans([(5, 7), (0, 2), (1, 3), (3, 4)]) == [(0, 4), (5, 7)]
