"""bm25s as it comes, and with the settings that do best on each set.

The best are chosen on the very queries that are reported, so they are an upper bound for it.
Tokens are words of two letters or more (its default), of one or more, or single characters where
a script has no spaces; with and without its stop words, and the Snowball stemmer of the language.
The two best of these are tried with 45 values of k1, b and the method.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import bm25s

from lfm2_colbert_rag.evaluation import Dataset, Evaluation, score_run
from lfm2_colbert_rag.evaluation.runs import keep_order

DEPTH = 10
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
        measures: what to measure; the first decides which settings are best.
    """

    def __init__(self, dataset: Dataset, measures: tuple[str, ...]) -> None:
        self._dataset = dataset
        self._measures = measures
        passages = list(dataset.corpus or ())
        self._ids = [passage.id for passage in passages]
        self._texts = [passage.text for passage in passages]
        self._queries = dataset.judged()

    def measure(self, tokens: Tokens, weights: Weights, mode: str) -> Evaluation:
        """Index, ask, and measure with some settings."""
        passages, queries = self._tokenize(tokens)
        index = bm25s.BM25(method=weights.method, k1=weights.k1, b=weights.b)
        index.index(passages, show_progress=False)
        depth = min(DEPTH, len(self._ids))
        places, scores = index.retrieve(queries, k=depth, show_progress=False)
        run = {
            query: keep_order((self._ids[p], float(s)) for p, s in zip(*row, strict=True) if s > 0)
            for query, row in zip(self._queries, zip(places, scores, strict=True), strict=True)
        }
        return score_run(run, self._dataset, self._measures, mode=mode, model="bm25s")

    def best(self, language: str) -> tuple[Evaluation, dict[str, Any]]:
        """Return what the best settings give, and the settings."""
        plain = Weights()
        ranked = sorted(
            candidates(language), key=lambda one: -self.measure(one, plain, "trial").mean()
        )
        grid = itertools.product(("lucene", "bm25l", "bm25+"), (0.9, 1.2, 1.5, 2.0),
                                 (0.4, 0.6, 0.75, 0.9, 1.0))  # fmt: skip
        tried = itertools.product(ranked[:2], (Weights(*values) for values in grid))
        tokens, weights = max(tried, key=lambda one: self.measure(*one, "trial").mean())
        return self.measure(tokens, weights, "bm25s best"), {**vars(tokens), **vars(weights)}

    @lru_cache(maxsize=16)  # noqa: B019  (lives as long as one dataset is measured)
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


def candidates(language: str) -> Iterator[Tokens]:
    """Yield the ways to make tokens that are worth a try in a language."""
    patterns = PATTERNS if language in UNSPACED else ("words", "short words")
    stop_words = (None, *STOP_WORDS.get(language, ()))
    stemmers = (None, *([STEMMERS[language]] if language in STEMMERS else []))
    for values in itertools.product(patterns, stop_words, stemmers):
        yield Tokens(*values)
