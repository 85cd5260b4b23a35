"""An explanation of one score, for people: rich in a terminal, HTML in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..._support.graphemes import plain, whole_characters
from ...types import HeatMap, Match, Passage
from .evidence import telling_matches

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN = 60  # rows of the heat map; of a longer passage the tokens that answered best
_FAINT = 0.35  # a cosine from which a cell is tinted at all
_FAINTEST = 0.15  # tint of a telling word, however weak
_TINT = "255,150,0"


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
        heat: how like all tokens of query and passage are.
        query_window: characters of the part of a long query that gave the score, and that takes
            part in all of the above; None for all of it.
    """

    query: str
    passage: Passage
    score: float
    relevance: float
    matches: tuple[Match, ...]
    word_share: float
    window: tuple[int, int] | None = None
    heat: HeatMap | None = field(default=None, repr=False, compare=False)
    query_window: tuple[int, int] | None = None

    def __rich__(self) -> RenderableType:
        """Draw the passage with its answering words, and a table of them, for the terminal."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(caption=self._caption())
        for column in ("query", "passage", "strength"):
            table.add_column(column)
        for match in self.matches:
            bar = "█" * round(10 * max(0.0, match.strength))
            words = (Text(plain(word)) for word in self._words(match))
            table.add_row(*words, f"{match.strength:5.2f} {bar}")
        start, stop = self._shown()
        text = Text(plain(self.passage.text[start:stop]))
        for (first, last), _ in self._answers():
            text.stylize("bold underline", first - start, last - start)
        return Group(Text(plain(self._title())), Text(), text, Text(), table)

    def __str__(self) -> str:
        """Write one line for each word of the query."""
        lines = [self._title()]
        for match in self.matches:
            asked, answered = self._words(match)
            lines.append(f"  {match.strength:5.2f}  {asked} -> {answered}")
        return "\n".join([*lines, f"  {self._caption()}"])

    def _repr_html_(self) -> str:
        """Draw the passage with its words shaded, beside a heat map of tokens, for a notebook."""
        return (
            '<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">'
            f'<div style="flex:1 1 20em;min-width:16em;max-width:44em">'
            f'<p dir="auto" style="margin:0;font-weight:bold">{html.escape(self._asked())}</p>'
            f'<p style="margin:.2em 0;opacity:.7">{html.escape(self._figures())}</p>'
            f'<p dir="auto" style="line-height:1.7">{"".join(self._shaded())}</p>'
            f'<p style="margin:0;opacity:.7">{html.escape(self._caption())}</p></div>'
            f"{''.join(self._map())}</div>"
        )

    def _shaded(self) -> Iterator[str]:
        """Yield the passage, or its best window, with its telling words shaded by strength."""
        done, stop = self._shown()
        if done:
            yield "… "
        for (start, end), strength in self._answers():
            if start < done:
                continue
            yield html.escape(self.passage.text[done:start])
            word = html.escape(self.passage.text[start:end])
            tint = _tint(strength, _FAINTEST)
            yield f'<mark style="{tint};color:inherit" title="{strength:.2f}">'
            yield f"{word}</mark>"
            done = end
        yield html.escape(self.passage.text[done:stop])
        if stop < len(self.passage.text):
            yield " …"

    def _map(self) -> Iterator[str]:
        """Yield a table: a row a token of the passage, a column a token of the query."""
        if self.heat is None or not self.heat.cosines.size:
            return
        rows = self.heat.strongest(SHOWN)
        yield '<div style="flex:0 1 auto;max-height:28em;overflow:auto">'
        yield '<table style="border-collapse:collapse;font-size:85%"><thead><tr><th></th>'
        for span in self.heat.query_spans.tolist():
            token = _token(self.query, span)
            yield (
                '<th style="padding:4px 0;vertical-align:bottom;font-weight:normal">'
                '<div style="writing-mode:vertical-rl;margin:auto;white-space:nowrap">'
                f"<bdi>{token}</bdi></div></th>"
            )
        yield "</tr></thead><tbody>"
        best = self.heat.cosines.argmax(axis=1)
        for place in rows.tolist():
            token = _token(self.passage.text, self.heat.passage_spans[place].tolist())
            yield '<tr><th style="text-align:end;padding:0 .5em;font-weight:normal;'
            yield f'white-space:nowrap"><bdi>{token}</bdi></th>'
            for column, cosine in enumerate(self.heat.cosines[:, place].tolist()):
                ring = ";outline:1px solid currentColor;outline-offset:-1px"
                style = _tint(cosine) + (ring if best[column] == place else "")
                yield (
                    f'<td style="min-width:1.4em;height:1.4em;padding:0;{style}" '
                    f'title="{cosine:.2f}"></td>'
                )
            yield "</tr>"
        yield "</tbody></table>"
        hidden = len(self.heat.passage_spans) - len(rows)
        if hidden:
            yield f'<p style="opacity:.7">and {hidden} tokens that answered less</p>'
        yield "</div>"

    def _shown(self) -> tuple[int, int]:
        return self.window or (0, len(self.passage.text))

    def _answers(self) -> list[tuple[tuple[int, int], float]]:
        """Return each telling word of the passage, with its greatest strength, in order."""
        strengths: dict[tuple[int, int], float] = {}
        for match in telling_matches(self.query, self.passage.text, self.matches):
            known = strengths.get(match.passage_span, -1.0)
            strengths[match.passage_span] = max(known, match.strength)
        return sorted(strengths.items())

    def _title(self) -> str:
        return f"{self._asked()!r} in {self.passage.id!r}: {self._figures(named=False)}"

    def _asked(self) -> str:
        """Return what took part of the query."""
        if self.query_window is None:
            return self.query
        start, end = self.query_window
        before, after = "… " * (start > 0), " …" * (end < len(self.query))
        return f"{before}{self.query[start:end].strip()}{after}"

    def _figures(self, *, named: bool = True) -> str:
        figures = f"score {self.score:.3f}, relevance {self.relevance:.3f}"
        return f"{self.passage.id}: {figures}" if named else figures

    def _caption(self) -> str:
        return f"words earned {self.word_share:.0%} of the score; markers and expansion the rest"

    def _words(self, match: Match) -> tuple[str, str]:
        asked, answered = slice(*match.query_span), slice(*match.passage_span)
        return self.query[asked], self.passage.text[answered]


def _tint(cosine: float, faintest: float = 0.0) -> str:
    shade = max(faintest, min(1.0, (cosine - _FAINT) / (1.0 - _FAINT)))
    return f"background:rgba({_TINT},{shade:.2f})"


def _token(text: str, span: list[int]) -> str:
    start, end = whole_characters(text, (span[0], span[1]))
    return html.escape(plain(text[start:end]))
