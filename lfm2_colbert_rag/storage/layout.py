"""What lies in the folder of an index, and which names of its folders are believed."""

from __future__ import annotations

import re

from ..errors import IndexCorruptError

SEGMENTS = "segments"
CODEBOOKS = "codebooks"
STAGING = "staging"
LOCK = "writer.lock"
HOLDER = "writer.json"
OPTIMIZER = "optimizer.lock"

_NAME = re.compile(r"[0-9a-f-]{1,64}")


def check_name(name: object) -> str:
    """Return the name of a segment or a codebook if it may become part of a path.

    A catalog from elsewhere may say ``../other`` or ``/home``, and segments are removed by name.

    Raises:
        IndexCorruptError: it is none that this library gives.

    Example:
        >>> check_name("00000007-9f3c01aa")
        '00000007-9f3c01aa'
    """
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    shown = ascii(name)
    raise IndexCorruptError(
        f"the catalog names a segment or a codebook {shown[:100]}{'...' * (len(shown) > 100)}, "
        "which this library never does. Restore the index from a backup, or build it again from "
        "the texts."
    )
