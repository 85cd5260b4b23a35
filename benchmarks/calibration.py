"""How equal one threshold of relevance is over groups of queries, and the fit of its scale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

PASSING = 0.1

Figures = dict[str, Any]
Values = npt.NDArray[np.float64]


class Group:
    """Right and wrong answers of one collection, and how long its queries are.

    Args:
        name: for people.
        same_language: of queries and passages.

    Attributes:
        lengths: vectors of each query.
        right: for each way to tell relevance, its value of the own passage of each query.
        wrong: the same of the best passage of all other articles.
    """

    def __init__(self, name: str, same_language: bool) -> None:
        self.name, self.same_language = name, same_language
        self.lengths: list[int] = []
        self.right: dict[str, list[float]] = {}
        self.wrong: dict[str, list[float]] = {}

    def add(self, length: int, right: dict[str, float], wrong: dict[str, float]) -> None:
        """Take what one query gave."""
        self.lengths.append(length)
        for way in right:
            self.right.setdefault(way, []).append(right[way])
            self.wrong.setdefault(way, []).append(wrong[way])

    def thirds(self, way: str) -> Iterator[tuple[Values, Values]]:
        """Yield right and wrong answers of short, middling and long queries."""
        places = np.digitize(self.lengths, np.quantile(self.lengths, [1 / 3, 2 / 3]))
        for third in range(3):
            chosen = places == third
            yield np.array(self.right[way])[chosen], np.array(self.wrong[way])[chosen]


def judge(measured: list[Group], way: str) -> Figures:
    """Say how equal one threshold is over the thirds of all groups."""
    cells = [cell for group in measured for cell in group.thirds(way)]
    right, wrong = (np.concatenate(part) for part in zip(*cells, strict=True))
    threshold = float(np.quantile(wrong, 1 - PASSING))
    passing = np.array([(cell[1] >= threshold).mean() for cell in cells])
    found = np.array([(cell[0] >= threshold).mean() for cell in cells])
    grid = np.quantile(np.concatenate([right, wrong]), np.linspace(0, 1, 201))
    accuracy = np.array([[balanced(*cell, at) for at in grid] for cell in cells])
    one = int(accuracy.mean(axis=0).argmax())
    return {
        "threshold": threshold,
        "wrong_passing": {
            "least": float(passing.min()),
            "most": float(passing.max()),
            "deviation": float(passing.std()),
        },
        "right_passing": float(found.mean()),
        "accuracy_one_threshold": float(accuracy[:, one].mean()),
        "best_threshold": float(grid[one]),
        "accuracy_own_thresholds": float(accuracy.max(axis=1).mean()),
    }


def balanced(right: Values, wrong: Values, threshold: float) -> float:
    """Return the mean share of right answers that pass and wrong ones that do not."""
    return float(((right >= threshold).mean() + (wrong < threshold).mean()) / 2)


def fit(measured: list[Group]) -> Figures:
    """Fit middle and steepness of the logistic map to deviations from chance, by Newton's way."""
    right, wrong = (
        np.concatenate([getattr(group, side)["deviations"] for group in measured])
        for side in ("right", "wrong")
    )
    x = np.concatenate([right, wrong])
    y = np.concatenate([np.ones(len(right)), np.zeros(len(wrong))])
    design, weights = np.stack([np.ones_like(x), x], axis=1), np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ weights))
        weights += np.linalg.solve((design.T * (p * (1 - p))) @ design, design.T @ (y - p))
    return {"middle": float(-weights[0] / weights[1]), "steepness": float(weights[1])}
