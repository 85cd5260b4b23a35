"""How the results of an evaluation are written down."""

from __future__ import annotations

from typing import Any

from lfm2_colbert_rag.evaluation import Evaluation, compare

Figures = dict[str, Any]


def means(found: Evaluation) -> dict[str, list[float]]:
    """Return mean, lower and upper bound of each measure."""
    return {
        name: [round(value, 4) for value in (mean.mean, mean.low, mean.high)]
        for name, mean in found.result().means.items()
    }


def differences(found: dict[str, Evaluation], better: str, others: tuple[str, ...]) -> Figures:
    """Compare one system with others, query by query."""
    compared = {
        name: compare(found[name], found[better], mode_a=name, mode_b=better)[0] for name in others
    }
    return {
        f"{better} - {name}": {"nDCG@10": round(one.difference, 4), "p": round(one.p, 4)}
        for name, one in compared.items()
    }
