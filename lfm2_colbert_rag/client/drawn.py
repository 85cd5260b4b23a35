"""Plans and explanations as a server sends them; they draw themselves as an index's own do."""

from __future__ import annotations

from dataclasses import MISSING, fields
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..types import Match
from . import answers
from .answers import ShapeError

if TYPE_CHECKING:
    from ..retriever.search.explanation import Explanation
    from ..retriever.search.plan import SearchPlan

T = TypeVar("T")

_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "str | None": (str, type(None)),
    "float | None": (int, float, type(None)),
}


def match(value: Any, query: str, text: str) -> Match:
    """Return one word of a question with the word that answered it."""
    return Match(
        answers.span(answers.item(value, "query"), len(query)),
        answers.span(answers.item(value, "passage"), len(text)),
        answers.number(value, "strength"),
    )


def explanation(value: Any) -> Explanation:
    """Return an explanation; a server sends none of the tokens' cosines, its ``heat``."""
    from ..retriever.search.explanation import Explanation

    query, passage = answers.text(value, "query"), answers.passage(answers.item(value, "passage"))
    return Explanation(
        query,
        passage,
        answers.number(value, "score"),
        answers.number(value, "relevance"),
        tuple(answers.each(value, "matches", partial(match, query=query, text=passage.text))),
        answers.number(value, "word_share"),
        window=_window(value, "window", passage.text),
        query_window=_window(value, "query_window", query),
    )


def plan(value: Any) -> SearchPlan:
    """Return a plan."""
    from ..index.settings import SearchSettings
    from ..retriever.search.plan import FusionPlan, SearchPlan

    settings, fusion = answers.item(value, "settings"), answers.item(value, "fusion")
    return _record(
        SearchPlan,
        value,
        settings=None if settings is None else _record(SearchSettings, settings),
        fusion=None if fusion is None else _record(FusionPlan, fusion),
    )


def _window(value: Any, name: str, text: str) -> tuple[int, int] | None:
    found = answers.item(value, name)
    return None if found is None else answers.span(found, len(text))


def _record(kind: type[T], value: Any, **known: object) -> T:
    """Return a data class of plain values; members that it does not have are passed over."""
    found = dict(known)
    for one in fields(kind):  # type: ignore[arg-type]
        if one.name in known or (one.name not in value and one.default is not MISSING):
            continue
        member = answers.item(value, one.name)
        if isinstance(member, bool) or not isinstance(member, _KINDS[str(one.type)]):
            raise ShapeError(f"{one.name!r} of its answer is not what it should be")
        found[one.name] = member
    return kind(**found)
