"""What a question may be asked with, checked alike wherever it is given."""

from __future__ import annotations

import logging
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from llama_index.core.vector_stores.types import VectorStoreQueryMode

from lfm2_colbert_rag import Client, Hit, Mode
from lfm2_colbert_rag.errors import ConfigError, shown

from .core import Core
from .payload import storable

logger = logging.getLogger(__name__)

DEFAULT_MMR_THRESHOLD = 0.5

_MODES: dict[str, Mode | None] = {
    VectorStoreQueryMode.DEFAULT.value: None,
    VectorStoreQueryMode.MMR.value: None,
    VectorStoreQueryMode.TEXT_SEARCH.value: "lexical",
    VectorStoreQueryMode.SPARSE.value: "lexical",
    VectorStoreQueryMode.HYBRID.value: "hybrid",
    VectorStoreQueryMode.SEMANTIC_HYBRID.value: "hybrid",
}


@dataclass(frozen=True)
class Way:
    """How questions are asked.

    Attributes:
        mode: what is compared; None leaves it to the core.
        diversity: how much passages are to differ, 0 to 1; None where that does not count.
    """

    mode: Mode | None = None
    diversity: float | None = None

    @classmethod
    def of(cls, query_mode: str, mmr_threshold: float | None = None) -> Way:
        """Translate LlamaIndex's name of a query mode.

        Args:
            query_mode: a ``VectorStoreQueryMode``, or its value.
            mmr_threshold: of ``"mmr"``: from 0 (diversity only) to 1 (relevance only).

        Raises:
            ConfigError: an unknown mode, one that needs embeddings of nodes, or a threshold that
                is no number from 0 to 1.

        Example:
            >>> Way.of("semantic_hybrid"), Way.of("mmr", 0.75)
            (Way(mode='hybrid', diversity=None), Way(mode=None, diversity=0.25))
        """
        name = getattr(query_mode, "value", query_mode)
        if not isinstance(name, str) or name not in _MODES:
            why = "needs an embedding of each node" if name in _ALL_MODES else "is unknown"
            raise ConfigError(
                f"vector_store_query_mode {shown(name)} {why}; there are {', '.join(_MODES)}."
            )
        if name != VectorStoreQueryMode.MMR.value:
            return cls(_MODES[name])
        threshold = DEFAULT_MMR_THRESHOLD if mmr_threshold is None else mmr_threshold
        return cls(None, 1 - check_share(threshold, "mmr_threshold"))

    @classmethod
    def chosen(
        cls, mode: Mode | None, query_mode: str | None, mmr_threshold: float | None = None
    ) -> Way:
        """Return the way that is named in either language.

        Raises:
            ConfigError: both name one; or see :meth:`of`.
        """
        if query_mode is None:
            return cls(mode)
        if mode is not None:
            raise ConfigError(
                f"give either mode ({shown(mode)}) or vector_store_query_mode "
                f"({shown(query_mode)}); they say the same."
            )
        return cls.of(query_mode, mmr_threshold)

    def ask(
        self,
        retriever: Core,
        questions: Sequence[str],
        k: int,
        where: Mapping[str, Any] | None,
        *,
        evidence: bool = False,
    ) -> list[list[Hit]]:
        """Answer questions; a blank one finds what the filter lets through, else nothing.

        Args:
            retriever: what is asked.
            questions: the questions.
            k: how many hits on each, at most.
            where: the filter.
            evidence: whether it is going to be looked at: a server then sends it along.

        Returns:
            For each question, its hits in the order of the core.

        Raises:
            InputError: a question that is no string.
        """
        asked = [question for question in questions if where is not None or question.strip()]
        more = {"evidence": evidence} if isinstance(retriever, Client) else {}
        options: dict[str, Any]
        if self.diversity is None:
            options = {"where": where, "mode": self.mode, **more}
            found = retriever.search_many(asked, k, **options) if asked else []
        else:
            weight = self.diversity
            options = {"where": where, "diversity": weight, **more}
            found = [retriever.search(one, k, **options) for one in asked]
        answers = dict(zip(asked, found, strict=True))
        return [answers.get(question, []) for question in questions]


def readable(question: str) -> str:
    """Replace the characters of a question that no model can read; says so in the log."""
    written = storable(question)
    if written != question:
        logger.warning("The question holds NUL or a lone surrogate; replaced by U+FFFD.")
    return written


def merge(found: Sequence[Sequence[Hit]]) -> list[tuple[int, Hit]]:
    """Join what several wordings of a question found.

    Args:
        found: the hits on each wording.

    Returns:
        Each passage once, with the place of the wording that it answers best. They are ordered by
        relevance if the hits are; otherwise (hybrid, MMR) by the best rank that any wording gave.
    """
    best: dict[str, tuple[int, Hit]] = {}
    ranks: dict[str, int] = {}
    for place, hits in enumerate(found):
        for rank, hit in enumerate(hits):
            if hit.id not in best or hit.relevance > best[hit.id][1].relevance:
                best[hit.id] = place, hit
            ranks[hit.id] = min(rank, ranks.get(hit.id, rank))
    if any(a.relevance < b.relevance for hits in found for a, b in pairwise(hits)):
        return sorted(best.values(), key=lambda one: (ranks[one[1].id], -one[1].relevance))
    return sorted(best.values(), key=lambda one: one[1].relevance, reverse=True)


_ALL_MODES = {mode.value for mode in VectorStoreQueryMode}


def check_top(number: object, name: str) -> int:
    """Return how many nodes are wanted, also where numpy counted them.

    Raises:
        ConfigError: it is no whole number from 1 up.
    """
    try:
        whole = operator.index(number)  # type: ignore[arg-type]
    except TypeError:
        whole = 0
    if isinstance(number, bool) or whole < 1:
        raise ConfigError(f"{name} must be a whole number from 1 up, not {shown(number)}.")
    return whole


def check_share(share: object, name: str) -> float:
    """Return a threshold, also where numpy computed it.

    Raises:
        ConfigError: it is no number from 0 to 1.
    """
    try:
        number = -1.0 if isinstance(share, bool | str) else float(share)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1:  # nor is NaN
        raise ConfigError(f"{name} must be a number from 0 to 1, not {shown(share)}.")
    return number


def check_cutoff(cutoff: object) -> float | None:
    """Return a ``similarity_cutoff``; None where there is none."""
    return None if cutoff is None else check_share(cutoff, "similarity_cutoff")
