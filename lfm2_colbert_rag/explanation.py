"""An explanation of one score, for people: rich in a terminal, HTML in a notebook."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .types import Match, Passage

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Explanation:
    """Why a passage got its score.

    Attributes:
        query: the question.
        passage: the passage.
        score: MaxSim.
        relevance: 0..1, see :class:`~lfm2_colbert_rag.Hit`.
        matches: for each word of the query the word that answered it best, strongest first.
        word_share: part of the score that words earned; the rest came from markers and query
            expansion, which have no characters to point at.
        window: characters of the part of a long passage that gave the score; None for all of it.
    """

    query: str
    passage: Passage
    score: float
    relevance: float
    matches: tuple[Match, ...]
    word_share: float
    window: tuple[int, int] | None = None

    def __rich__(self) -> RenderableType:
        """Draw a table for the terminal."""
        from rich.table import Table

        table = Table(title=self._title(), title_justify="left", caption=self._caption())
        for column in ("query", "passage", "strength"):
            table.add_column(column)
        for match in self.matches:
            bar = "█" * round(10 * max(0.0, match.strength))
            table.add_row(*self._words(match), f"{match.strength:5.2f} {bar}")
        return table

    def __str__(self) -> str:
        """Write one line for each word of the query."""
        lines = [self._title()]
        for match in self.matches:
            asked, answered = self._words(match)
            lines.append(f"  {match.strength:5.2f}  {asked} -> {answered}")
        return "\n".join([*lines, f"  {self._caption()}"])

    def _repr_html_(self) -> str:
        """Draw the passage, or its best window, with words shaded by strength, for a notebook."""
        strengths: dict[tuple[int, int], float] = {}
        for match in self.matches:
            known = strengths.get(match.passage_span, 0.0)
            strengths[match.passage_span] = max(known, match.strength)
        done, stop = self.window or (0, len(self.passage.text))
        parts = ["… "] if done else []
        for (start, end), strength in sorted(strengths.items()):
            if start < done:
                continue
            parts.append(html.escape(self.passage.text[done:start]))
            word = html.escape(self.passage.text[start:end])
            shade = max(0.0, min(1.0, strength))
            parts.append(
                f'<mark style="background:rgba(255,170,0,{shade:.2f});color:inherit" '
                f'title="{strength:.2f}">{word}</mark>'
            )
            done = end
        parts.append(html.escape(self.passage.text[done:stop]))
        if stop < len(self.passage.text):
            parts.append(" …")
        return f'<div><b>{html.escape(self._title())}</b><p dir="auto">{"".join(parts)}</p></div>'

    def _title(self) -> str:
        return (
            f"{self.query!r} in {self.passage.id!r}: "
            f"score {self.score:.3f}, relevance {self.relevance:.3f}"
        )

    def _caption(self) -> str:
        return f"words earned {self.word_share:.0%} of the score; markers and expansion the rest"

    def _words(self, match: Match) -> tuple[str, str]:
        asked, answered = slice(*match.query_span), slice(*match.passage_span)
        return self.query[asked], self.passage.text[answered]
