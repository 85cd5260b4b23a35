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

from .adapter import fit_adapter
from .examples import Example
from .settings import TrainingSettings
from .train import train
from .trained import Trained

__all__ = ["Example", "Trained", "TrainingSettings", "fit_adapter", "train"]
