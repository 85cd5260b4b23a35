"""Removing what an adaptation left: its work folder, and graphs of adapted models in the cache."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .._support.system_errors import system_errors
from ..errors import InputError, ModelError

if TYPE_CHECKING:
    from .._support.paths import PathLike

__all__ = ["purge"]


def purge(folder: PathLike) -> int:
    """Remove a work folder, and what the cache of converted models holds of what it trained.

    The trained model itself stays: it is the index's now, or yours to remove. So does whatever
    file systems keep of blocks that are free.

    Args:
        folder: the work folder.

    Returns:
        How many files were removed.

    Raises:
        ConfigError: it is no work folder; nothing was removed.
        AccessDeniedError: a file may not be removed.
    """
    from .work import Work

    work = Work.open(folder)
    with suppress(InputError):  # a damaged file names no model
        named = work.trained().get("folder")
        if isinstance(named, str):
            _forget(Path(named))
    files = sum(path.is_file() for path in work.folder.rglob("*"))
    with system_errors(work.folder):
        shutil.rmtree(work.folder)
    return files


def _forget(model: Path) -> None:
    """Remove the graphs of a model from the cache; a query adapter has none."""
    from ..encoder.checkpoint import Checkpoint
    from ..encoder.onnx.converted import forget_graphs

    if (model / "config.json").is_file():
        with suppress(ModelError), system_errors(model):
            forget_graphs(Checkpoint.read(model))
