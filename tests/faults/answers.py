"""What an index answers, as plain values that can be compared."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import Hit, Retriever

from .kinds import QUESTIONS, Kind

TOLERANCE = 1e-6
EVERYTHING = 100  # more than there are passages
EXPLAINED = 4  # hits whose evidence is looked at
WHERE = {"lang": {"$in": ["ja", "fr"]}, "n": {"$lt": 20}}


def hit_value(hit: Hit, *, evidence: bool) -> tuple[Any, ...]:
    """Return all that a hit says."""
    legs = sorted((name, leg.rank, leg.score) for name, leg in hit.legs.items())
    matches = [(m.query_span, m.passage_span, m.strength) for m in hit.evidence] if evidence else ()
    return (
        hit.id, hit.score, hit.relevance, hit.text, hit.metadata, hit.window, legs, list(matches),
    )  # fmt: skip


def search(
    retriever: Retriever, mode: str, *, evidence: bool = True, **options: Any
) -> list[list[tuple[Any, ...]]]:
    """Ask everything in one mode."""
    asked = QUESTIONS if mode == "late" else QUESTIONS[1:]
    return [
        [
            hit_value(hit, evidence=evidence and place < EXPLAINED)
            for place, hit in enumerate(
                retriever.search(question, k=EVERYTHING, mode=mode, **options)
            )
        ]
        for question in asked
    ]


def modes(kind: Kind) -> tuple[str, ...]:
    """Return the modes that a kind of index can be searched in."""
    return ("late", "lexical", "hybrid") if kind.lexical else ("late",)


def stats(retriever: Retriever) -> list[Any]:
    """Return the statistics, but sizes of files."""
    found = retriever.stats()
    return [
        found.passages, found.windows, found.deleted, found.vectors, found.segments,
        found.generation, found.storage, found.nbits, found.pool_factor,
    ]  # fmt: skip


def explanation(retriever: Retriever) -> list[Any]:
    """Explain some passages."""
    found = []
    for id in ("a0", "b1", "c4"):
        one = retriever.explain(QUESTIONS[0], id)
        found.append([value for value in vars(one).values() if isinstance(value, float | str)])
    return found


def folder_value(folder: Path) -> dict[str, str]:
    """Return what the files of an export hold; its description tells generations and dates."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "export.json"
    }


def differ(one: Any, other: Any) -> str | None:
    """Say where two answers differ by more than rounding; None if they do not."""
    if isinstance(one, float) and isinstance(other, float):
        alike = math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        return None if alike else f"{one!r} instead of {other!r}"
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return differ(list(one.values()), [other[key] for key in one])
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return f"{len(one)} entries instead of {len(other)}"
        return next(filter(None, map(differ, one, other)), None)
    return None if one == other else f"{_shown(one)} instead of {_shown(other)}"


def _shown(value: Any) -> str:
    return repr(value)[:120]
