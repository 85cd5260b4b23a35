"""How a search went about it, for people: rich in a terminal, HTML in a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ...index.settings import SearchSettings
from ...index.trace import SearchTrace

if TYPE_CHECKING:
    from rich.console import RenderableType

_METHODS = {
    "exact": "every allowed vector was compared, as it was encoded",
    "scan": "every allowed vector was compared, decompressed",
    "votes": "centroids voted, and the most promising windows were compared",
    "candidates": "the most promising windows were found by means and centroids, and compared",
    "filter": "nothing was asked; what matches comes in the order in which it was added",
}
_COUNTED = ("voted", "refined", "scored")
_MEANINGS = {
    "windows": "were allowed",
    "vectors": "they have",
    "voted": "windows had most votes",
    "refined": "of them were compared by their vectors near the query",
    "scored": "windows were compared by all their vectors",
}


@dataclass(frozen=True)
class FusionPlan:
    """What the two legs of a hybrid search brought, and how they were fused.

    Attributes:
        late: candidates that late interaction brought.
        lexical: candidates that words brought.
        both: candidates that both brought.
        cosine: the greatest mean cosine of a candidate.
        spread: how far mean cosines lie apart by chance in this index.
        share: the greatest share of the query's terms that a candidate has.
        trust: how far BM25 is trusted for that, 0..1, see :class:`~.fusion.Fusion`.
        weight: see there; what the lexical leg counts beside the late one, where it is trusted.
        between: how far words count between languages, 0..1, see
            :class:`~.language_fusion.Standout`; None where the index has one language.
    """

    late: int
    lexical: int
    both: int
    cosine: float
    spread: float
    share: float
    trust: float
    weight: float
    between: float | None = None

    @property
    def words(self) -> float:
        """What words add to the score of the candidate that has most of the query."""
        return self.weight * self.trust

    def rows(self) -> list[tuple[str, str, str]]:
        """Return name, value and meaning of each line of a drawing."""
        adding = f"of the query's terms a candidate has, which adds {self.words:.1f} spreads"
        rows = [
            ("late", f"{self.late:,}", f"candidates by meaning, cosine up to {self.cosine:.3f}"),
            ("lexical", f"{self.lexical:,}", f"candidates by words, {self.both:,} by both"),
            ("spread", f"{self.spread:.3f}", "of cosines by chance, the unit of fused scores"),
            ("share", f"{self.share:.3f}", adding),
            ("trust", f"{self.trust:.3f}", "in words, for that"),
            ("weight", f"{self.weight:.3g}", "of words beside meaning, where they are trusted"),
        ]
        if self.between is not None:
            meaning = "of that weight between languages; else within each"
            rows.append(("between", f"{self.between:.3f}", meaning))
        return rows


@dataclass(frozen=True)
class SearchPlan:
    """How one query was answered; it draws itself in a terminal and in a notebook.

    Attributes:
        method: ``"exact"``, ``"scan"`` (every allowed vector), ``"votes"``, or in an engine
            ``"candidates"``.
        windows: windows that were allowed.
        vectors: their vectors.
        voted: windows that had most votes.
        refined: those of them whose vectors near the query were decompressed.
        scored: windows scored with MaxSim over all their vectors.
        settings: what the search was told to look at; None where it scored everything.
        fusion: what each leg brought; None where there was one leg.
        asked: windows in which the query was read, more than one where it is longer than the model
            reads at once. Each was searched for; figures of searching are sums over them.
        unread: characters of the query that no window holds, as it has too many.
        query_adapter: how the adapter was made that mapped the query; None where none did.

    Example:
        >>> print(SearchPlan("scan", windows=2, vectors=9, scored=2))
        scan: every allowed vector was compared, decompressed
          windows        2  were allowed
          vectors        9  they have
          scored         2  windows were compared by all their vectors
    """

    method: str
    windows: int
    vectors: int
    voted: int = 0
    refined: int = 0
    scored: int = 0
    settings: SearchSettings | None = None
    fusion: FusionPlan | None = None
    asked: int = 1
    unread: int = 0
    query_adapter: str | None = None

    @classmethod
    def of(
        cls,
        traces: Sequence[SearchTrace],
        fusion: FusionPlan | None = None,
        *,
        unread: int = 0,
        query_adapter: str | None = None,
    ) -> SearchPlan:
        """Return the plan of a search that left these figures, for each window of the query."""
        sums = {name: sum(getattr(one, name) for one in traces) for name in _COUNTED}
        first = replace(traces[0], **sums)
        return cls(
            **vars(first),
            fusion=fusion,
            asked=len(traces),
            unread=unread,
            query_adapter=query_adapter,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)

    def __rich__(self) -> RenderableType:
        """Draw a table for the terminal."""
        from rich.table import Table

        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.title, table.title_justify = self._title(), "left"
        table.add_column(style="bold", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value, meaning in self._rows():
            table.add_row(name, value, meaning)
        return table

    def __str__(self) -> str:
        """Write one line a step."""
        rows = [f"  {name:<8} {value:>7}  {meaning}" for name, value, meaning in self._rows()]
        return "\n".join([self._title(), *rows])

    def _repr_html_(self) -> str:
        """Draw a table for a notebook."""
        rows = "".join(
            f'<tr><th>{name}</th><td style="text-align:right">{value}</td>'
            f"<td>{html.escape(meaning)}</td></tr>"
            for name, value, meaning in self._rows()
        )
        return f"<div><b>{html.escape(self._title())}</b><table>{rows}</table></div>"

    def _title(self) -> str:
        return f"{self.method}: {_METHODS[self.method]}"

    def _rows(self) -> list[tuple[str, str, str]]:
        skipped = ("voted", "refined") if self.settings is None else ()
        rows = [
            (name, f"{getattr(self, name):,}", meaning)
            for name, meaning in _MEANINGS.items()
            if name not in skipped
        ]
        if self.settings is not None:
            named = (
                f"{name.replace('_', ' ')} {value:,.4g}"
                if isinstance(value, float)
                else f"{name} {value:,}"
                for name, value in asdict(self.settings).items()
            )
            rows.append(("settings", "", ", ".join(named)))
        if self.asked > 1:
            unread = f"; {self.unread:,} characters in its middle are not read"
            meaning = "windows of the query, each by itself" + unread * (self.unread > 0)
            rows.append(("asked", f"{self.asked:,}", meaning))
        if self.query_adapter is not None:
            rows.append(("adapter", "", f"of the query: {self.query_adapter}"))
        return rows if self.fusion is None else [*rows, *self.fusion.rows()]
