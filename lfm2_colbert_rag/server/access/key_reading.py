"""Reads the file of keys, or says why it cannot be believed."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from ..._support.regular import IrregularFileError, open_regular
from ..._support.safe_json import JsonError, parse_json
from ...errors import KeyFileError, LFM2ColBERTError
from .key_record import Key, from_stored, stored

_MOST_BYTES = 64 << 20  # of a file; ten thousand keys have four of them
_MEMBERS = {"version", "keys"}
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_keys(path: Path, known: Mapping[str, Key] | None = None) -> Mapping[str, Key]:
    """Return the keys in a file by their ids, the oldest first.

    Args:
        path: the file.
        known: keys that were read before; those that did not change are returned as they are,
            which takes a tenth of the time.

    Raises:
        KeyFileError: it is missing, damaged, a link, or may be used by others.
    """
    content = _parse(path, _read(path))
    if content.keys() != _MEMBERS or content["version"] != 1:
        raise _damaged(path, "it is no file of keys, or of another version")
    if not isinstance(content["keys"], list):
        raise _damaged(path, "its keys are no list")
    keys: dict[str, Key] = {}
    for place, row in enumerate(content["keys"]):
        try:
            key = _unchanged(row, known or {}) or from_stored(row)
        except LFM2ColBERTError as error:
            raise _damaged(path, f"key {place}: {error}") from None
        if key.id in keys:
            raise _damaged(path, f"two keys have the id {key.id}")
        keys[key.id] = key
    return keys


def _unchanged(row: object, known: Mapping[str, Key]) -> Key | None:
    id = row.get("id") if isinstance(row, dict) else None
    key = known.get(id) if isinstance(id, str) else None
    return key if key is not None and stored(key) == row else None


def _parse(path: Path, data: bytes) -> dict[str, object]:
    """Return the JSON object that a file holds."""
    try:
        content = parse_json(data)
    except JsonError as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(content, dict):
        raise _damaged(path, "it is no JSON object")
    return content


def _read(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            _require_private(path, os.fstat(file.fileno()).st_mode)
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise KeyFileError(
            f"there is no key file {path}. Make one with its first key: lfm2-colbert keys create "
            f"--keys {path} --name NAME"
        ) from None
    except IrregularFileError as error:
        raise KeyFileError(f"{error}. Name the key file itself.") from None
    except KeyFileError:
        raise
    except OSError as error:
        raise KeyFileError(
            f"{path} cannot be read ({error.strerror}). Let this user read it, or name another."
        ) from error
    if len(data) > _MOST_BYTES:
        raise _damaged(path, f"it has more than {_MOST_BYTES:,} bytes")
    return data


def _require_private(path: Path, mode: int) -> None:
    if os.name != "nt" and mode & _OTHERS:  # Windows has no such bits
        raise KeyFileError(
            f"{path} may be used by others than its owner (its mode is {stat.S_IMODE(mode):04o}), "
            f"and who reads it can make tokens. Run: chmod 600 {path}"
        )


def _damaged(path: Path, reason: str) -> KeyFileError:
    return KeyFileError(
        f"{path} cannot be used: {reason}. Restore it from a backup, or move it away and make new "
        "keys."
    )
