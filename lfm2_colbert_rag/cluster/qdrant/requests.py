"""Plans in the words of Qdrant."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..plan import Plan, Selection
from ..points import Sparse
from . import payload
from .filters import models, selected


def request(plan: Plan, local: bool) -> Any:
    """Return a plan as a request.

    Args:
        plan: the plan.
        local: whether it goes to a client without a server, which is always exact.

    Raises:
        FilterError: Qdrant cannot answer its filter.
    """
    m, where = models(), selected(plan.selection)
    exact, terms = plan.exact and not local, _population(m, plan)
    params = m.SearchParams(exact=exact, idf=terms) if exact or terms else None
    candidates = [
        m.Prefetch(
            query=_vector(m, one.query),
            using=one.vector,
            limit=one.limit,
            filter=where,
            params=params,
        )
        for one in plan.candidates
    ]
    return m.QueryRequest(
        query=_vector(m, plan.query),
        using=plan.vector,
        prefetch=candidates or None,
        # What was prefetched matches; to ask again would only cost.
        filter=None if candidates else where,
        params=params,
        limit=plan.limit,
        with_payload=list(payload.SHOWN),
        with_vector=list(plan.fetch) or False,
    )


def _population(m: Any, plan: Plan) -> Any:
    """Return among which passages terms are rare or not: a tenant learns nothing of others."""
    if plan.vector != "words" or plan.selection.owner is None:
        return None
    return m.IdfCorpusParams(corpus=selected(Selection(owner=plan.selection.owner, heads=True)))


def _vector(m: Any, query: Any) -> Any:
    if isinstance(query, Sparse):
        return payload.sparse(m, query)
    return np.asarray(query, np.float32).tolist()
