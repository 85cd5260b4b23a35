"""bm25s as it comes, and with the settings that do best on each set.

The best are chosen on the very queries that are reported, so they are an upper bound for it.
Tokens are words of two letters or more (its default), of one or more, or single characters where
a script has no spaces; with and without its stop words, and the Snowball stemmer of the language.
The three best of these are tried with every value of :func:`grid`. Texts are cut into tokens once,
and a trial measures nothing but nDCG@10, so that all queries of a set can be used.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import bm25s
import numpy as np
import numpy.typing as npt

from lfm2_colbert_rag.evaluation import Dataset, Evaluation, score_run
from lfm2_colbert_rag.evaluation.runs import keep_order

DEPTH = 10
DISCOUNTS = 1 / np.log2(np.arange(2, DEPTH + 2))
FINALISTS = 3
METHODS = ("lucene", "atire", "robertson", "bm25l", "bm25+")
PATTERNS = {"words": r"(?u)\b\w\w+\b", "short words": r"(?u)\b\w+\b", "characters": r"(?u)\w"}
UNSPACED = ("zh", "ja", "th")
STEMMERS = {
    "ar": "arabic", "fr": "french", "en": "english", "de": "german", "el": "greek",
    "es": "spanish", "hi": "hindi", "ro": "romanian", "ru": "russian", "tr": "turkish",
}  # fmt: skip
STOP_WORDS = {
    "en": ("english", "english_plus"), "de": ("german",), "fr": ("french",), "es": ("spanish",),
    "ru": ("russian",), "tr": ("turkish",), "zh": ("chinese",),
}  # fmt: skip


@dataclass(frozen=True)
class Tokens:
    """How texts become tokens; the defaults are those of bm25s."""

    pattern: str = "words"
    stop_words: str | None = "english"
    stemmer: str | None = None


@dataclass(frozen=True)
class Weights:
    """How tokens are weighed; the defaults are those of bm25s."""

    method: str = "lucene"
    k1: float = 1.5
    b: float = 0.75


class Bm25:
    """bm25s over one dataset.

    Args:
        dataset: its passages are held in memory.
        measures: what to measure in the end; settings are chosen by nDCG@10.
    """

    def __init__(self, dataset: Dataset, measures: tuple[str, ...]) -> None:
        self._dataset = dataset
        self._measures = measures
        passages = list(dataset.corpus or ())
        self._ids = [passage.id for passage in passages]
        self._texts = [passage.text for passage in passages]
        self._queries = dataset.judged()
        self._gains = _gains(dataset, self._ids)

    def measure(self, tokens: Tokens, weights: Weights, mode: str) -> Evaluation:
        """Index, ask, and measure with some settings."""
        places, scores = self._retrieve(tokens, weights)
        run = {
            query: keep_order((self._ids[p], float(s)) for p, s in zip(*row, strict=True) if s > 0)
            for query, row in zip(self._queries, zip(places, scores, strict=True), strict=True)
        }
        return score_run(run, self._dataset, self._measures, mode=mode, model="bm25s")

    def best(self, language: str) -> tuple[Tokens, Weights]:
        """Return the settings that do best on these queries."""
        plain = Weights()
        ranked = sorted(candidates(language), key=lambda one: -self._try(one, plain))
        tried = itertools.product(ranked[:FINALISTS], grid())
        return max(tried, key=lambda one: self._try(*one))

    def _try(self, tokens: Tokens, weights: Weights) -> float:
        """Return the mean nDCG@10, without what a report needs besides."""
        places, scores = self._retrieve(tokens, weights)
        gains = np.take_along_axis(self._gains, places, axis=1) * (scores > 0)
        return float((gains @ DISCOUNTS[: places.shape[1]]).mean())

    def _retrieve(self, tokens: Tokens, weights: Weights) -> tuple[Any, Any]:
        passages, queries = self._tokenize(tokens)
        index = bm25s.BM25(method=weights.method, k1=weights.k1, b=weights.b, csc_backend="scipy")
        index.index(passages, show_progress=False)
        depth = min(DEPTH, len(self._ids))
        return index.retrieve(queries, k=depth, show_progress=False)

    @lru_cache(maxsize=FINALISTS)  # noqa: B019  (lives as long as one dataset is measured)
    def _tokenize(self, tokens: Tokens) -> tuple[Any, Any]:
        stemmer = None
        if tokens.stemmer is not None:
            import Stemmer

            stemmer = Stemmer.Stemmer(tokens.stemmer)
        options = {
            "token_pattern": PATTERNS[tokens.pattern], "stopwords": tokens.stop_words,
            "stemmer": stemmer, "show_progress": False,
        }  # fmt: skip
        passages = bm25s.tokenize(self._texts, **options)
        queries = bm25s.tokenize(list(self._queries.values()), return_ids=False, **options)
        return passages, queries


def _gains(dataset: Dataset, ids: list[str]) -> npt.NDArray[np.float64]:
    """Return what each passage adds to the nDCG@10 of each query at the first rank."""
    place = {id: number for number, id in enumerate(ids)}
    table = np.zeros((len(dataset.qrels), len(ids)))
    for row, query in enumerate(dataset.judged()):
        grades = dataset.qrels[query]
        best = np.array(sorted(grades.values(), reverse=True)[:DEPTH], dtype=float)
        for passage, grade in grades.items():
            table[row, place[passage]] = grade / (best @ DISCOUNTS[: len(best)])
    return table


def grid() -> Iterator[Weights]:
    """Yield the weights that are tried."""
    k1, b = (0.6, 0.9, 1.2, 1.5, 2.0), (0.2, 0.4, 0.6, 0.75, 0.9, 1.0)
    for values in itertools.product(METHODS, k1, b):
        yield Weights(*values)


def candidates(language: str) -> Iterator[Tokens]:
    """Yield the ways to make tokens that are worth a try in a language."""
    patterns = PATTERNS if language in UNSPACED else ("words", "short words")
    stop_words = (None, *STOP_WORDS.get(language, ()))
    stemmers = (None, *([STEMMERS[language]] if language in STEMMERS else []))
    for values in itertools.product(patterns, stop_words, stemmers):
        yield Tokens(*values)
