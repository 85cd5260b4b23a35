"""The obvious form in JSON of what is none: of dates, enumerations, NumPy's numbers and so on.

The same for values of metadata and for those that filters compare them with. NumPy and pandas are
known by what their objects can do, so that neither is imported.
"""

from __future__ import annotations

import datetime
import os
from collections import deque
from collections.abc import Set
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

__all__ = ["MAX_INTEGER", "NoFormError", "plain_form"]

MAX_INTEGER = 2**63 - 1

_NANOSECONDS = 9


class NoFormError(Exception):
    """A value has no obvious form in JSON. Never reaches users: callers say whose it was."""


def plain_form(value: object) -> Any:
    """Return the obvious form of a value, which may itself hold what is no JSON.

    Raises:
        NoFormError: it has none.
    """
    if isinstance(value, type):
        raise NoFormError
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else None
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, tuple | deque | Set):
        return list(value)
    try:
        return _by_protocol(value)
    except NoFormError:
        raise
    except Exception:  # an object of somebody else's that only looks like one
        raise NoFormError from None


def _by_protocol(value: Any) -> Any:
    if _is_missing(value):
        return None
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return _array(value)
    if isinstance(value, datetime.timedelta):
        raise NoFormError
    if isinstance(value, os.PathLike):
        return _text(os.fspath(value))
    return _text(value.isoformat())


def _is_missing(value: Any) -> bool:
    """Tell pandas' NaT and NA, and what NumPy masks, by their names and what they equal."""
    if type(value).__name__ in ("NAType", "MaskedConstant"):
        return True
    return isinstance(value, datetime.date | datetime.timedelta) and bool(value != value)


def _array(value: Any) -> Any:
    """Return what NumPy's and pandas' scalars, arrays and series hold."""
    if value.ndim:
        return list(value)
    kind = getattr(value.dtype, "kind", None)
    if kind in ("m", "M") and str(value) == "NaT":
        return None
    if kind == "m":
        raise NoFormError
    item = value.item()
    if kind == "M" and isinstance(item, int):  # more than Python's datetime can tell
        return _trimmed(str(value))
    if isinstance(item, bytes | complex):
        raise NoFormError
    # The widest floats are given back as they are.
    return float(item) if type(item) is type(value) else item


def _trimmed(moment: str) -> str:
    """Write nanoseconds as pandas does, and Python where there are none."""
    seconds, _, fraction = moment.partition(".")
    if len(fraction) == _NANOSECONDS and fraction.endswith("000"):
        fraction = fraction[:-3]
    return f"{seconds}.{fraction}" if fraction.strip("0") else seconds


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NoFormError
    return value
