"""The tree that a filter is: comparisons, and what joins them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from ..errors import FilterError

__all__ = [
    "EVERYTHING",
    "ID_PATH",
    "LANGUAGE_PATH",
    "MAX_DEPTH",
    "And",
    "Comparison",
    "Filter",
    "Not",
    "Or",
    "Path",
    "id_after",
]

Path: TypeAlias = tuple[str, ...]

ID_PATH: Path = ("$id",)
"""Where the passage's id is found; no field can be named so."""
LANGUAGE_PATH: Path = ("$lang",)
"""Where the language is found that a passage's text was told to be in; no field can be named so."""
MAX_DEPTH = 32

# A level of what the user writes gives two nodes at most, such as a negation and what it negates;
# a comparison with a string that has other forms, one more; and a view, which asks more, another.
_MOST_NODES_DEEP = 2 * MAX_DEPTH + 4


def id_after(characters: int) -> Path:
    """Return where a passage's id is found without so many characters at its beginning."""
    return (*ID_PATH, str(characters))


@dataclass(frozen=True)
class Comparison:
    """One field against one operand.

    ``operator`` is one of ``$eq $gt $gte $lt $lte $in $exists $contains $icontains``; ``$ne`` and
    ``$nin`` are the negations of ``$eq`` and ``$in``. The operand of ``$icontains`` is folded.
    """

    path: Path
    operator: str
    operand: Any
    size: ClassVar[int] = 1
    depth: ClassVar[int] = 1


@dataclass(frozen=True)
class And:
    """All children hold; true without children.

    Attributes:
        children: the parts.
        size: comparisons in it, at least 1.
        depth: nodes within one another, itself included.

    Raises:
        FilterError: it would be nested too deeply.
    """

    children: tuple[Filter, ...]
    size: int = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _measure(self, self.children)


@dataclass(frozen=True)
class Or:
    """At least one child holds; see :class:`And`."""

    children: tuple[Filter, ...]
    size: int = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _measure(self, self.children)


@dataclass(frozen=True)
class Not:
    """The child does not hold; see :class:`And`."""

    child: Filter
    size: int = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _measure(self, (self.child,))


Filter: TypeAlias = "Comparison | And | Or | Not"


def _measure(node: And | Or | Not, children: tuple[Filter, ...]) -> None:
    """Note how large a node is: what walks through a tree later need not fear its depth."""
    depth = 1 + max((child.depth for child in children), default=0)
    if depth > _MOST_NODES_DEEP:
        raise FilterError(f"a filter is nested more than {_MOST_NODES_DEEP} nodes deep.")
    object.__setattr__(node, "size", max(1, sum(child.size for child in children)))
    object.__setattr__(node, "depth", depth)


EVERYTHING: Filter = And(())
"""What all passages match."""
