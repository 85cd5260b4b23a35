"""JSON that somebody else wrote, read within limits.

``json`` by itself answers hostile input with a RecursionError, a MemoryError or quadratic work,
takes ``NaN`` for a number, and keeps the last of several values under one key without a word.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, NoReturn

from .regular import open_regular

MAX_BYTES = 256 << 20
"""Bytes of a file at most; the largest tokenizer known has a fifth of them."""

MAX_DEPTH = 100
"""Levels of lists and objects within one another at most."""

_HOLDERS = (dict, list)
# Half of a pair where the other half is missing; or a backslash before what looks like one.
_HALF = re.compile(r"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]")


class JsonError(ValueError):
    """What is read is no JSON to be used. Never reaches users: callers say which file it was."""


def load_json(path: Path, *, max_bytes: int = MAX_BYTES) -> Any:
    """Read a JSON file.

    Args:
        path: the file; nothing but a file will do (:func:`~.regular.open_regular`).
        max_bytes: how large it may be.

    Raises:
        JsonError: it is too large, or no JSON to be used; see :func:`parse_json`.
        IrregularFileError: it is a link, a folder, a FIFO, a device or a socket.
        OSError: it is missing, or cannot be read.
    """
    with open_regular(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise JsonError(f"it has more than {max_bytes:,} bytes")
    return parse_json(data)


def parse_json(text: str | bytes) -> Any:
    """Read a JSON value.

    Args:
        text: the value; bytes are UTF-8.

    Raises:
        JsonError: it is no JSON, nested more than :data:`MAX_DEPTH` levels deep, holds a number
            beyond any type, ``NaN``, a key twice in one object, or a lone surrogate.

    Example:
        >>> parse_json('{"a": [1, 2.5]}')
        {'a': [1, 2.5]}
        >>> parse_json('{"a": 1, "a": 2}')
        Traceback (most recent call last):
        lfm2_colbert_rag._support.safe_json.JsonError: the key 'a' is there twice
    """
    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = _DECODER.decode(text)
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except JsonError:
        raise
    except ValueError as error:
        raise JsonError(_short(str(error))) from None
    except RecursionError:
        raise JsonError(f"it is nested more than {MAX_DEPTH} levels deep") from None
    except MemoryError:
        raise JsonError("it does not fit into memory") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    """Refuse what others, who go through it by recursion, would stumble over."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for one in level:
            if type(one) in _HOLDERS:
                items = one.values() if type(one) is dict else one
                inner += [item for item in items if type(item) in _HOLDERS]
        if not inner:
            return
        level = inner
    raise JsonError(f"it is nested more than {MAX_DEPTH} levels deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise JsonError(f"the key {_short(repr(twice))} is there twice")
    return value


def _number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise JsonError(f"it holds the number {_short(digits)}, which is too large")
    return value


def _constant(name: str) -> NoReturn:
    raise JsonError(f"it holds {name}, which is no number")


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}..."


_DECODER = json.JSONDecoder(
    # Whole numbers of too many digits are refused by ``int`` itself.
    object_pairs_hook=_object,
    parse_float=_number,
    parse_constant=_constant,
)
