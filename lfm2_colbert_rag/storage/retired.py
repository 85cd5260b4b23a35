"""Folders within an index that no commit names any more, and that readers may still have open.

A reader keeps the files of its generation mapped. POSIX systems let go of a name all the same;
Windows keeps the file, and so the folder, until the last reader is done. Such a folder is marked,
so that nobody takes it for one that a killed writer left behind, and removed by a later writer.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from .._support.regular import kind_of

_MARK = "retired"


def retire(folder: Path) -> bool:
    """Remove a folder that no commit names, or mark what cannot be removed yet.

    Args:
        folder: of a segment or a codebook.

    Returns:
        Whether it is gone.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     folder = Path(parent) / "segment"
        ...     folder.mkdir()
        ...     retire(folder), folder.exists()
        (True, False)
    """
    with suppress(OSError):
        if kind_of(folder) == "a folder":
            shutil.rmtree(folder, ignore_errors=True)
        else:  # rmtree would open it, and wait for a FIFO
            folder.unlink()
    if not os.path.lexists(folder):
        return True
    with suppress(OSError):  # then it looks like an orphan, which does no harm either
        (folder / _MARK).touch()
    return False


def is_retired(folder: Path) -> bool:
    """Tell whether a folder is only there because somebody had it open when it was retired."""
    return (folder / _MARK).exists()
