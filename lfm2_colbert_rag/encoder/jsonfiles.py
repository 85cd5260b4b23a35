"""The JSON files of a checkpoint, read with errors that name the file and the key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from .._support.safe_json import load_json
from ..errors import ModelFormatError
from .model_files import require_file

Value = TypeVar("Value", bool, int, str)


def read_json(file: Path, *, required: bool = True) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        file: the file.
        required: when False, a file that does not exist reads as ``{}``.

    Raises:
        ModelFormatError: the file is missing, unreadable, or not a JSON object.
    """
    content = _load(file, required=required)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ModelFormatError(f"{file} must hold a JSON object, not {type(content).__name__}.")
    return content


def read_json_list(file: Path) -> list[dict[str, Any]]:
    """Read a JSON array of objects.

    Raises:
        ModelFormatError: the file is missing, unreadable, or something else.
    """
    content = _load(file, required=True)
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise ModelFormatError(f"{file} must hold a JSON array of objects.")
    return content


def _load(file: Path, *, required: bool) -> Any:
    try:
        return load_json(require_file(file).resolve())
    except FileNotFoundError:
        if not required:
            return None
        raise ModelFormatError(f"{file.parent} is not a model folder: no {file.name}.") from None
    except ModelFormatError:
        raise
    except (OSError, ValueError) as error:
        raise ModelFormatError(f"{file} cannot be read: {error}.") from error


def option(config: Mapping[str, Any], key: str, default: Value) -> Value:
    """Return ``config[key]``, or the default when it is absent or null.

    Raises:
        ModelFormatError: the value is not of the type of the default.
    """
    value = config.get(key)
    if value is None:
        return default
    # bool is a subclass of int, yet True is no length.
    if type(value) is not type(default):
        raise ModelFormatError(
            f"The option {key!r} must be of type {type(default).__name__}, not {value!r}."
        )
    return value


def words(config: Mapping[str, Any], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``config[key]`` as a tuple of strings, or the default when absent or null.

    Raises:
        ModelFormatError: the value is not a list of strings.
    """
    value = config.get(key)
    if value is None:
        return default
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ModelFormatError(f"The option {key!r} must be a list of strings, not {value!r}.")
    return tuple(value)
