"""Files of a model's folder, which somebody else may have made: only files, and only of that model.

The hub's cache keeps files under ``blobs`` and leads to them by links from ``snapshots/<commit>``,
so that links cannot be refused altogether.
"""

from __future__ import annotations

import stat
from pathlib import Path

from ..errors import ModelFormatError

_ROOT = "modules.json"
_SNAPSHOTS, _BLOBS = "snapshots", "blobs"


def require_file(file: Path) -> Path:
    """Return the path of what is to be read, once it is a file of the model's own.

    Args:
        file: in the folder of the model, or of one of its modules.

    Returns:
        The same path.

    Raises:
        ModelFormatError: it is a FIFO, a device or a folder, or a link leads out of the model's
            folder, or out of its repository in the hub's cache.
        FileNotFoundError: it is missing.
        OSError: it cannot be looked at.
    """
    try:
        target = file.resolve(strict=True)
    except RuntimeError:  # what a loop of links is before Python 3.13
        raise ModelFormatError(f"{file} is a link to itself. Download the model again.") from None
    if not stat.S_ISREG(target.stat().st_mode):
        raise ModelFormatError(f"{file} is not a file. Download the model again.")
    if not any(target.is_relative_to(root) for root in _roots(file)):
        raise ModelFormatError(
            f"{file} is a link to {target}, which lies outside of the model. Copy the file into "
            "the model's folder instead."
        )
    return file


def _roots(file: Path) -> list[Path]:
    """Return the folders that may hold what a file of a model leads to."""
    folder = next((one for one in file.parents if (one / _ROOT).exists()), file.parent)
    roots = [folder.resolve()]
    # ``folder`` itself may be a link to a snapshot.
    for one in {folder.absolute(), roots[0]}:
        if one.parent.name == _SNAPSHOTS:
            roots.append((one.parent.parent / _BLOBS).resolve())
    return roots
