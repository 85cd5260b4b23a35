"""What the tools answer, and how long it may be.

What is longer is cut or left out, and the answer says what, and how to get at it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, TypeVar

from .._support.graphemes import whole_characters
from ..retriever.fields import MetadataField
from ..types import Hit, Metadata, Passage, public_metadata

__all__ = [
    "MOST_CHARACTERS",
    "FetchAnswer",
    "FetchedPassage",
    "FoundPassage",
    "IndexSummary",
    "SearchAnswer",
    "cut_text",
    "found_passage",
    "short_fields",
    "short_metadata",
    "within",
]

MOST_CHARACTERS = 24_000
"""Characters of an answer, as JSON; a model reads them as about 6,000 tokens."""

EXCERPT = 2_000
"""Characters of an excerpt."""

TEXT = 16_000
"""Characters of a text that are fetched at once."""

_METADATA = 2_000  # characters of a passage's metadata, as JSON
_VALUE = 500  # characters of a value, as JSON, where the metadata are longer than that
_FIELDS = 60  # fields that are described
_FIELD_NAME = 80  # characters of a field's name
_LEAD_IN = 200  # characters of an excerpt before its first match
_WORDS = 5  # words that matched, of each passage
_WORD = 60  # characters of such a word


@dataclass(frozen=True)
class FoundPassage:
    """A passage that answers the query.

    Attributes:
        id: its identifier, to cite it and to fetch it.
        relevance: 0 to 1, comparable between queries; the higher, the further above chance.
        excerpt: the part of its text that answers best; all of it where it is short.
        is_whole: False if the passage has more text than the excerpt; fetch returns all.
        matched_words: its words that answered words of the query, strongest first.
        metadata: what is known of it.
        metadata_left_out: fields that are too long to be shown here, or cut.
    """

    id: str
    relevance: float
    excerpt: str
    is_whole: bool
    matched_words: list[str]
    metadata: dict[str, Any]
    metadata_left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SearchAnswer:
    """What a search found.

    Attributes:
        passages: best first.
        left_out: ids of further ones, best first, that would make the answer too long.
        notes: what else to know, such as why nothing was found.
    """

    passages: list[FoundPassage]
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FetchedPassage:
    """A passage, or as much of a long one as fits.

    Attributes:
        id: its identifier.
        text: its text from ``offset`` on.
        metadata: what is known of it.
        metadata_left_out: fields that are too long to be shown here, or cut.
        length: characters of the whole text.
        next_offset: give this to fetch to read on; null at the end.
    """

    id: str
    text: str
    metadata: dict[str, Any]
    length: int
    next_offset: int | None = None
    metadata_left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FetchAnswer:
    """Passages by their ids.

    Attributes:
        passages: those that there are, in the order asked.
        unknown: ids that no passage has.
        left_out: ids for which there was no room; fetch them by themselves.
        notes: what else to know.
    """

    passages: list[FetchedPassage]
    unknown: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class IndexSummary:
    """What an index holds.

    Attributes:
        passages: how many passages.
        model: the model that reads them.
        storage: ``exact``, or ``compressed`` for a fast, approximate search; null where that is not
            the caller's business.
        fields: metadata fields that filters can use, the kinds of their values and some of these,
            from a sample of the passages.
    """

    passages: int
    model: str
    storage: str | None
    fields: list[MetadataField]


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_HasId)


def within(passages: Iterable[T]) -> tuple[list[T], list[str]]:
    """Return the passages that an answer has room for, at least one, and the ids of the others."""
    kept: list[T] = []
    left_out: list[str] = []
    room = MOST_CHARACTERS
    for one in passages:
        room -= len(json.dumps(asdict(one), ensure_ascii=False))  # type: ignore[call-overload]
        if kept and room < 0:
            left_out.append(one.id)
        else:
            kept.append(one)
    return kept, left_out


def found_passage(hit: Hit) -> FoundPassage:
    """Describe a hit."""
    start, end = hit.window or (0, len(hit.text))
    spans = [match.passage_span for match in hit.evidence]
    if end - start > EXCERPT:
        first = spans[0][0] if spans else start
        start = max(start, min(first - _LEAD_IN, end - EXCERPT))
        start, end = whole_characters(hit.text, (start, start + EXCERPT), (start, end))
    words = dict.fromkeys(hit.text[slice(*span)][:_WORD] for span in spans)
    metadata, left_out = short_metadata(hit.metadata)
    return FoundPassage(
        hit.id,
        round(hit.relevance, 3),
        hit.text[start:end],
        (start, end) == (0, len(hit.text)),
        list(words)[:_WORDS],
        metadata,
        left_out,
    )


def cut_text(passage: Passage, offset: int) -> FetchedPassage:
    """Return a passage's text from a character on, as far as one answer reaches."""
    length = len(passage.text)
    start = min(max(0, offset), length)
    end = min(length, start + TEXT)
    if end < length:
        end = whole_characters(passage.text, (end - 1, end), (start, length))[0] or end
    metadata, left_out = short_metadata(passage.metadata)
    reads_on = end if end < length else None
    return FetchedPassage(passage.id, passage.text[start:end], metadata, length, reads_on, left_out)


def short_metadata(metadata: Metadata) -> tuple[dict[str, Any], list[str]]:
    """Return the caller's metadata as far as they are short, and the names of the others.

    Long strings are cut, other long values left out, where all together are long.
    """
    public = public_metadata(metadata)
    if _size(public) <= _METADATA:
        return public, []
    kept: dict[str, Any] = {}
    left_out: list[str] = []
    room = _METADATA
    for key, value in public.items():
        long = _size(value) > _VALUE
        short = value[:_VALUE] + "…" if long and isinstance(value, str) else value
        cost = len(key) + _size(short)
        if cost <= room and (not long or short is not value):
            kept[key] = short
            room -= cost
        if long or key not in kept:
            left_out.append(key[:_FIELD_NAME])
    return kept, left_out[:_FIELDS]


def short_fields(fields: list[MetadataField]) -> list[MetadataField]:
    """Return as many fields as an answer has room for; names that nobody would write are none."""
    return [one for one in fields if len(one.name) <= _FIELD_NAME][:_FIELDS]


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False))
