"""Whatever two tenants of an index do, each is answered as in an index of its own.

Byte for byte: ids, texts, scores to the last bit, relevance, evidence, plans, statistics, errors.
``LFM2_COLBERT_HISTORIES`` says how many histories are tried.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever, View

from .histories import TENANTS, answer, new_index, steps

HISTORIES = int(os.environ.get("LFM2_COLBERT_HISTORIES", "4"))
PARTS = ({}, {}, {"where": {"n": {"$gte": 1}}}, {"fields": ["n"]})

# What others than the two do to the index that they share.
others = st.sampled_from(["optimize", "forget", "anew", "plain", "third"])
history = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(TENANTS), st.integers(0, len(PARTS) - 1), steps),
        st.tuples(st.sampled_from(TENANTS), st.integers(0, len(PARTS) - 1), steps),
        st.tuples(st.none(), st.just(0), others),
    ),
    min_size=4,
    max_size=25,
)
laws = settings(
    max_examples=HISTORIES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def view_of(retriever: Retriever, tenant: str, part: int) -> View:
    return retriever.view(tenant=tenant, **PARTS[part])


def disturb(retriever: Retriever, how: str) -> None:
    """Do what is nobody's business of the two."""
    if how == "optimize":
        retriever.optimize()
    elif how == "anew":  # as if others had been asking for so long that these were forgotten
        retriever._views.renew_after_fork()
    elif how == "plain":
        retriever.add(["the key of nobody", "Haus"], ids=["a", "b"], metadata=[{"n": 1}, None])
    else:
        retriever.view(tenant="acm").add(["key key opens um", "reset"] * 20)


def others_first() -> list[Any]:
    """Return a history in which one's passages are amidst the other's, searched in all ways."""
    asked = [
        ("search", "the reset key of the router", {"k": 5, "where": None, "mode": mode})
        for mode in ("late", "lexical", "hybrid")
    ]
    fills = [
        [(tenant, 0, ("fill", number, kind)) for tenant, kind in zip(TENANTS, (0, 2), strict=True)]
        for number in (35, 70)
    ]
    found = [(tenant, 0, one) for one in (*asked, ("stats",)) for tenant in TENANTS]
    # What was worked out before there was more is forgotten in one of the indexes, and must not
    # have been kept in the others.
    more = [*fills[0], *found, *fills[1], (None, 0, "anew"), *found]
    return [*more, (None, 0, "forget"), ("beta", 0, ("delete", {"all": True})), *found]


@example(taken=others_first())
@given(taken=history)
@laws
def test_each_tenant_is_answered_as_in_an_index_of_its_own(taken):
    with ExitStack() as stack:
        shared = stack.enter_context(new_index())
        alone = {tenant: stack.enter_context(new_index()) for tenant in TENANTS}
        for tenant, part, step in taken:
            if step == "forget":  # which receipts of purges tell of
                for index in (shared, *alone.values()):
                    index.optimize(forget_after=0)
                continue
            if tenant is None:
                disturb(shared, step)
                continue
            found = answer(view_of(shared, tenant, part), step)
            assert found == answer(view_of(alone[tenant], tenant, part), step)
