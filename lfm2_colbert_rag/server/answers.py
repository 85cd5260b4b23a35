"""What the bodies of answers hold, and how they are made of what the library returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Struct, UnsetType

from ..types import Hit, Passage

if TYPE_CHECKING:
    from ..retriever.search.explanation import Explanation


class StatusAnswer(Struct):
    """Whether the server is well."""

    status: str


class LegAnswer(Struct):
    """What one way of searching gave a hit."""

    rank: int | None
    score: float


class HitAnswer(Struct):
    """A passage that was found; members as of the library's ``Hit``."""

    id: str
    score: float
    relevance: float
    metadata: dict[str, Any]
    window: tuple[int, int] | None
    legs: dict[str, LegAnswer]
    text: str | UnsetType = UNSET
    excerpt: str | UnsetType = UNSET
    evidence: list[dict[str, Any]] | UnsetType = UNSET


class HitsAnswer(Struct):
    """The hits of one question, best first."""

    hits: list[HitAnswer]


class SearchAnswer(Struct):
    """A result for each question, in their order."""

    results: list[HitsAnswer]
    took_ms: float


class RankAnswer(Struct):
    """Ids and scores for each question, best first."""

    results: list[list[tuple[str, float]]]


class PassageAnswer(Struct):
    """A passage as it was added."""

    id: str
    text: str
    metadata: dict[str, Any]


class PassagesAnswer(Struct):
    """Passages in the order in which they were asked for."""

    passages: list[PassageAnswer]


class MatchAnswer(Struct):
    """Characters of the question, and those of the passage that answered them best."""

    query: tuple[int, int]
    passage: tuple[int, int]
    strength: float
    words: tuple[str, str]


class ExplanationAnswer(Struct):
    """Why a passage has its score; members as of the library's ``Explanation``."""

    query: str
    passage: PassageAnswer
    score: float
    relevance: float
    matches: list[MatchAnswer]
    word_share: float
    window: tuple[int, int] | None
    query_window: tuple[int, int] | None


class CountAnswer(Struct):
    """A number of passages."""

    count: int


class AddAnswer(Struct):
    """The ids of what was added, one a passage, and the places of blank ones."""

    ids: list[str]
    left_out: list[int]


class StreamAnswer(Struct):
    """What a stream brought."""

    added: int
    commits: int
    lines: int


class DeleteAnswer(Struct):
    """How many passages were deleted."""

    deleted: int


class IndexName(Struct):
    """An index by its name."""

    name: str


class IndexesAnswer(Struct):
    """The indexes that the key may see."""

    indexes: list[IndexName]


class FieldAnswer(Struct):
    """A field of the metadata; see the library's ``MetadataField``."""

    name: str
    kinds: list[str]
    examples: list[Any]


class IndexAnswer(Struct):
    """What an index, or the caller's part of it, holds."""

    name: str
    passages: int
    windows: int
    vectors: int
    dim: int
    languages: dict[str, int]
    model: str
    mode: str
    fields: list[FieldAnswer]


class JobAnswer(Struct):
    """Long work, and how far it is."""

    id: str
    kind: str
    index: str
    state: str
    done: int
    result: Any = None
    problem: Any = None


class JobsAnswer(Struct):
    """All long work since the server started, the newest last."""

    jobs: list[JobAnswer]


class KeyAnswer(Struct):
    """A key without what is secret of it."""

    id: str
    name: str
    scopes: list[str]
    indexes: list[str] | None
    tenant: str | None
    where: dict[str, Any] | None
    fields: list[str] | None
    rate: float | None
    expires: float | None
    created: float
    revoked: float | None


class NewKeyAnswer(KeyAnswer, kw_only=True):
    """A key that was just made, and its text, which is kept nowhere."""

    key: str


class KeysAnswer(Struct):
    """Keys, the oldest first."""

    keys: list[KeyAnswer]


class TokenAnswer(Struct):
    """A token, and when it ends, in seconds since 1970."""

    token: str
    expires: int


class AuditDay(Struct):
    """A day of which there is an audit log."""

    day: str


class AuditDaysAnswer(Struct):
    """The days of which there is one, the oldest first."""

    days: list[AuditDay]


def passage_answer(passage: Passage) -> PassageAnswer:
    """Return a passage as it is sent."""
    return PassageAnswer(passage.id, passage.text, dict(passage.metadata))


def hit_answer(
    hit: Hit, query: str, *, evidence: bool = False, excerpts: bool = False
) -> HitAnswer:
    """Return a hit as it is sent.

    Args:
        hit: the hit.
        query: what it answers.
        evidence: whether to send the words that answered.
        excerpts: whether to send the best window only.
    """
    return HitAnswer(
        hit.id,
        hit.score,
        hit.relevance,
        hit.metadata,
        hit.window,
        {name: LegAnswer(leg.rank, leg.score) for name, leg in hit.legs.items()},
        text=UNSET if excerpts else hit.text,
        excerpt=hit.excerpt if excerpts else UNSET,
        evidence=hit.quote_evidence(query) if evidence else UNSET,
    )


def explanation_answer(found: Explanation) -> ExplanationAnswer:
    """Return an explanation as it is sent: without the heat map."""
    text = found.passage.text
    return ExplanationAnswer(
        found.query,
        passage_answer(found.passage),
        found.score,
        found.relevance,
        [
            MatchAnswer(
                one.query_span,
                one.passage_span,
                one.strength,
                (found.query[slice(*one.query_span)], text[slice(*one.passage_span)]),
            )
            for one in found.matches
        ],
        found.word_share,
        found.window,
        found.query_window,
    )
