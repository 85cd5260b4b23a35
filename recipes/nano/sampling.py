"""Endless batches of (query, document) pairs across languages, from tokenised units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .corpus import FEW_TEXTS, LANGUAGES
from .tokens import CAPS, Tokens, runs_of_pairs

# Shares of the kinds in the batches; each batch is of one kind, so that negatives are alike.
KIND_SHARES = {"tatoeba-anki": 0.35, "words": 0.20, "page": 0.35, "loose": 0.10}

# Languages that English shares few words with need more of the batches.
LANGUAGE_WEIGHTS = {"ar": 2.0, "zh": 1.5, "de": 1.5, "ja": 1.2, "ko": 1.2}
LANGUAGE_WEIGHTS |= dict.fromkeys(FEW_TEXTS, 0.25)


@dataclass(frozen=True)
class PairBatch:
    """Queries and the documents that hold their translations, row by row, as lists of ids."""

    queries: list[np.ndarray]
    documents: list[np.ndarray]


class PairSampler:
    """Draw batches of translated (query, document) pairs.

    Args:
        tokens: the tokenised pairs.
        rng: source of all choices.
        english_documents: share of pairs whose document is English; in the others the query
            is. A batch holds both kinds, so a query also meets wrong documents of its own
            language: without them a model learns to prefer those.
    """

    def __init__(
        self, tokens: Tokens, rng: np.random.Generator, english_documents: float = 0.75
    ) -> None:
        self._tokens, self._rng, self._share = tokens, rng, english_documents
        self._units: dict[tuple[int, int], list[np.ndarray]] = {}
        for unit in runs_of_pairs(tokens, rng, list(CAPS)):
            key = int(tokens.kind[unit[0]]), int(tokens.lang[unit[0]])
            self._units.setdefault(key, []).append(unit)

    def batches(self, token_budget: int) -> Iterator[PairBatch]:
        """Yield batches of about ``token_budget`` tokens in all, for ever."""
        kinds = [list(CAPS).index(kind) for kind in KIND_SHARES]
        shares = np.array(list(KIND_SHARES.values()))
        while True:
            kind = int(self._rng.choice(kinds, p=shares))
            langs = [lang for lang in range(len(LANGUAGES)) if (kind, lang) in self._units]
            weights = np.array([LANGUAGE_WEIGHTS.get(LANGUAGES[lang], 1.0) for lang in langs])
            queries: list[np.ndarray] = []
            documents: list[np.ndarray] = []
            total = 0
            while total < token_budget:
                query_side = int(self._rng.random() < self._share)
                lang = int(self._rng.choice(langs, p=weights / weights.sum()))
                units = self._units[kind, lang]
                unit = units[int(self._rng.integers(len(units)))]
                query = self._query(unit, query_side)
                if len(query) < 2:
                    continue
                texts = [self._tokens.text(int(p), 1 - query_side) for p in unit]
                document = np.concatenate(texts)[:250]
                queries.append(query)
                documents.append(document)
                total += len(query) + len(document) + 4
            yield PairBatch(queries, documents)

    def _query(self, unit: np.ndarray, side: int) -> np.ndarray:
        """Join neighbouring pairs of the unit from a random one until 5 tokens or more."""
        start = int(self._rng.integers(len(unit)))
        parts: list[np.ndarray] = []
        length = 0
        for pair in unit[start:]:
            parts.append(self._tokens.text(int(pair), side))
            length += len(parts[-1])
            if length >= 5:
                break
        return np.concatenate(parts)[:32]
