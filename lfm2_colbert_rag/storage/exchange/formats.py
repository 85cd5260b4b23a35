"""Vectors that others left in files: which layouts are known, and how each is read.

================= ============================================================================
layout            what is there
================= ============================================================================
our own export    a folder with ``export.json``, see :mod:`.own`; it brings its texts
arrays by id      an ``.npz`` or ``.safetensors`` file with one matrix a passage, under its id
flat              an ``.npy`` file with all vectors end to end, and beside it how many each
                  passage has: ``token_counts``, ``lengths`` or ``doclens`` as ``.npy`` or
                  ``.json``, or ``doclens.0.json``, ``doclens.1.json``, ...
fast-plaid        the folder of an index, alone or within PyLate's; see :mod:`.plaid`
================= ============================================================================

Nothing is ever unpickled.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError
from .array_files import SUFFIXES, find_flat, open_by_id, open_flat
from .dump import Dump
from .own import is_export, open_export
from .plaid import find_plaid, open_plaid

__all__ = ["Dump", "open_dump"]


def open_dump(path: Path) -> Dump:
    """Open a dump of whatever known layout; its vectors are read when they are asked for.

    Args:
        path: a file or a folder.

    Raises:
        InputError: it is not there, in no known layout, truncated, or contradicts itself.

    Example:
        >>> open_dump(Path("vectors.npz")).dim  # doctest: +SKIP
        128
    """
    if is_export(path):
        return open_export(path)
    plaid = find_plaid(path)
    if plaid is not None:
        return open_plaid(plaid)
    if path.is_file() and path.suffix.lower() in SUFFIXES[:2]:
        return open_by_id(path)
    flat = find_flat(path)
    if flat is not None:
        return open_flat(flat)
    raise InputError(
        f"{path} {'holds no' if path.exists() else 'does not exist; name a'} dump that can be "
        f"read: a file {', '.join(SUFFIXES)}, a folder with vectors.npy and token_counts.npy, an "
        "export of this library, or a fast-plaid index."
    )
