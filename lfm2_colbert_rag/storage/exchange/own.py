"""Our own exports: an index as plain files.

============== ============================ ====================================================
file           shape and dtype              content
============== ============================ ====================================================
passages.jsonl a line a passage             id, text and metadata
token_counts   ``(passages,)`` int64        vectors of each passage
vectors        ``(tokens, dim)``            vectors of all passages, end to end
token_ids      ``(tokens,)`` int32          vocabulary id of each vector; -1 where it is unknown
spans          ``(tokens, 2)`` int32        characters of the passage that each stands for
windows        ``(windows, 4)`` int64       of each window: its passage, counted from 0; its first
                                            character, and the one after its last; its vectors
export.json    an object                    model, width and number of everything
query_adapter  ``.safetensors``             the map of questions, where the index has one;
                                            ``Retriever.migrate`` takes the folder
============== ============================ ====================================================
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._support.regular import open_regular
from ..._support.safe_json import parse_json
from ...errors import InputError
from ...types import Passage, TokenVectors, Window
from .dump import Dump, load_array, load_json, readable, to_offsets
from .given_vectors import GivenVectors

FORMAT = "lfm2-colbert-export"
VERSION = 1
DESCRIPTION = "export.json"
PASSAGES = "passages.jsonl"
ADAPTER = "query_adapter.safetensors"
ARRAYS = ("vectors", "token_ids", "spans", "token_counts", "windows")


def is_export(path: Path) -> bool:
    """Tell whether a folder is one of our exports."""
    return (path / DESCRIPTION).is_file()


def open_export(path: Path) -> Dump:
    """Open one of our exports, with its texts.

    Raises:
        InputError: a file is missing, truncated, or says something else than the others.
    """
    described = load_json(path / DESCRIPTION)
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        raise InputError(f"{path / DESCRIPTION} does not describe an export of this library.")
    if described.get("version") != VERSION:
        raise InputError(
            f"{path} is an export of version {described.get('version')!r}; this version of the "
            f"library reads {VERSION}. Export it again."
        )
    with readable(path / PASSAGES):
        passages = _read_passages(path / PASSAGES)
    with readable(path / DESCRIPTION):
        expected = {name: int(described[name]) for name in ("passages", "windows", "vectors")}
        dim = int(described["dim"])
    arrays = _load_arrays(path, expected, dim)
    if len(passages) != expected["passages"]:
        raise InputError(
            f"{path / PASSAGES} holds {len(passages):,} passages, but {DESCRIPTION} says "
            f"{expected['passages']:,}; it is truncated. Export the index again."
        )
    ids = [passage.id for passage in passages]
    return Dump(
        path, "an export", len(passages), dim, lambda: _read(arrays, len(ids)), ids, passages
    )


def _read_passages(path: Path) -> list[Passage]:
    with io.TextIOWrapper(open_regular(path), encoding="utf-8", newline="\n") as lines:
        fields = [parse_json(line) for line in lines]
    # Whoever adds them checks them, so that they stay in step with their vectors.
    return [Passage(one["id"], one["text"], one["metadata"]) for one in fields]


def _load_arrays(path: Path, expected: dict[str, int], dim: int) -> dict[str, npt.NDArray[Any]]:
    vectors, windows = expected["vectors"], expected["windows"]
    shapes = ((vectors, dim), (vectors,), (vectors, 2), (expected["passages"],), (windows, 4))
    arrays = {
        name: load_array(path / f"{name}.npy", "f" if name == "vectors" else "iu", shape)
        for name, shape in zip(ARRAYS, shapes, strict=True)
    }
    # Unsigned numbers would make a step back one far ahead.
    arrays["windows"] = table = arrays["windows"].astype(np.int64)
    places, counts = table[:, 0], table[:, 3]
    ascend = not (np.diff(places, prepend=0, append=expected["passages"]) < 0).any()
    if not ascend or to_offsets(counts, path / "windows.npy")[-1] != vectors:
        raise InputError(
            f"{path / 'windows.npy'} does not cover the {vectors:,} vectors passage by passage; "
            "export the index again."
        )
    held = np.bincount(places, counts, expected["passages"])
    if (held[: expected["passages"]] != arrays["token_counts"]).any() or len(held) > len(
        arrays["token_counts"]
    ):
        raise InputError(
            f"{path / 'token_counts.npy'} and windows.npy disagree; export the index again."
        )
    return arrays


def _read(arrays: dict[str, npt.NDArray[Any]], passages: int) -> Iterator[GivenVectors]:
    table = arrays["windows"]
    offsets = to_offsets(table[:, 3], Path("windows.npy"))
    firsts = np.searchsorted(table[:, 0], np.arange(passages + 1))
    for first, last in pairwise(firsts.tolist()):
        yield [
            Window(
                (int(table[i, 1]), int(table[i, 2])),
                _encoded(arrays, slice(int(offsets[i]), int(offsets[i + 1]))),
            )
            for i in range(first, last)
        ]


def _encoded(arrays: dict[str, npt.NDArray[Any]], part: slice) -> TokenVectors:
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused then
        vectors = arrays["vectors"][part].astype(np.float32)
    return TokenVectors(
        vectors, _narrowed(arrays, "token_ids", part), _narrowed(arrays, "spans", part)
    )


def _narrowed(arrays: dict[str, npt.NDArray[Any]], name: str, part: slice) -> npt.NDArray[np.int32]:
    values = arrays[name][part]
    limits = np.iinfo(np.int32)
    if values.size and not limits.min <= values.min() <= values.max() <= limits.max:
        raise InputError(
            f"{name}.npy holds {values.min()} and {values.max()}; they must fit into 32 bits."
        )
    return values.astype(np.int32)
