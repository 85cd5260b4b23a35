"""The tables of the bundled model's card."""

from __future__ import annotations

import re

from ..harness.machine import ROOT
from .figures import Figures, show, table
from .sets import FAMILY, LITTLE_TRAINED, MONOLINGUAL, TRAINED

CARD = ROOT / "lfm2_colbert_rag" / "encoder" / "models" / "nano" / "README.md"
BLOCK = re.compile(r"(<!-- ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def card_tables(figures: Figures) -> dict[str, str] | None:
    """Return the tables of the card; None where some of their figures were not measured."""
    across = [
        [
            language if language in TRAINED else f"{language} (few texts)",
            *(
                _both(figures, f"{FAMILY}/{passages}", f"{language}→{passages}")
                for passages in ("en", language)
            ),
        ]
        for language in TRAINED + LITTLE_TRAINED
    ]
    alike = []
    for name, one in MONOLINGUAL.items():
        entry = figures.sets.get(name, {"passages": 0, "queries": 0})
        size = f"{entry['passages']:,} / {entry['queries']:,}"
        pair = f"{one.language}→{one.language}"
        alike.append([name, one.language, size, _both(figures, name, pair)])
    if any("–" in cell for row in across + alike for cell in row):
        return None
    head = ["query language", "English passages", "passages in the same language"]
    measured = ["collection", "language", "passages / queries", "nDCG@10 / recall@10"]
    return {"xquad": table(head, across), "mono": table(measured, alike)}


def fill_card(card: str, figures: Figures) -> str:
    """Return the card with its tables written anew; as it is where figures are missing."""
    tables = card_tables(figures)
    if tables is None:
        return card
    return BLOCK.sub(lambda match: f"{match[1]}{tables[match[2]]}\n{match[3]}", card)


def _both(figures: Figures, name: str, pair: str) -> str:
    values = (figures.value(name, pair, "late", measure) for measure in ("nDCG@10", "R@10"))
    return " / ".join(map(show, values))
