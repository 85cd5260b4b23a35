"""One question to the core, with options as callers of LangChain give them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from operator import index
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator

from lfm2_colbert_rag import Hit, is_blank
from lfm2_colbert_rag.errors import ConfigError, InputError, shown

from ._core import Core


def check_count(value: object, name: str = "k") -> int:
    """Return how many are wanted, from any integer, numpy's included.

    Raises:
        InputError: it is no whole number above 0.

    Example:
        >>> import numpy
        >>> check_count(numpy.int64(3))
        3
    """
    try:
        number = 0 if isinstance(value, bool) else index(value)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if number < 1:
        raise InputError(f"{name} must be a positive integer, not {shown(value)}.")
    return number


def check_threshold(value: object) -> float | None:
    """Return a ``score_threshold``; the same in a constructor and in a call.

    Raises:
        ConfigError: it is neither None nor a number from 0 to 1.

    Example:
        >>> check_threshold(1)
        1.0
    """
    return None if value is None else check_share(value, "score_threshold", "a relevance")


def check_share(value: object, name: str, meaning: str) -> float:
    """Return a number from 0 to 1.

    Raises:
        ConfigError: it is something else.
    """
    # Numbers of numpy are registered as real ones; its booleans are not.
    share = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not 0 <= share <= 1:
        raise ConfigError(f"{name} must be a number from 0 to 1 ({meaning}), not {shown(value)}.")
    return share


K: TypeAlias = Annotated[int, BeforeValidator(check_count)]
"""A field that counts documents."""

TopN: TypeAlias = Annotated[
    int | None,
    BeforeValidator(lambda value: None if value is None else check_count(value, "top_n")),
]
"""A field that counts documents; None for all."""

Threshold: TypeAlias = Annotated[float | None, BeforeValidator(check_threshold)]
"""A field that holds a relevance."""


def asks_nothing(query: object, where: object) -> bool:
    """Tell whether there are neither words nor a filter, so that nothing is to be found."""
    return not where and isinstance(query, str) and is_blank(query)


def find(
    retriever: Core,
    query: str,
    k: object,
    *,
    where: dict[str, Any] | None = None,
    score_threshold: object = None,
    **options: Any,
) -> list[Hit]:
    """Search, as a chain wants it: whatever question a model made up is answered.

    A blank question finds what its filter matches, in the order in which it was added and with a
    relevance of 0; without a filter, nothing.

    Args:
        retriever: what to ask.
        query: the question.
        k: how many hits at most.
        where: the filter.
        score_threshold: leave out what is of less relevance.
        **options: more of what the core's ``search`` takes.

    Raises:
        InputError: what was given cannot be used.
    """
    limit, threshold = check_count(k), check_threshold(score_threshold)
    if asks_nothing(query, where):
        return []
    return above(retriever.search(query, limit, where=where, **options), threshold)


def above(hits: Iterable[Hit], threshold: float | None) -> list[Hit]:
    """Return the hits that are at least so relevant."""
    return [hit for hit in hits if threshold is None or hit.relevance >= threshold]
