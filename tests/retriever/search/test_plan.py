"""A search plan says the same in a terminal, in a notebook and as JSON."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.index import SearchSettings
from lfm2_colbert_rag.retriever.search.plan import SearchPlan

VOTES = SearchPlan(
    "votes", 120_000, 6_100_000, 4096, 640, 120, SearchSettings(512, 256, 0.08, 4096, 5.0, 3.5)
)


def drawn(plan):
    console = Console(file=StringIO(), width=100)
    console.print(plan)
    return console.file.getvalue()


@pytest.mark.parametrize("draw", [str, drawn, SearchPlan._repr_html_])
def test_every_figure_is_drawn(draw):
    shown = " ".join(draw(VOTES).split())
    for figure in ("votes", "120,000", "6,100,000", "4,096", "640", "120", "nprobe 512"):
        assert figure in shown
    assert "groups 0.08, candidates 4,096, margin 5, final margin 3.5" in shown


def test_a_plan_is_json():
    back = json.loads(json.dumps(VOTES.to_dict()))
    settings = SearchSettings(**back.pop("settings"))
    assert SearchPlan(**back, settings=settings) == VOTES


def test_an_exact_search_counts_what_it_may_see():
    texts = ["one two three", "four five", "six " * 1000]
    with Retriever.from_texts(
        texts, ids=["a", "b", "long"], metadata=[{"n": n} for n in range(3)], model="hash"
    ) as retriever:
        plan = retriever.plan("one", where={"n": {"$lt": 2}}, mode="late")
        assert plan == SearchPlan("exact", 2, 5, 0, 0, 2)
        everything = retriever.plan("one")
        assert (everything.windows, everything.vectors) == (
            retriever.stats().windows,
            retriever.stats().vectors,
        )
        retriever.delete(["b"])
        assert retriever.plan("one", where={"n": {"$lt": 2}}).vectors == 3
