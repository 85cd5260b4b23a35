"""Histories of two tenants: what each does with its view, and all that it is answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever, View
from lfm2_colbert_rag.errors import LFM2ColBERTError
from lfm2_colbert_rag.testing import HashEncoder

# Texts of some words have several windows, so that a few of them are many.
ENCODER = HashEncoder(document_length=5, query_length=6)
TENANTS = ("acme", "beta")
WORDS = ["key", "router", "reset", "library", "opens", "nine", "Schlüssel", "Haus", "öffnet", "um"]
SENTENCES = [
    "The library in the old town opens at nine and closes at six in the evening.",
    "Hold the reset key of the router for ten seconds, until the light goes out.",
    "Die Bibliothek in der alten Stadt öffnet um neun Uhr und schließt um sechs.",
    "Halten Sie die Taste des Routers zehn Sekunden lang gedrückt, bis das Licht ausgeht.",
    "La biblioteca de la ciudad abre a las nueve de la mañana y cierra a las seis.",
]

ids = st.sampled_from(["a", "b", "c", "d", "acme", "b\x1fa", "é", "z9"])
words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join)
texts = st.one_of(words, st.sampled_from(SENTENCES), st.sampled_from(["", "key key key"]))
metadata = st.one_of(
    st.fixed_dictionaries({"n": st.integers(0, 2)}, optional={"open": st.booleans()}),
    st.none(),
    st.sampled_from([{"tenant": "beta"}, {"tenant": "acme", "n": 1}, {"by": [{"name": "Ada"}]}]),
)
queries = st.one_of(words, st.sampled_from([*SENTENCES, "", "tenant acme"]))
modes = st.sampled_from(["late", "lexical", "hybrid"])
filters = st.sampled_from(
    [
        None,
        {},
        {"n": {"$gte": 1}},
        {"n": {"$ne": 1}},
        {"$id": {"$in": ["a", "acme", "b\x1fa"]}},
        {"$id": {"$contains": "a"}},
        {"$id": {"$not": {"$icontains": "ACM"}}},
        {"$id": {"$gt": "b"}},
        {"$id": {"$gte": "acme\x1fa"}},
        {"$lang": {"$in": ["de", "und"]}},
        {"by.name": "Ada"},
        {"tenant": "acme"},
        {"$or": [{"tenant": {"$exists": True}}, {"n": 1}]},
        {"n": {"$near": 1}},
    ]
)
passage = st.fixed_dictionaries({"text": texts, "id": st.none() | ids, "metadata": metadata})


def asked(**more: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Draw how a search is asked."""
    return st.fixed_dictionaries({"k": st.integers(1, 12), "where": filters, "mode": modes, **more})


steps = st.one_of(
    st.tuples(st.just("add"), st.lists(passage, min_size=1, max_size=20)),
    st.tuples(st.just("add"), st.lists(passage, min_size=1, max_size=6)),
    st.tuples(st.just("add_stream"), st.lists(passage, max_size=6), st.integers(1, 4)),
    st.tuples(st.just("fill"), st.integers(30, 90), st.integers(0, 4)),
    st.tuples(st.just("delete"), st.fixed_dictionaries({"ids": st.lists(ids, max_size=3)})),
    st.tuples(st.just("delete"), st.fixed_dictionaries({"where": filters})),
    st.tuples(st.just("delete"), st.just({"all": True})),
    st.tuples(st.just("search"), queries, asked()),
    st.tuples(st.just("search"), queries, asked()),
    st.tuples(st.just("search"), queries, asked(diversity=st.just(0.4))),
    st.tuples(st.just("search_many"), st.lists(queries, max_size=3), asked()),
    st.tuples(st.just("rank_many"), st.lists(queries, max_size=3), asked()),
    st.tuples(st.just("plan"), queries, asked()),
    st.tuples(st.just("explain"), queries, ids),
    st.tuples(st.just("rerank"), queries, st.lists(texts, max_size=4)),
    st.tuples(st.just("get"), st.lists(ids, max_size=4)),
    st.tuples(st.just("passages"), filters, st.none() | st.integers(1, 5)),
    st.tuples(st.just("count"), filters),
    st.tuples(st.just("stats")),
    st.tuples(st.just("purge")),
)


def answer(view: View, step: tuple[Any, ...]) -> str:
    """Do one thing, and return all that there is to see of the answer."""
    name, *arguments = step
    try:
        return _SHOWN[name](view, *arguments)
    except LFM2ColBERTError as error:
        return repr((type(error), error.args, str(error)))


def fill(view: View, number: int, kind: int = 0) -> None:
    """Add so many passages that chance is worked out of the tenant's own windows."""
    view.add(
        [f"{SENTENCES[kind]} {WORDS[place % 7]} {place}" for place in range(number)],
        ids=[f"n{place}" for place in range(number)],
    )


def _add(view: View, passages: list[dict[str, Any]]) -> str:
    columns = {name: [one[name] for one in passages] for name in ("text", "id", "metadata")}
    added = view.add(columns["text"], ids=columns["id"], metadata=columns["metadata"])
    return repr((added, added.left_out))


def _hits(hits: list[Any]) -> str:
    return repr([(hit, hit.evidence, hit.legs, json.dumps(hit.metadata)) for hit in hits])


def _explain(view: View, query: str, id: str) -> str:
    found = view.explain(query, id)
    heat = b"" if found.heat is None else found.heat.cosines.tobytes()
    return repr((found, heat, str(found), found._repr_html_()))


def _delete(view: View, options: dict[str, Any]) -> str:
    return repr(view.delete(**options))


_SHOWN: dict[str, Callable[..., str]] = {
    "add": _add,
    "add_stream": lambda view, passages, batch: repr(view.add_stream(passages, batch=batch)),
    "fill": lambda view, number, kind: repr(fill(view, number, kind)),
    "delete": _delete,
    "search": lambda view, query, options: _hits(view.search(query, **options)),
    "search_many": lambda view, queries, options: repr(
        [_hits(hits) for hits in view.search_many(queries, **options)]
    ),
    "rank_many": lambda view, queries, options: repr(view.rank_many(queries, **options)),
    "plan": lambda view, query, options: repr(view.plan(query, **options)),
    "explain": _explain,
    "rerank": lambda view, query, candidates: _hits(view.rerank(query, candidates)),
    "get": lambda view, ids: repr((view.get(ids), [id in view for id in ids])),
    "passages": lambda view, where, limit: repr(list(view.passages(where, limit=limit))),
    "count": lambda view, where: repr((view.count(where), len(view))),
    "purge": lambda view: repr(replace(view.purge(), when="")),
    "stats": lambda view: repr((view.stats(), view, view.stats().to_dict())),
}


def new_index() -> Retriever:
    """Return an empty exact index."""
    return Retriever.from_texts([], model=ENCODER, storage="exact")
