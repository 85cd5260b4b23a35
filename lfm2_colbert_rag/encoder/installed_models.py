"""Models that come as distributions of their own.

Such a distribution has an entry point of the group ``lfm2_colbert_rag.models``, whose name is that
of the model, and which points to the path of the model's folder::

    [project.entry-points."lfm2_colbert_rag.models"]
    small = "lfm2_colbert_small:FOLDER"
"""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ..errors import ModelNotFoundError

SMALL = "small"

_GROUP = "lfm2_colbert_rag.models"
_NAME = re.compile(r"[\w.-]+")


def installed_model(name: str) -> Path | None:
    """Find the folder of an installed model.

    Args:
        name: of the model.

    Returns:
        The folder; None where no installed distribution has a model of that name.

    Raises:
        ModelNotFoundError: one has, but its folder is not there.
    """
    if not _NAME.fullmatch(name):  # what holds a separator is a path or a hub id
        return None
    point = next(iter(entry_points(group=_GROUP, name=name)), None)
    return None if point is None else _folder(point)


def require_small() -> Path:
    """Find the folder of ``small``.

    Raises:
        ModelNotFoundError: it is not installed, or not whole.
    """
    folder = installed_model(SMALL)
    if folder is None:
        raise ModelNotFoundError(
            f"The model {SMALL!r} is a distribution of its own, which is not installed. Install it "
            "with: pip install lfm2-colbert-small (from a clone: pip install "
            f"./integrations/small_model), or pass './{SMALL}' for a folder of that name."
        )
    return folder


def _folder(point: EntryPoint) -> Path:
    whose = f"the distribution {point.dist.name!r}" if point.dist else repr(point.value)
    try:
        folder = Path(point.load())
    # Importing what somebody else wrote may raise anything.
    except Exception as error:
        raise ModelNotFoundError(
            f"The model {point.name!r} of {whose} cannot be found: {type(error).__name__}: "
            f"{error}. Install that distribution again."
        ) from error
    if not folder.is_dir():
        raise ModelNotFoundError(
            f"The model {point.name!r} of {whose} is not in this installation ({folder} is "
            "missing). Install that distribution again."
        )
    return folder
