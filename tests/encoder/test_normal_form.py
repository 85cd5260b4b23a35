"""What looks the same is read alike, and found where it stands in the text as it was given."""

from __future__ import annotations

import time
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.encoder.normal_form import normal_form

TEXTS = [
    "Tiếng Việt có dấu thanh",
    "한국어를 배우는 학생",
    "  Résumé of the café\n",
    "क़लम और ज़मीन",
    "Ἀθῆναι, Ωμέγα",
    "5 \u212b \ufa19社 \u2126",
]
marked = st.text(alphabet="aeo한각ᄒ ᅡᆨ\u0301\u0323\u0308\u093c\u0958क\ufa19\u212b東 .", max_size=30)


@given(marked | st.text(max_size=30))
def test_a_text_becomes_what_unicode_says(text):
    assert normal_form(text).text == unicodedata.normalize("NFC", text)


@given(marked | st.text(max_size=30))
def test_the_parts_of_the_normal_form_are_those_of_the_text(text):
    """They ascend, leave nothing out, and each is the normal form of what stands in its place."""
    normal = normal_form(text)
    edges = np.arange(len(normal.text), dtype=np.int32)
    spans = normal.as_given(np.stack((edges, edges + 1), axis=1))
    whole = [tuple(span) for span in np.unique(spans, axis=0).tolist()]
    assert [start for start, _ in whole] == [0, *(end for _, end in whole)][: len(whole)]
    assert (whole[-1][1] if whole else 0) == len(text)
    places = [np.flatnonzero((spans == span).all(axis=1)) for span in whole]
    for (start, end), (first, *_, last) in zip(whole, [[*p, p[-1]] for p in places], strict=True):
        part = unicodedata.normalize("NFC", text[start:end])
        assert part == normal.text[first : last + 1]


@pytest.mark.parametrize("model", ["nano", "hash"])
@pytest.mark.parametrize("text", TEXTS)
def test_both_forms_of_a_text_have_the_same_vectors(model, text):
    encoder = load_encoder(model)
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    for encode in (encoder.encode_query, encoder.encode_document):
        one, other = encode([composed])[0], encode([decomposed])[0]
        np.testing.assert_array_equal(one.vectors, other.vectors)
        np.testing.assert_array_equal(one.token_ids, other.token_ids)
        for span, there in zip(one.spans.tolist(), other.spans.tolist(), strict=True):
            part = decomposed[slice(*there)]
            assert unicodedata.normalize("NFC", part) == composed[slice(*span)]
    tokens = encoder.token_spans([composed, decomposed])
    assert len(tokens[0]) == len(tokens[1])


def test_a_long_text_takes_time_in_proportion_to_its_length():
    def seconds(letters: str) -> float:
        before = time.thread_time()
        normal_form(letters)
        return time.thread_time() - before

    for letters in ("e\u0301", "\u0301\u0316\u0345", "ᄒ\u1161\u11ab", "a e\u0301"):
        seconds(letters * 1000)
        assert seconds(letters * 100_000) < 30 * seconds(letters * 10_000) + 0.2
