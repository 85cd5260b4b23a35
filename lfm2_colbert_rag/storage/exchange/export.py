"""An index as plain files, for whatever reads JSON and NumPy's arrays; see :mod:`.dumps.own`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..._support.progress import ProgressLike, reporting
from ...errors import ConfigError
from ...filters import And
from ...types import Passage, Window
from ..atomic import new_folder
from ..catalog import Catalog
from ..store import Snapshot, Store
from .export_files import ExportFiles
from .own import ADAPTER

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
        with ExportFiles(folder, settings.dim, dtype) as files:
            for passage, windows in passages:
                files.add(passage, windows)
                report(1)
            numbers = files.finish(_describe(settings, adapter, generation))
        if adapter is not None:
            (folder / ADAPTER).write_bytes(adapter.to_bytes())
    return numbers["passages"]


def _stored(
    rows: list[int], catalog: Catalog, snapshot: Snapshot
) -> Iterator[tuple[Passage, list[Window]]]:
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        passages = catalog.passages(block)
        for row in block:
            yield passages[row], list(snapshot.segments.windows(row))


def _describe(
    settings: IndexSettings, adapter: QueryAdapter | None, generation: int
) -> dict[str, Any]:
    return {
        "model": settings.model,
        "pool_factor": settings.pool_factor,
        "pool_fit": settings.pool_fit,
        "query_adapter": None if adapter is None else adapter.summary,
        "generation": generation,
    }
