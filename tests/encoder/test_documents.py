"""Texts that were encoded are kept for those who share them, within a bound."""

from __future__ import annotations

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.encoder.documents import EncodedTexts
from lfm2_colbert_rag.types import TokenVectors, Window


def windows(number: int, vectors: int = 4) -> tuple[Window, ...]:
    encoded = TokenVectors(
        np.full((vectors, 8), number, np.float32),
        np.zeros(vectors, np.int32),
        np.zeros((vectors, 2), np.int32),
    )
    return (Window((0, 1), encoded),)


def value(found: tuple[Window, ...]) -> float:
    return float(found[0].encoded.vectors[0, 0])


TEXTS = st.text(max_size=3)
PARTIES = st.sampled_from(["a", "b", "ab", ""])


@given(st.lists(st.tuples(PARTIES, TEXTS), max_size=20), PARTIES, TEXTS)
def test_a_party_finds_what_it_kept_and_nothing_else(keeping, party, text):
    kept, expected = EncodedTexts(1 << 20), {}
    for number, (whose, what) in enumerate(keeping):
        kept.keep(whose, {what: windows(number)})
        expected[whose, what] = number
    found = kept.find(party, [text])
    assert set(found) == ({text} if (party, text) in expected else set())
    if found:
        assert value(found[text]) == expected[party, text]


def test_it_holds_no_more_than_it_may_and_what_was_asked_for_last():
    kept = EncodedTexts(10 * (4 * 8 * 4 + 4 * 4 + 4 * 2 * 4 + 128))
    for number in range(50):
        kept.keep("a", {str(number): windows(number)})
        assert kept.find("a", ["0"])
    found = kept.find("a", map(str, range(50)))
    assert set(found) == {"0", *map(str, range(41, 50))}
    kept.keep("a", {"huge": windows(1, vectors=10_000)})
    assert "huge" not in kept.find("a", ["huge"])
    assert kept.find("a", ["0"])


def test_threads_share_it():
    kept = EncodedTexts(1 << 12)

    def work(seed: int) -> None:
        for number in range(300):
            kept.keep(str(seed), {str(number % 7): windows(number % 7)})
            for text, found in kept.find(str(seed), map(str, range(7))).items():
                assert value(found) == float(text)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert kept.find("0", ["none"]) == {}
