"""An index as plain files, for whatever reads JSON and NumPy's arrays; see :mod:`.dumps.own`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..._support.progress import ProgressLike, reporting
from ...errors import ConfigError
from ...filters import And
from ..atomic import new_folder
from ..catalog import Catalog
from ..store import Snapshot, Store
from .export_files import ExportFiles
from .own import ADAPTER

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
    if dtype not in ("float16", "float32"):
        raise ConfigError(f"dtype must be 'float16' or 'float32', not {dtype!r}.")
    snapshot = store.snapshot()
    rows = store.catalog.select(And(()), snapshot.generation).tolist()
    with new_folder(target) as folder, reporting(progress, len(rows), "exporting") as report:
        with ExportFiles(folder, snapshot.settings.dim, dtype) as files:
            for start in range(0, len(rows), _BLOCK):
                block = rows[start : start + _BLOCK]
                _write_block(files, block, store.catalog, snapshot)
                report(len(block))
            files.finish(_describe(snapshot))
        if snapshot.adapter is not None:
            (folder / ADAPTER).write_bytes(snapshot.adapter.to_bytes())
    return len(rows)


def _write_block(files: ExportFiles, rows: list[int], catalog: Catalog, snapshot: Snapshot) -> None:
    passages = catalog.passages(rows)
    for row in rows:
        files.add(passages[row], list(snapshot.segments.windows(row)))


def _describe(snapshot: Snapshot) -> dict[str, Any]:
    settings = snapshot.settings
    return {
        "model": settings.model,
        "pool_factor": settings.pool_factor,
        "pool_fit": settings.pool_fit,
        "query_adapter": None if snapshot.adapter is None else snapshot.adapter.summary,
        "generation": snapshot.generation,
    }
