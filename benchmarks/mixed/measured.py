"""What is measured of a mixture: quality by kind of question, language bias, hubs."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lfm2_colbert_rag import Retriever

from .corpus import ENGLISH
from .texts import Asked, Mixture

DEPTH, DEEP = 10, 1000
# What is asked: by which leg, and with which map of questions.
WAYS = {
    "late, as it is": ("late", "none"),
    "late": ("late", "auto"),
    "lexical": ("lexical", "none"),
    "hybrid": ("hybrid", "auto"),
}
DISCOUNTS = 1 / np.log2(np.arange(2, DEPTH + 2))

Rankings = Sequence[Sequence[tuple[str, float]]]


def measure(retriever: Retriever, mixture: Mixture, kind: str) -> dict[str, Any]:
    """Ask all questions in every way."""
    questions = mixture.questions
    texts = [one.text for one in questions]
    found: dict[str, Any] = {}
    for name, (mode, adapter) in WAYS.items():
        ranked = retriever.rank_many(texts, DEPTH, mode=mode, query_adapter=adapter)
        found[name] = {
            "nDCG@10": _quality(ranked, questions, kind),
            "own language in the first ten": _own_share(ranked, mixture),
            "hubs": _hubs(ranked, mixture),
        }
    for name in ("late, as it is", "late"):
        found[name]["median rank"] = _ranks(retriever, questions, WAYS[name][1])
    return found


def ndcg(ranked: Sequence[tuple[str, float]], answers: frozenset[str]) -> float:
    """Return nDCG@10, each answer counting the same."""
    gains = [id in answers for id, _ in ranked]
    ideal = DISCOUNTS[: len(answers)].sum()
    return float((np.array(gains) @ DISCOUNTS[: len(gains)]) / ideal) if gains else 0.0


def _quality(ranked: Rankings, questions: Sequence[Asked], kind: str) -> dict[str, float]:
    """Return the mean of each kind of question, and of each pair towards English."""
    gains = [ndcg(one, asked.answers) for one, asked in zip(ranked, questions, strict=True)]
    found = {
        name: _mean(gain for gain, one in zip(gains, questions, strict=True) if test(one))
        for name, test in _kinds(kind).items()
    }
    return {name: round(value, 4) for name, value in found.items() if value is not None}


def _kinds(kind: str) -> dict[str, Callable[[Asked], bool]]:
    """Return the kinds of questions of a mixture, those of the single sets one by one."""

    def xquad(one: Asked) -> bool:
        return next(iter(one.answers)).startswith("xquad")

    def pair(asked: str, answer: str) -> Callable[[Asked], bool]:
        return lambda one: (one.language, one.answer_language) == (asked, answer)

    kinds: dict[str, Callable[[Asked], bool]] = {}
    if kind == ENGLISH:
        kinds["en → en"] = pair("en", "en")
        kinds |= {f"{one} → en": pair(one, "en") for one in ("es", "de", "zh", "ar")}
        kinds["across"] = lambda one: one.answer_language == "en" != one.language
    else:
        kinds["en → others"] = lambda one: (
            xquad(one) and one.language == "en" != one.answer_language
        )
        kinds["others → others"] = lambda one: (
            xquad(one) and "en" != one.language != one.answer_language
        )
        kinds["own"] = lambda one: xquad(one) and one.language == one.answer_language
    for language in ("fr", "ja", "ar", "zh"):
        test = pair(language, language)
        kinds[f"{language} → {language}"] = lambda one, test=test: not xquad(one) and test(one)
    kinds["within"] = lambda one: not xquad(one)
    return kinds


def _own_share(ranked: Rankings, mixture: Mixture) -> dict[str, float]:
    """Return which part of the first ten is in the question's language, of questions across."""
    language = {one.id: one.language for one in mixture.passages}
    shares: defaultdict[str, list[float]] = defaultdict(list)
    for found, one in zip(ranked, mixture.questions, strict=True):
        if found and one.language != one.answer_language:
            own = [language[id] == one.language for id, _ in found]
            shares[one.language].append(sum(own) / len(own))
    return {name: round(sum(some) / len(some), 3) for name, some in sorted(shares.items())}


def _hubs(ranked: Rankings, mixture: Mixture) -> dict[str, float]:
    """Return by how much each source has more of the first ten than of the corpus."""
    source = {one.id: one.source for one in mixture.passages}
    corpus, places = Counter(source.values()), Counter[str]()
    for found in ranked:
        places.update(source[id] for id, _ in found)
    total = sum(places.values())
    return {
        name: round(places[name] / total / (number / len(source)), 2)
        for name, number in sorted(corpus.items())
    }


def _ranks(
    retriever: Retriever, questions: Sequence[Asked], adapter: str
) -> Mapping[str, tuple[float, float]]:
    """Return the median rank of the answer among its own language, and among all passages."""
    across = [one for one in questions if one.language != one.answer_language]
    ranks: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    everywhere = _places(retriever, across, adapter, None)
    for answer in sorted({one.answer_language for one in across}):
        there = [place for place, one in enumerate(across) if one.answer_language == answer]
        among = _places(retriever, [across[place] for place in there], adapter, answer)
        for place, own in zip(there, among, strict=True):
            ranks[across[place].language].append((own, everywhere[place]))
    return {
        name: tuple(statistics.median(side) for side in zip(*some, strict=True))  # type: ignore[misc]
        for name, some in sorted(ranks.items())
    }


def _places(
    retriever: Retriever, questions: Sequence[Asked], adapter: str, language: str | None
) -> list[int]:
    where = None if language is None else {"language": language}
    texts = [one.text for one in questions]
    ranked = retriever.rank_many(texts, DEEP, where=where, mode="late", query_adapter=adapter)
    return [
        next((rank for rank, (id, _) in enumerate(found, 1) if id in one.answers), DEEP)
        for found, one in zip(ranked, questions, strict=True)
    ]


def _mean(values: Any) -> float | None:
    some = list(values)
    return sum(some) / len(some) if some else None
