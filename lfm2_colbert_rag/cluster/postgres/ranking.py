"""A plan on one server: candidates, MaxSim over their token vectors, and the rows of the best."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any
from uuid import UUID

import numpy as np

from ...errors import ConfigError
from ...index.array_types import FloatArray
from ...index.maxsim import score_block
from ..plan import FoundPoint, Plan, Selection
from ..points import Sparse
from .filters import selected
from .rows import literal, read, shown

__all__ = ["Rarity", "count_terms", "rank", "reading"]

_AT_ONCE = 512  # windows whose vectors are held together

Rarity = Mapping[int, float]
"""How much each term of a question counts: the rarer it is in the whole index, the more."""


@contextmanager
def reading(connection: Any) -> Iterator[None]:
    """Let several statements see the same state of a server."""
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def rank(connection: Any, plan: Plan, rarity: Rarity) -> list[FoundPoint]:
    """Return what a server has for a plan, best first.

    Args:
        connection: to the server.
        plan: the plan.
        rarity: of the terms, where it is one of ``words``.
    """
    with reading(connection):
        scores = _by_terms(connection, plan, rarity) if plan.vector == "words" else None
        if scores is None:
            scores = dict(heapq.nlargest(plan.limit, _by_maxsim(connection, plan), _order))
        rows = connection.cursor(binary=True).execute(
            f"SELECT uuid, {shown(plan.fetch)} FROM points WHERE uuid = ANY(%s)", (list(scores),)
        )
        found = [FoundPoint(read(row[1:], plan.fetch), scores[row[0]]) for row in rows]
    return sorted(found, key=lambda one: -one.score)


def count_terms(connection: Any, terms: list[int], owner: str | None) -> tuple[int, dict[int, int]]:
    """Return how many passages a server has, and how many of them have each term.

    Args:
        connection: to the server.
        terms: their numbers.
        owner: passages of this tenant only, who learns nothing of others; None for all.
    """
    parameters: dict[str, Any] = {"terms": terms}
    where = selected(Selection(owner=owner, heads=True), parameters)
    having = "" if owner is None else f"JOIN points USING (uuid) WHERE {where} AND"
    with reading(connection):
        passages = connection.execute(f"SELECT count(*) FROM points WHERE {where}", parameters)
        (number,) = passages.fetchone()
        found = connection.execute(
            f"SELECT term, count(*) FROM words {having or 'WHERE'} "
            "term = ANY(%(terms)s::bigint[]) GROUP BY term",
            parameters,
        )
        return int(number), {int(term): int(number) for term, number in found}


def _order(scored: tuple[UUID, float]) -> tuple[float, bytes]:
    return scored[1], scored[0].bytes


def _by_maxsim(connection: Any, plan: Plan) -> Iterator[tuple[UUID, float]]:
    if plan.vector != "colbert" or isinstance(plan.query, Sparse):
        raise ConfigError(f"PostgreSQL ranks by colbert or words, not by {plan.vector}.")
    parameters: dict[str, Any] = {}
    where = selected(plan.selection, parameters)
    rows = f"SELECT uuid, vectors, colbert FROM points WHERE vectors > 0 AND {where}"
    if plan.candidates:
        near = [one for one in plan.candidates if not isinstance(one.query, Sparse)]
        # No lists of centroids are kept here: the mean brings as many more.
        parameters["limit"] = sum(one.limit for one in plan.candidates)
        parameters["mean"] = literal(np.asarray(near[0].query))
        distance = "mean <#> %(mean)s::halfvec"
        rows += f" ORDER BY {f'({distance}) + 0' if plan.exact else distance} LIMIT %(limit)s"
        cursor = connection.cursor(binary=True)
    else:
        cursor = connection.cursor(name="ranking", binary=True)
        cursor.itersize = _AT_ONCE
    with cursor:
        cursor.execute(rows, parameters)
        while block := list(islice(cursor, _AT_ONCE)):
            yield from _scored(np.asarray(plan.query, np.float32), block)


def _scored(query: FloatArray, rows: list[Any]) -> Iterator[tuple[UUID, float]]:
    lengths = np.array([count for _, count, _ in rows])
    vectors = np.frombuffer(b"".join(data for _, _, data in rows), "<f2")
    scores = score_block(query, vectors.reshape(lengths.sum(), -1).astype(np.float32), lengths)
    return zip((uuid for uuid, _, _ in rows), scores.tolist(), strict=True)


def _by_terms(connection: Any, plan: Plan, rarity: Rarity) -> dict[UUID, float]:
    assert isinstance(plan.query, Sparse)
    parameters: dict[str, Any] = {}
    where = selected(plan.selection, parameters)
    weights = zip(plan.query.ids.tolist(), plan.query.weights.tolist(), strict=True)
    factors = [weight * rarity.get(term, 0.0) for term, weight in weights]
    parameters |= {"terms": plan.query.ids.tolist(), "factors": factors, "limit": plan.limit}
    found = connection.execute(
        "SELECT uuid, sum(words.weight * asked.factor) AS score "
        "FROM unnest(%(terms)s::bigint[], %(factors)s::float8[]) AS asked(term, factor) "
        f"JOIN words USING (term) JOIN points USING (uuid) WHERE {where} "
        "GROUP BY uuid ORDER BY score DESC, uuid LIMIT %(limit)s",
        parameters,
    )
    return {uuid: float(score) for uuid, score in found}
