"""What is written in one way is found however it is asked for, by words and by both."""

from __future__ import annotations

import threading
import time
import unicodedata
from itertools import product

import pytest

from lfm2_colbert_rag import Retriever


def ranked(
    texts: list[str], query: str, *, model: str = "hash", mode: str = "lexical"
) -> list[str]:
    with Retriever.from_texts(texts, model=model) as retriever:
        return [hit.text for hit in retriever.search(query, mode=mode)]


@pytest.mark.parametrize(
    ("query", "text", "other"),
    [
        ("500mg", "Take 500 mg.", "Rest 500 days."),
        ("500 mg", "Take 500mg.", "Rest 500 days."),
        ("iPhone 15", "An iPhone15 case.", "An iPhone 14 case."),
        ("10000", "About 10 000 words.", "About 10 words, or 000."),
        ("10,000", "About 10000 words.", "About 10 words."),
        ("10'000", "About 10.000 words.", "About 10.5 words."),
        ("email", "Send an e-mail.", "Send a parcel."),
        ("e-mail", "An email arrived.", "A mailman arrived."),
        ("USA", "Made in the U.S.A.", "Made in Peru."),
        ("山崎", "山﨑様", "崎山様"),
        ("渡辺", "渡邉様", "辺渡様"),
        ("高橋", "髙橋様", "橋高様"),
        ("国学", "國學院", "学国院"),
        ("数据库", "數據庫設計", "設計圖"),
        ("น้ำ", "นํ้า", "นา"),
        ("葛城市", "葛󠄀城市", "市城葛"),
    ],
)
def test_a_passage_is_found_first_however_it_is_spelled(query, text, other):
    assert ranked([other, text], query)[0] == text


def test_a_selector_is_no_word():
    assert ranked(["Sun ☀️", "Love ❤️"], "☀️") == ["Sun ☀️"]
    with Retriever.from_texts(["reset key", "red key"], model="hash") as retriever:
        plain, marked = (
            retriever.search(query, mode="lexical") for query in ("reset key", "\ufeffreset key")
        )
    assert [(hit.id, hit.score) for hit in plain] == [(hit.id, hit.score) for hit in marked]


def test_names_in_other_forms_are_found_by_both():
    assert ranked(["崎山様", "山﨑様"], "山崎", model="nano", mode="hybrid")[0] == "山﨑様"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_both_forms_of_a_question_find_the_same(form):
    texts = ["Tiếng Việt có dấu", "한국어를 배웁니다", "Résumé of a café", "Something else"]
    stored = [unicodedata.normalize(form, text) for text in texts]
    with Retriever.from_texts(stored, model="nano") as retriever:
        for text, mode in product(texts, ["late", "lexical", "hybrid"]):
            asked = [unicodedata.normalize(one, text) for one in ("NFC", "NFD")]
            one, other = (retriever.search(query, mode=mode) for query in asked)
            assert [(h.text, h.score) for h in one] == [(h.text, h.score) for h in other]
            assert one[0].text == unicodedata.normalize(form, text)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="no clock of a thread")
def test_words_that_nobody_has_seen_hold_no_other_thread_up():
    """Of a megabyte of distinct words: what is said of threads is the processor's time."""
    letters = "abcdefghijklmnop"
    words = (f"{letters[n % 16]}{n * 7919 % 1_000_003:x}q{n:x}" for n in range(40_000))
    with Retriever.from_texts(["x"], model="hash") as retriever, _Ticks() as ticks:
        retriever.add([" ".join(words)])
        retriever.search("x", mode="lexical")
    assert ticks.longest < 0.2


class _Ticks:
    """The longest time that this thread computed without another getting its turn."""

    def __enter__(self) -> _Ticks:
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self.longest, self._stop = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._tick)
        self._thread.start()
        return self

    def _tick(self) -> None:
        last = time.clock_gettime(self._clock)
        while not self._stop.wait(0.0005):
            now = time.clock_gettime(self._clock)
            self.longest, last = max(self.longest, now - last), now

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
