"""Adapting a model to one's own passages, on one's own machine.

Importing this loads neither torch nor an engine, and nothing here ever speaks to a network.

Example:
    >>> from lfm2_colbert_rag.testing import HashEncoder
    >>> from lfm2_colbert_rag.training import Example, train
    >>> texts = {"reset": "Hold the reset key.", "coffee": "Clean the coffee machine."}
    >>> examples = [Example("Where is the reset key?", ("reset",), ("coffee",))]
    >>> train(HashEncoder(), examples, texts, "new-model").right_after
    1.0
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .adapter import fit_adapter
from .examples import Example
from .settings import TrainingSettings
from .train import train
from .trained import Trained

if TYPE_CHECKING:
    from .fitting import train_on
    from .judging import judge
    from .labels import Labelled, Labels
    from .pairs import read_judgements, read_pairs
    from .preparing import mine
    from .purging import purge
    from .run import adapt
    from .verdict import Figure, Membership, Verdict
    from .work import Work

__all__ = [
    "Example",
    "Figure",
    "Labelled",
    "Labels",
    "Membership",
    "Trained",
    "TrainingSettings",
    "Verdict",
    "Work",
    "adapt",
    "fit_adapter",
    "judge",
    "mine",
    "purge",
    "read_judgements",
    "read_pairs",
    "train",
    "train_on",
]

# Loaded on first use: they bring the evaluation.
_HOME = {
    "Figure": ".verdict",
    "Labelled": ".labels",
    "Labels": ".labels",
    "Membership": ".verdict",
    "Verdict": ".verdict",
    "Work": ".work",
    "adapt": ".run",
    "judge": ".judging",
    "mine": ".preparing",
    "purge": ".purging",
    "read_judgements": ".pairs",
    "read_pairs": ".pairs",
    "train_on": ".fitting",
}


def __getattr__(name: str) -> object:
    """Import a name from its module when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name], __name__), name)
    globals()[name] = value
    return value
