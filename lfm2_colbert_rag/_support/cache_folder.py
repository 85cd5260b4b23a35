"""Where what was worked out once is kept: converted models, compiled kernels, hashes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

CACHE_VARIABLE = "LFM2_COLBERT_CACHE"


def cache_folder() -> Path:
    """Return where it is: ``$LFM2_COLBERT_CACHE``, or a folder in the user's cache."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else own_cache_folder()


def own_cache_folder() -> Path:
    """Return the folder in the user's cache, whatever else was chosen."""
    return user_cache_path("lfm2-colbert")


def require_writable(folder: Path) -> None:
    """Make a folder if need be, and write into it.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return
