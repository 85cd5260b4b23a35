"""An index as plain files, for whatever reads JSON and NumPy's arrays; see :mod:`.dumps.own`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ..._support.progress import ProgressLike, reporting
from ...errors import ConfigError
from ...filters import And
from ...index.arrays import ArrayFile
from ...types import Passage, Window
from ..atomic import new_folder
from ..catalog import Catalog
from ..store import Snapshot, Store
from .own import ADAPTER, ARRAYS, DESCRIPTION, FORMAT, PASSAGES, VERSION

if TYPE_CHECKING:
    from ...encoder.query_adapter import QueryAdapter
    from ..settings import IndexSettings

ExportDType: TypeAlias = Literal["float16", "float32"]

_BLOCK = 256  # passages whose texts are read together


def export_index(
    store: Store,
    target: Path,
    *,
    dtype: ExportDType = "float16",
    progress: ProgressLike = None,
) -> int:
    """Write one generation into a new folder; no more than a few passages are held.

    Args:
        store: the index.
        target: the new folder.
        dtype: of the vectors; float16 is what an index holds, float32 what most tools expect.
        progress: see ``Retriever.add``.

    Returns:
        The number of passages.

    Raises:
        ConfigError: another dtype.
        IndexExistsError: the target is taken.
        StorageFullError: the disk is full; nothing is left behind.
    """
    snapshot = store.snapshot()
    rows = store.catalog.select(And(()), snapshot.generation).tolist()
    return write_export(
        target,
        _stored(rows, store.catalog, snapshot),
        snapshot.settings,
        total=len(rows),
        adapter=snapshot.adapter,
        generation=snapshot.generation,
        dtype=dtype,
        progress=progress,
    )


def write_export(
    target: Path,
    passages: Iterable[tuple[Passage, list[Window]]],
    settings: IndexSettings,
    *,
    total: int,
    adapter: QueryAdapter | None = None,
    generation: int = 0,
    dtype: ExportDType = "float16",
    progress: ProgressLike = None,
) -> int:
    """Write passages and their windows into a new folder; none but the last is held.

    Args:
        target: the new folder.
        passages: each with its windows.
        settings: of the index that they are of.
        total: how many there will be, more or less.
        adapter: the index's query adapter; None where it has none.
        generation: that is written.
        dtype: of the vectors.
        progress: see ``Retriever.add``.

    Returns:
        The number of passages.

    Raises:
        ConfigError: another dtype.
        IndexExistsError: the target is taken.
        StorageFullError: the disk is full; nothing is left behind.
    """
    if dtype not in ("float16", "float32"):
        raise ConfigError(f"dtype must be 'float16' or 'float32', not {dtype!r}.")
    with new_folder(target) as folder, reporting(progress, total, "exporting") as report:
        with _Files(folder, settings.dim, dtype) as files:
            for passage, windows in passages:
                files.add(passage, windows)
                report(1)
            numbers = files.finish()
        if adapter is not None:
            (folder / ADAPTER).write_bytes(adapter.to_bytes())
        described = _describe(settings, adapter, generation, dtype, numbers)
        (folder / DESCRIPTION).write_text(json.dumps(described, indent=2) + "\n", "utf-8")
    return numbers["passages"]


class _Files:
    """The files of an export in the making."""

    def __init__(self, folder: Path, dim: int, vectors: str) -> None:
        kinds: tuple[tuple[np.dtype[Any], tuple[int, ...]], ...] = (
            (np.dtype(vectors), (dim,)),
            (np.dtype(np.int32), ()),
            (np.dtype(np.int32), (2,)),
            (np.dtype(np.int64), ()),
            (np.dtype(np.int64), (4,)),
        )
        with ExitStack() as opened:
            self._lines = opened.enter_context(
                (folder / PASSAGES).open("w", encoding="utf-8", newline="\n")
            )
            self._arrays = {
                name: opened.enter_context(ArrayFile(folder, name, dtype, *width))
                for name, (dtype, width) in zip(ARRAYS, kinds, strict=True)
            }
            self._opened = opened.pop_all()

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def add(self, passage: Passage, windows: list[Window]) -> None:
        """Write a passage, and the vectors of its windows."""
        fields = {"id": passage.id, "text": passage.text, "metadata": passage.metadata}
        self._lines.write(json.dumps(fields, ensure_ascii=False) + "\n")
        place = self._arrays["token_counts"].rows
        for window in windows:
            encoded = window.encoded
            self._arrays["vectors"].extend(encoded.vectors)
            self._arrays["token_ids"].extend(encoded.token_ids)
            self._arrays["spans"].extend(encoded.spans)
            self._arrays["windows"].extend(np.array([(place, *window.span, len(encoded))]))
        self._arrays["token_counts"].extend(np.array([sum(len(one.encoded) for one in windows)]))

    def finish(self) -> dict[str, int]:
        """Complete the arrays; returns how many passages, windows and vectors there are."""
        for array in self._arrays.values():
            array.finish(durable=False)
        return {
            "passages": self._arrays["token_counts"].rows,
            "windows": self._arrays["windows"].rows,
            "vectors": self._arrays["vectors"].rows,
        }


def _stored(
    rows: list[int], catalog: Catalog, snapshot: Snapshot
) -> Iterator[tuple[Passage, list[Window]]]:
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        passages = catalog.passages(block)
        for row in block:
            yield passages[row], list(snapshot.segments.windows(row))


def _describe(
    settings: IndexSettings,
    adapter: QueryAdapter | None,
    generation: int,
    dtype: str,
    numbers: Mapping[str, int],
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "model": settings.model,
        "dim": settings.dim,
        "dtype": dtype,
        "pool_factor": settings.pool_factor,
        "pool_fit": settings.pool_fit,
        "query_adapter": None if adapter is None else adapter.summary,
        "generation": generation,
        **numbers,
    }
