"""What the metadata of an index hold, told to whoever writes a filter."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..filters import (
    ID_PATH,
    LANGUAGE_PATH,
    Comparison,
    Filter,
    Not,
    Path,
    can_be_named,
    field_name,
    kind_of,
    parse_where,
    values_at,
)
from ..types import (
    RESERVED_KEYS,
    IndexStats,
    Metadata,
    Passage,
    ViewStats,
    Where,
    public_metadata,
)

SAMPLE = 200
"""Passages that are looked at."""

_FIELDS = 100  # that are told of
_EXAMPLES = 5  # values of each
_NAMED = 10  # fields that a sentence lists
_EXPLAINED = 3  # conditions of a filter that are looked into
_SHOWN = 40  # characters of an example
_DEPTH = 8  # names within one another
_KINDS = {"string": "texts", "number": "numbers", "boolean": "true or false", "null": "null"}
_OBJECTS = "objects"
_ASKED = {"string": "a text", "number": "a number", "boolean": "true or false", "null": "null"}


class AnyIndex(Protocol):
    """An open index, a view of one, or a client of one on a server."""

    def __len__(self) -> int:
        """Return the number of passages."""

    def count(self, where: Where | None = None) -> int:
        """Count the passages that match a filter."""

    def passages(
        self, where: Where | None = None, *, limit: int | None = None
    ) -> Iterator[Passage]:
        """Yield the passages that match a filter."""

    def stats(self) -> IndexStats | ViewStats:
        """Count what is there."""


@dataclass(frozen=True)
class MetadataField:
    """A field of the metadata, as a sample of the passages has it.

    Attributes:
        name: as filters write it, such as ``"maker.country"``.
        kinds: what it holds: ``"texts"``, ``"numbers"``, ``"true or false"``, ``"null"``; of lists,
            what their elements are. Filters compare values of one kind only.
        examples: some of its values; long texts are cut.
    """

    name: str
    kinds: tuple[str, ...]
    examples: tuple[str | int | float | bool, ...]

    def __str__(self) -> str:
        """Say what it holds, ``texts, such as "de" and "en"``."""
        shown = [json.dumps(one, ensure_ascii=False) for one in self.examples]
        listed = " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
        return " or ".join(self.kinds) + (f", such as {listed}" if listed else "")


def describe_fields(retriever: AnyIndex, *, sample: int = SAMPLE) -> list[MetadataField]:
    """Return the fields that filters can use, from a sample of the passages.

    Args:
        retriever: an open index, a view of one, or a client of one on a server.
        sample: how many passages to look at, evenly over all of them.

    Returns:
        At most a hundred fields, those within objects included, in the order in which they come.
        What the library keeps for itself (``RESERVED_KEYS``) is not among them.

    Raises:
        InputError: a sample below 1.

    Example:
        >>> from lfm2_colbert_rag import Retriever
        >>> retriever = Retriever.from_texts(
        ...     ["a", "b"], metadata=[{"year": "2024"}, {"by": [{"name": "Ada"}]}], model="hash"
        ... )
        >>> [(one.name, str(one)) for one in describe_fields(retriever)]
        [('year', 'texts, such as "2024"'), ('by.name', 'texts, such as "Ada"')]
    """
    return _described(passage.metadata for passage in retriever.passages(limit=sample))


def why_nothing(retriever: AnyIndex, where: Where) -> str:
    """Say why no passage matches a filter: what its fields hold, and of what kind.

    Args:
        retriever: an open index, a view of one, or a client of one on a server.
        where: a filter that nothing matches.

    Returns:
        Some sentences in one line.

    Raises:
        FilterError: the filter is malformed.

    Example:
        >>> from lfm2_colbert_rag import Retriever
        >>> retriever = Retriever.from_texts(["a"], metadata=[{"year": "24"}], model="hash")
        >>> print(why_nothing(retriever, {"year": {"$gte": 2}}))
        No passage matches the filter: 'year' holds texts, such as "24", and is asked for a number.
    """
    if not len(retriever):
        return "The index is empty."
    asked = list(_asked(parse_where(where)))
    unmet = [one for one in asked[:_EXPLAINED] if not retriever.count(_alone(one))]
    reasons = list(dict.fromkeys(_reason(retriever, one) for one in unmet))
    if not unmet and 1 < len(asked) <= _EXPLAINED:
        reasons = ["some match each condition, but none matches all that is asked"]
    return f"No passage matches the filter{': ' if reasons else ''}{'; '.join(reasons)}."


def _asked(node: Filter) -> Iterator[Comparison]:
    """Yield what a passage has to hold; what it must not hold, it has no lack of."""
    if isinstance(node, Comparison):
        if node.operator != "$exists" or node.operand:
            yield node
    elif not isinstance(node, Not):
        for child in node.children:
            yield from _asked(child)


def _alone(one: Comparison) -> dict[str, Any]:
    name = one.path[0] if one.path in (ID_PATH, LANGUAGE_PATH) else field_name(one.path)
    operand = list(one.operand) if one.operator == "$in" else one.operand
    return {name: {one.operator: operand}}


def _reason(retriever: AnyIndex, one: Comparison) -> str:
    if one.path == ID_PATH:
        return "no passage has such an id"
    if one.path == LANGUAGE_PATH:
        counts = retriever.stats().languages
        return f"no passage is in such a language; there are {', '.join(counts)}"
    name = field_name(one.path)
    if one.path[0] in RESERVED_KEYS:
        return f"no passage has what is asked of {name!r}"
    having = list(retriever.passages({name: {"$exists": True}}, limit=SAMPLE))
    if not having:
        return _unknown(retriever, name)
    found = _Found()
    for passage in having:
        found.add(values_at(passage.metadata, one.path))
    if not found.kinds:
        return f"{name!r} holds empty lists"
    reason = f"{name!r} holds {found.field(name)}"
    operands = one.operand if one.operator == "$in" else (one.operand,)
    wanted = {kind_of(operand) or "null" for operand in operands}
    if any(_KINDS[kind] in found.kinds for kind in wanted) or not wanted:
        return reason
    return f"{reason}, and is asked for {' or '.join(_ASKED[kind] for kind in sorted(wanted))}"


def _unknown(retriever: AnyIndex, name: str) -> str:
    names = [one.name for one in describe_fields(retriever)]
    if not names:
        return f"no passage has a field {name!r}, nor any other"
    near = difflib.get_close_matches(name, names, 1)
    listed = list(dict.fromkeys([*near, *names]))
    more = ", …" if len(listed) > _NAMED else ""
    return f"no passage has a field {name!r}; there are {', '.join(listed[:_NAMED])}{more}"


def _described(metadata: Iterable[Metadata]) -> list[MetadataField]:
    fields: dict[Path, _Found] = {}
    for one in metadata:
        for path, value in _leaves(public_metadata(one), ()):
            if path in fields or len(fields) < _FIELDS:
                fields.setdefault(path, _Found()).add([value])
    return [found.field(field_name(path)) for path, found in fields.items() if found.kinds]


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the paths that filters can name, and each value that stands there."""
    if isinstance(value, Mapping) and len(path) < _DEPTH:
        for key, inner in value.items():
            if can_be_named(key):
                yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for element in value:
            yield from _leaves(element, path)
    else:
        yield path, value


@dataclass
class _Found:
    """What was met of one field."""

    kinds: dict[str, None] = field(default_factory=dict)
    examples: list[Any] = field(default_factory=list)

    def add(self, values: Iterable[Any]) -> None:
        """Look at some values."""
        for value in values:
            if isinstance(value, list):
                continue
            self.kinds.setdefault(_KINDS.get(kind_of(value) or "", _OBJECTS))
            if value is None or isinstance(value, Mapping) or len(self.examples) >= _EXAMPLES:
                continue
            short = value[:_SHOWN] + "…" if isinstance(value, str) and value[_SHOWN:] else value
            if not any(type(one) is type(short) and one == short for one in self.examples):
                self.examples.append(short)

    def field(self, name: str) -> MetadataField:
        return MetadataField(name, tuple(self.kinds), tuple(self.examples))
