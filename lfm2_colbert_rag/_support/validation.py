"""What callers pass in, checked before anything is changed.

Each function names the offending passage and value, and says what to do instead.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import ConfigError, InputError, shown
from ..filters import MAX_INTEGER
from ..types import Metadata, Passage

_MAX_DEPTH = 32
_SHOWN = 40


def check_query(query: object, *, filtered: bool = False) -> str:
    """Return the query if it can be answered.

    Args:
        query: what was asked.
        filtered: it comes with a filter, and may then be blank.

    Raises:
        InputError: it is no string, blank, or holds a lone surrogate.
    """
    text = check_text(query, "the query")
    if not text.strip() and not filtered:
        raise InputError(
            f"the query {text!r} is empty; ask with at least one word, or with a filter (where) "
            "for all that match it."
        )
    return text


def check_queries(queries: object, *, filtered: bool = False) -> list[str]:
    """Return a list of queries if each can be answered.

    Args:
        queries: what was asked.
        filtered: see :func:`check_query`.

    Raises:
        InputError: it is no list, or one of them is no string, blank, or holds a lone surrogate.
    """
    if isinstance(queries, str) or not isinstance(queries, Sequence):
        raise InputError("queries must be a list of strings; for a single one use search().")
    return [check_query(query, filtered=filtered) for query in queries]


def check_k(k: object, name: str = "k") -> int:
    """Return k if it is a positive integer.

    Raises:
        InputError: anything else.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError(f"{name} must be a positive integer, not {shown(k)}.")
    return k


def check_count(number: object, name: str) -> int:
    """Return an option that counts something.

    Raises:
        ConfigError: it is no positive whole number.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigError(f"{name} must be a positive whole number, not {shown(number)}.")
    return number


def check_ids(ids: object, what: str = "ids") -> list[str]:
    """Return a list of ids.

    Raises:
        InputError: a bare string, or an id that is no string, empty, or cannot be stored.
    """
    if isinstance(ids, str) or not isinstance(ids, Sequence):
        raise InputError(f"{what} must be a list of strings, not {_show(ids)}.")
    return [_check_id(one, f"id {place}") for place, one in enumerate(ids)]


def check_passages(
    texts: object,
    ids: Sequence[str] | None = None,
    metadata: Sequence[Metadata | None] | None = None,
) -> list[Passage]:
    """Turn parallel lists into passages.

    Args:
        texts: the passages' texts.
        ids: their ids; made up when None.
        metadata: their metadata; empty when None.

    Raises:
        InputError: a list of another length, a blank text, a duplicate id, metadata that is no
            JSON object, or a character that cannot be stored; the message names the passage.
    """
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise InputError(f"texts must be a list of strings, not {_show(texts)}.")
    known_ids = [uuid.uuid4().hex for _ in texts] if ids is None else check_ids(ids)
    _check_length("ids", known_ids, texts)
    _check_unique(known_ids)
    if metadata is not None:
        if isinstance(metadata, Mapping) or not isinstance(metadata, Sequence):
            raise InputError(
                f"metadata must be a list with one mapping a text, not {_show(metadata)}."
            )
        _check_length("metadata", metadata, texts)
    return [
        _check_passage(
            text, id, None if metadata is None else metadata[place], f"text {place} (id {id!r})"
        )
        for place, (text, id) in enumerate(zip(texts, known_ids, strict=True))
    ]


def check_stream(passages: object) -> Iterable[object]:
    """Return what passages are to be streamed from.

    Raises:
        InputError: it cannot be iterated over, or is a single passage.
    """
    if isinstance(passages, (str, Mapping, Passage)) or not isinstance(passages, Iterable):
        raise InputError(
            f"passages must be an iterable of passages, not a {type(passages).__name__}."
        )
    return passages


def check_streamed(item: object, place: int) -> Passage:
    """Return one passage of a stream.

    Args:
        item: a passage, or a mapping with ``id``, ``text`` and perhaps ``metadata``.
        place: how many came before it.

    Raises:
        InputError: it is neither, has no id, has other keys, or cannot be stored.
    """
    what = f"the passage at place {place:,} of the stream"
    if isinstance(item, Passage):
        item = vars(item)
    if not isinstance(item, Mapping):
        raise InputError(
            f"{what} must be a Passage, or a mapping with id, text and metadata, not {_show(item)}."
        )
    if unknown := [key for key in item if key not in ("id", "text", "metadata")]:
        raise InputError(
            f"{what} has the key {unknown[0]!r}; known are id, text and metadata. Put fields of "
            "your own into the metadata."
        )
    if not item.get("id"):
        raise InputError(
            f"{what} has no id. Give each one of its own, by which it is known when the stream is "
            "given again."
        )
    id = _check_id(item["id"], f"the id of {what}")
    return _check_passage(item.get("text"), id, item.get("metadata"), f"{what} (id {id!r})")


def check_text(text: object, what: str) -> str:
    """Return the text if it can be stored and encoded.

    Raises:
        InputError: it is no string or holds a lone surrogate.
    """
    if not isinstance(text, str):
        raise InputError(f"{what} must be a string, not {_show(text)}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{what} holds a lone surrogate ({text[error.start]!r} at character {error.start}), "
            "which is not valid Unicode. Clean it with "
            "text.encode('utf-8', 'replace').decode('utf-8')."
        ) from None
    return text


def _check_passage(text: object, id: str, metadata: object, what: str) -> Passage:
    checked = check_text(text, what)
    if not checked.strip():
        raise InputError(f"{what} is empty: {checked[:_SHOWN]!r}. Leave it out.")
    if metadata is None:
        return Passage(id, checked, {})
    if not isinstance(metadata, Mapping):
        raise InputError(f"metadata of {what} must be a mapping or None, not {_show(metadata)}.")
    return Passage(id, checked, _check_json(metadata, f"metadata of {what}", 0))


def _check_json(value: object, where: str, depth: int) -> Any:
    """Copy a JSON value, refusing whatever would not come back as it was."""
    if depth > _MAX_DEPTH:
        raise InputError(f"{where} is nested more than {_MAX_DEPTH} levels deep; flatten it.")
    if isinstance(value, Mapping):
        return {
            _check_key(key, where): _check_json(item, f"{where}, {key!r}", depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_check_json(item, where, depth + 1) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _check_string(value, where)
    if isinstance(value, int):
        return _check_integer(value, where)
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise InputError(f"{where} is {value!r}, which JSON has no word for; use None.")
    raise InputError(
        f"{where} is {_show(value)}, which is not JSON. Use strings, numbers, booleans, None, "
        "lists and mappings; for a date, its isoformat()."
    )


def _check_key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise InputError(f"{where} has the key {shown(key)}; keys must be strings.")
    return _check_string(key, where)


def _check_string(value: str, where: str) -> str:
    if "\0" in value:
        raise InputError(f"{where} holds a NUL character; remove it.")
    return check_text(value, where)


def _check_integer(value: int, where: str) -> int:
    if abs(value) > MAX_INTEGER:
        raise InputError(f"{where} is {shown(value)}, beyond 64 bits; store it as a string.")
    return value


def _check_id(id: object, what: str) -> str:
    if not isinstance(id, str):
        raise InputError(f"{what} must be a string, not {_show(id)}; write str(id).")
    if not id:
        raise InputError(f"{what} is empty; give each passage an id, or pass ids=None.")
    return _check_string(id, what)


def _check_length(name: str, values: Sequence[object], texts: Sequence[object]) -> None:
    if len(values) != len(texts):
        raise InputError(f"{len(values)} {name} for {len(texts)} texts; give one for each.")


def _check_unique(ids: Sequence[str]) -> None:
    places: dict[str, int] = {}
    for place, id in enumerate(ids):
        first = places.setdefault(id, place)
        if first != place:
            raise InputError(f"id {id!r} is given twice, for texts {first} and {place}.")


def _show(value: object) -> str:
    return f"{type(value).__name__} ({shown(value)})"
