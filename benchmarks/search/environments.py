"""Virtual environments of the peers, made on demand."""

from __future__ import annotations

from pathlib import Path

from ..encode.environments import EnvironmentFailedError, Interpreter, make
from .contenders import ENVIRONMENTS, TORCH, Contender

__all__ = ["EnvironmentFailedError", "Interpreter", "interpreter"]


def interpreter(contender: Contender, scratch: Path) -> Interpreter:
    """Return the Python that has a contender's library; its environment is made if need be.

    Raises:
        EnvironmentFailedError: pip refused.
    """
    folder = scratch / "envs"
    folder.mkdir(parents=True, exist_ok=True)
    return make(ENVIRONMENTS[contender.environment], folder, TORCH)
