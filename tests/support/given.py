"""Values as programs and loaders have them, and what becomes of each in JSON."""

from __future__ import annotations

import datetime as dt
import logging
import math
import unicodedata
from collections import ChainMap, OrderedDict, UserDict, defaultdict, deque, namedtuple
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType
from uuid import UUID

import numpy as np
import pytest

BERLIN = dt.timezone(dt.timedelta(hours=1))
NFC, NFD = "Müller ガ.txt", unicodedata.normalize("NFD", "Müller ガ.txt")


class Colour(Enum):
    RED = "red"


class Day(Enum):
    FIRST = dt.date(2024, 1, 1)


class Word(str, Enum):  # noqa: UP042 - as it is written still
    YES = "yes"


class Kind(StrEnum):
    PDF = "pdf"


class Level(IntEnum):
    HIGH = 3


class Text(str):
    def __str__(self) -> str:
        return "something else"


class Number(int):
    def __repr__(self) -> str:
        return "something else"


Point = namedtuple("Point", "x y")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


TRANSLATED = {
    "date": (dt.date(2024, 1, 5), "2024-01-05"),
    "datetime": (dt.datetime(2024, 1, 5, 10, 30), "2024-01-05T10:30:00"),
    "datetime with zone": (
        dt.datetime(2024, 1, 5, 10, 30, tzinfo=BERLIN),
        "2024-01-05T10:30:00+01:00",
    ),
    "time": (dt.time(10, 30), "10:30:00"),
    "tuple": ((1, "a", None), [1, "a", None]),
    "named tuple": (Point(1, 2.5), [1, 2.5]),
    "set": ({3, 1, 2}, [1, 2, 3]),
    "set of kinds": (frozenset({"b", 1, None, (2,)}), None),
    "deque": (deque([1, 2]), [1, 2]),
    "keys": ({"a": 1, "b": 2}.keys(), ["a", "b"]),
    "uuid": (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "path": (PurePosixPath("docs/a.pdf"), "docs/a.pdf"),
    "enum": (Colour.RED, "red"),
    "enum of a date": (Day.FIRST, "2024-01-01"),
    "decimal": (Decimal("1.50"), "1.50"),
    "decimal nan": (Decimal("sNaN"), None),
    "decimal infinity": (Decimal("-Infinity"), None),
    "nan": (math.nan, None),
    "infinity": (-math.inf, None),
    "int64": (np.int64(7), 7),
    "uint8": (np.uint8(7), 7),
    "float32": (np.float32(0.5), 0.5),
    "long double": (np.longdouble(0.5), 0.5),
    "numpy bool": (np.bool_(True), True),
    "numpy nan": (np.float32("nan"), None),
    "array": (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    "array of nothing": (np.empty((0, 3)), []),
    "array of one": (np.array(5), 5),
    "array with nan": (np.array([1.5, np.nan]), [1.5, None]),
    "array of objects": (np.array([{1}, None], dtype=object), [[1], None]),
    "array of strings": (np.array(["a", "b"]), ["a", "b"]),
    "masked array": (np.ma.array([1, 2], mask=[0, 1]), [1, None]),
    "masked": (np.ma.masked, None),
    "structured": (np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])[0], [1, 2.5]),
    "datetime64 day": (np.datetime64("2024-01-05"), "2024-01-05"),
    "datetime64 month": (np.datetime64("2024-01"), "2024-01-01"),
    "datetime64 second": (np.datetime64("2024-01-05T10:30"), "2024-01-05T10:30:00"),
    "datetime64 of pandas": (np.datetime64("2024-01-05T10:30", "ns"), "2024-01-05T10:30:00"),
    "datetime64 micro": (
        np.datetime64("2024-01-05T10:30:00.5", "ns"),
        "2024-01-05T10:30:00.500000",
    ),
    "datetime64 nano": (
        np.datetime64("2024-01-05T10:30:00.123456789"),
        "2024-01-05T10:30:00.123456789",
    ),
    "datetime64 missing": (np.datetime64("NaT"), None),
    "timedelta64 missing": (np.timedelta64("NaT"), None),
    "times": (np.array(["2024-01-05", "NaT"], "M8[ns]"), ["2024-01-05T00:00:00", None]),
    "inside": ({"a": [{"b": {7: (dt.date(2024, 1, 5),)}}]}, {"a": [{"b": {"7": ["2024-01-05"]}}]}),
    "keys of many kinds": (
        {False: "c", 2.5: "b", None: "d", dt.date(2024, 1, 5): "e", UUID(int=1): "f"},
        {
            "false": "c",
            "2.5": "b",
            "null": "d",
            "2024-01-05": "e",
            "00000000-0000-0000-0000-000000000001": "f",
        },
    ),
    "numpy keys": ({np.int64(3): 1, np.datetime64("2024-01-05"): 2}, {"3": 1, "2024-01-05": 2}),
}
AS_THEY_ARE = {
    "string": "a",
    "str enum": Word.YES,
    "StrEnum": Kind.PDF,
    "str of its own": Text("a"),
    "numpy string": np.str_("a"),
    "int enum": Level.HIGH,
    "int of its own": Number(5),
    "bool": True,
    "float64": np.float64(0.25),
    "ordered": OrderedDict(a=1),
    "default": defaultdict(list, a=[1]),
    "proxy": MappingProxyType({"a": {"b": 1}}),
    "user": UserDict(a=1),
    "chain": ChainMap({"a": 1}, {"b": 2}),
    "largest": 2**63 - 1,
    "zero": -0.0,
}
