"""A document as headings and text, divided where its headings divide it.

Word processors, web pages and books know no pages. What is long is divided at its own headings, so
that what a search finds is a section of a handbook and not all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .records import Section

__all__ = ["Block", "sections"]

LONG = 8_000
"""Characters of a text that is still one section, about four pages."""

NAME = 200
"""Characters of headings in a key at most."""


@dataclass(frozen=True)
class Block:
    """A paragraph, a table, or a heading.

    Attributes:
        text: its text, lines within it included.
        level: 1 to 9 for a heading, 0 for all else.
    """

    text: str
    level: int = 0


@dataclass(frozen=True)
class _Piece:
    above: tuple[str, ...]
    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        own = "\n".join(block.text for block in self.blocks)
        return f"{' > '.join(self.above)}\n{own}" if self.above else own

    @property
    def path(self) -> str:
        own = [self.blocks[0].text] if self.blocks[0].level else []
        return " > ".join(" ".join(name.split()) for name in [*self.above, *own])


def sections(
    blocks: Sequence[Block], facts: dict[str, Any], *, within: str = ""
) -> Iterator[Section]:
    r"""Divide a document that is long.

    It is divided at its highest headings, and what is long still at the headings below them.

    Args:
        blocks: the document in order, blank ones left out.
        facts: metadata of every section.
        within: key of the part of the file that this is, such as ``"chapter 2"``.

    Yields:
        The document as one section where it is short or has no headings; else each section under
        the path of its headings, which is its key, and in its metadata as ``section``.

    Example:
        >>> blocks = [Block("Returns", 1), Block("Within 30 days.")]
        >>> [one.text for one in sections(blocks, {})]
        ['Returns\nWithin 30 days.']
    """
    pieces = list(_divide(_Piece((), tuple(blocks)))) if blocks else []
    if len(pieces) == 1:
        named = {"section": pieces[0].path} if within and pieces[0].path else {}
        yield Section(pieces[0].text, within or None, {**facts, **named}, within)
        return
    seen: Counter[str] = Counter()
    for piece in pieces:
        name = piece.path[:NAME]
        seen[name] += 1
        again = f" ({seen[name]})" if seen[name] > 1 else ""
        key = ", ".join(part for part in (within, f"{name or 'beginning'}{again}") if part)
        named = {"section": piece.path} if piece.path else {}
        yield Section(piece.text, key, {**facts, **named}, key)


def _divide(piece: _Piece) -> Iterator[_Piece]:
    """Yield a piece, or the sections that it is made of, recursively."""
    blocks = piece.blocks
    inner = [block.level for block in blocks[1:] if block.level]
    if not inner or sum(len(block.text) + 1 for block in blocks) <= LONG:
        yield piece
        return
    highest = min(inner)
    starts = [n for n, block in enumerate(blocks) if n and 0 < block.level <= highest]
    lead, head = blocks[: starts[0]], blocks[0]
    named = (*piece.above, head.text) if head.level else piece.above
    above = first = named if head.level < highest else piece.above
    if any(not block.level for block in lead):
        yield from _divide(_Piece(piece.above, lead))
    else:
        first = named
    waiting: tuple[Block, ...] = ()  # headings over nothing, which stand above the next section
    for start, end in zip(starts, [*starts[1:], len(blocks)], strict=True):
        part = waiting + blocks[start:end]
        waiting = part if end - start == 1 else ()
        if not waiting:
            yield from _divide(_Piece(first, part))
            first = above
    if waiting:
        yield _Piece(first, waiting)
