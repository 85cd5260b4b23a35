"""Paths as users give them, made independent of what the process does later."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from ..errors import InputError

PathLike: TypeAlias = "str | os.PathLike[str]"


def absolute_path(path: PathLike) -> Path:
    """Return a path that means the same from any working directory; ``~`` is the user's home.

    Links are not resolved: a link that is turned to another folder later names that folder.

    Args:
        path: as the user gave it.

    Raises:
        InputError: it is no path, is empty, or no file can have that name.

    Example:
        >>> absolute_path("support.index").is_absolute()
        True
    """
    try:
        text = os.fspath(path)
    except TypeError:
        raise InputError(f"a path must be a string or a path object, not {path!r}.") from None
    if not isinstance(text, str) or not text or "\0" in text:
        raise InputError(f"{path!r} is no path of a file or a folder; name one.")
    try:
        expanded = Path(text).expanduser().absolute()
        expanded.exists()  # a name that is too long, or cannot be encoded, is refused here
    except RuntimeError:
        raise InputError(f"{text!r} names the home of a user that does not exist here.") from None
    except PermissionError:
        return expanded
    except (OSError, ValueError) as error:
        raise InputError(f"no file or folder can be named {text[:80]!r} ({error}).") from None
    return expanded
