"""What can be asked of an index on a server: requests, and how their answers are read.

Nothing here knows how requests are carried; both kinds of client do that with the same calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._support.validation import (
    check_candidates,
    check_count,
    check_ids,
    check_k,
    check_query,
)
from ..errors import ConfigError, InputError, shown
from ..filters import parse_where, settled
from ..filters.plain import NoFormError, plain_form
from ..types import Hit, Passage, ViewStats, Where
from . import answers, drawn
from .hits import Again, read_hits

if TYPE_CHECKING:
    from ..retriever.search.explanation import Explanation
    from ..retriever.search.plan import SearchPlan

T_co = TypeVar("T_co", covariant=True)

MOST_QUERIES = 32
MOST_PASSAGES = 1000
MOST_BYTES = 32 << 20
MOST_DELETED = 10_000
"""What a server takes in one request: questions, passages, bytes of these, ids to delete."""

_MODES = ("late", "lexical", "hybrid")
_ADAPTERS = ("auto", "none")


@dataclass(frozen=True)
class Call(Generic[T_co]):
    """One request.

    Attributes:
        method: of HTTP.
        path: what is asked of the index, with what stands before it: ``"/search"``.
        body: a JSON object; None where there is none.
        read: makes of the answer's JSON what the caller gets.
        writes: it changes the index.
        subject: what messages name as that which was asked for.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None
    read: Callable[[Any], T_co]
    writes: bool = False
    subject: str = ""

    def content(self) -> bytes | None:
        """Return the body as it is sent.

        Raises:
            InputError: something that is no JSON.
        """
        return None if self.body is None else encode(self.body)


def encode(body: Mapping[str, Any]) -> bytes:
    """Return a JSON object as it is sent.

    Raises:
        InputError: something that is no JSON.
    """
    try:
        return json.dumps(
            body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain_form
        ).encode()
    except (ValueError, TypeError, RecursionError, NoFormError) as error:
        raise InputError(f"what is asked cannot be sent as JSON ({error}).") from None


def asking(
    k: object, where: Where | None, mode: object, query_adapter: object, **others: object
) -> dict[str, Any]:
    """Return the members of a request that say how something is asked for.

    Raises:
        InputError: a k below 1.
        FilterError: the filter is malformed.
        ConfigError: an unknown mode; a query adapter that the server does not have.
    """
    if mode is not None and mode not in _MODES:
        raise ConfigError(f"mode must be one of {', '.join(_MODES)}, not {shown(mode)}.")
    members = {
        "k": check_k(k),
        "where": checked_where(where),
        "mode": mode,
        "query_adapter": _adapter(query_adapter),
        **others,
    }
    return _given(members)


def diverse(diversity: object, fetch_k: object) -> dict[str, object]:
    """Return the members of a request for hits that do not repeat one another.

    Raises:
        ConfigError: a weight that is no number from 0 to 1.
        InputError: a count below 1.
    """
    if diversity is None:
        return {}
    if (
        isinstance(diversity, bool)
        or not isinstance(diversity, int | float)
        or not 0 <= diversity <= 1
    ):
        raise ConfigError(f"diversity must be a number from 0 to 1, not {shown(diversity)}.")
    among = None if fetch_k is None else check_k(fetch_k, "fetch_k")
    return {"diversity": float(diversity), "fetch_k": among}


def checked_where(where: Where | None) -> Where | None:
    """Return a filter that can be sent.

    Raises:
        FilterError: it is malformed.
    """
    if where is None:
        return None
    fixed: Where = settled(where)
    parse_where(fixed)
    return fixed


def search(
    query: object, members: Mapping[str, Any], *, evidence: bool, again: Again | None
) -> Call[list[Hit]]:
    """Ask for the hits on one question.

    Args:
        query: the question.
        members: how it is asked.
        evidence: whether their evidence comes along.
        again: asks for their evidence later.
    """
    text = check_query(query, filtered="where" in members)

    def read(value: Any) -> list[Hit]:
        return read_hits(_each_query(value, [text])[0], text, again)

    return Call("POST", "/search", {"query": text, **members, "evidence": evidence}, read)


def search_many(
    queries: Sequence[str],
    members: Mapping[str, Any],
    *,
    evidence: bool,
    again: Callable[[str], Again | None],
) -> Call[list[list[Hit]]]:
    """Ask for the hits on several questions.

    Args:
        queries: the questions, checked.
        members: how they are asked.
        evidence: whether their evidence comes along.
        again: gives what asks for the evidence of one question's hits later.
    """

    def read(value: Any) -> list[list[Hit]]:
        found = _each_query(value, queries)
        return [
            read_hits(one, query, again(query)) for one, query in zip(found, queries, strict=True)
        ]

    return Call("POST", "/search", {"queries": queries, **members, "evidence": evidence}, read)


def rank_many(
    queries: Sequence[str], members: Mapping[str, Any]
) -> Call[list[list[tuple[str, float]]]]:
    """Ask for ids and scores."""

    def read(value: Any) -> list[list[tuple[str, float]]]:
        found = _each_query(value, queries)
        return [answers.each({"ranking": one}, "ranking", answers.pair) for one in found]

    return Call("POST", "/rank", {"queries": queries, **members}, read)


def evidence_of(query: str, members: Mapping[str, Any], hits: Sequence[Hit]) -> Call[list[Hit]]:
    """Ask for hits that are known once more, with their evidence."""
    only: Where = {"$id": {"$in": [hit.id for hit in hits]}}
    where = {"$and": [members["where"], only]} if members.get("where") else only
    asked = {name: value for name, value in members.items() if name not in ("diversity", "fetch_k")}
    return search(query, {**asked, "where": where, "k": len(hits)}, evidence=True, again=None)


def rerank(
    query: object,
    passages: Sequence[Passage],
    members: Mapping[str, Any],
    *,
    evidence: bool,
    again: Again | None,
) -> Call[list[Hit]]:
    """Ask for an order of texts.

    Raises:
        InputError: a blank query; more texts than a server takes at once.
    """
    text = check_query(query)
    if len(passages) > MOST_PASSAGES:
        raise InputError(
            f"{len(passages):,} candidates; a server orders {MOST_PASSAGES:,} at once. Give the "
            "best of them."
        )
    body = {"query": text, "candidates": list(map(_passage, passages)), **members}
    read = partial(read_hits, query=text, again=again)
    return Call("POST", "/rerank", {**body, "evidence": evidence}, read)


def check_reranking(
    candidates: Iterable[str | Passage],
    k: int | None,
    strict: bool,
    query_adapter: object,
    max_tokens: int | None,
) -> tuple[list[Passage], dict[str, Any]]:
    """Return texts to be ordered, and how."""
    passages, _ = check_candidates(candidates, strict=strict)
    limit = None if k is None else check_k(k)
    most = None if max_tokens is None else check_count(max_tokens, "max_tokens")
    members = {"k": limit, "query_adapter": _adapter(query_adapter), "max_tokens": most}
    return passages, _given(members) | {"strict": strict}


def explain(query: object, id: str, query_adapter: object) -> Call[Explanation]:
    """Ask which words of a passage answered a question."""
    text, (wanted,) = check_query(query), check_ids([id])
    body = _given({"query": text, "id": wanted, "query_adapter": _adapter(query_adapter)})
    return Call("POST", "/explain", body, drawn.explanation, subject=f"the passage {shown(wanted)}")


def plan(query: object, members: Mapping[str, Any]) -> Call[SearchPlan]:
    """Ask how a search is answered."""
    text = check_query(query, filtered="where" in members)
    return Call("POST", "/plan", {"query": text, **members}, drawn.plan)


def count(where: Where | None) -> Call[int]:
    """Ask how many passages match."""
    return Call("POST", "/count", _given({"where": checked_where(where)}), _counted("count"))


def get(ids: Sequence[str]) -> Call[list[Passage]]:
    """Ask for passages by id."""
    return Call("POST", "/passages:get", {"ids": ids}, _passages)


def describe() -> Call[Mapping[str, Any]]:
    """Ask what the index is."""
    return Call("GET", "", None, lambda value: answers.mapping({"index": value}, "index"))


def stats() -> Call[ViewStats]:
    """Ask what the index holds."""
    return replace(describe(), read=answers.stats)  # type: ignore[arg-type, return-value]


def named(name: str) -> Call[str]:
    """Ask for a fact of the index."""
    return replace(describe(), read=lambda value: answers.text(value, name))  # type: ignore[arg-type, return-value]


def indexes() -> Call[list[str]]:
    """Ask which indexes there are; its path is that of the server."""
    read = partial(answers.each, name="indexes", read=lambda one: answers.text(one, "name"))
    return Call("GET", "/v1/indexes", None, read)


def put(passages: Sequence[Passage], *, strict: bool) -> Call[None]:
    """Store passages in one commit; each has an id.

    Raises:
        InputError: they are more than a server takes at once.
    """
    if len(passages) > MOST_PASSAGES:
        raise InputError(
            f"{len(passages):,} passages; a server takes {MOST_PASSAGES:,} in one commit. Use "
            "add_stream(), which makes as many as it takes."
        )
    ids = [one.id for one in passages]

    def read(value: Any) -> None:
        if answers.each(value, "ids", answers.string) != ids:
            raise answers.ShapeError("it stored other ids than were sent")

    return Call("PUT", "/passages", _put_body(passages, strict), read, writes=True)


def delete(ids: Sequence[str] | None, where: Where | None) -> Call[int]:
    """Delete passages: these, what matches, or, where neither is given, all of them.

    Raises:
        InputError: they are more than a server takes at once.
    """
    if ids is not None and len(ids) > MOST_DELETED:
        raise InputError(
            f"{len(ids):,} ids; a server deletes {MOST_DELETED:,} in one commit. Give them in "
            "parts, or a filter (where)."
        )
    body = _given({"ids": ids, "where": checked_where(where)}) or {"all": True}
    return Call("POST", "/passages:delete", body, _counted("deleted"), writes=True)


def _put_body(passages: Sequence[Passage], strict: bool) -> dict[str, Any]:
    return {"passages": list(map(_passage, passages)), "strict": strict}


def _passage(one: Passage) -> dict[str, Any]:
    return {"id": one.id, "text": one.text, "metadata": one.metadata}


def _passages(value: Any) -> list[Passage]:
    return answers.each(value, "passages", answers.passage)


def _counted(name: str) -> Callable[[Any], int]:
    return lambda value: answers.whole(value, name)


def _each_query(value: Any, queries: Sequence[str]) -> list[Any]:
    found: list[Any] = answers.each(value, "results", lambda one: one)
    if len(found) != len(queries):
        raise answers.ShapeError(f"it gave {len(found)} answers to {len(queries)} questions")
    return found


def _adapter(query_adapter: object) -> object:
    if query_adapter is not None and query_adapter not in _ADAPTERS:
        raise ConfigError(
            f"query_adapter must be one of {', '.join(_ADAPTERS)}, not {shown(query_adapter)}: a "
            "server has the one that comes with its model."
        )
    return query_adapter


def _given(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
