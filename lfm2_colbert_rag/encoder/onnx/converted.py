"""A checkpoint converted once and kept in the cache, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
from filelock import FileLock

from ..._support.cache_folder import CACHE_VARIABLE, cache_folder
from ..._support.disk import sync_file
from ..._support.progress import reporting
from ...errors import ConfigError
from ..cache import writable_cache
from ..checkpoint import Checkpoint
from .dtypes import ONNX_DTYPES, OnnxDType

logger = logging.getLogger(__name__)

GRAPH_FILE = "model.onnx"
DATA_FILE = "model.onnx.data"

_FORMAT = 1  # raise it when the graph changes, so that no old one is taken from a cache
_LONG = 100_000_000  # bytes of weights from which a person wants to see something happen


def find_or_convert(checkpoint: Checkpoint, dtype: OnnxDType) -> Path:
    """Return a checkpoint's graph, converting it if that was never done on this machine.

    Args:
        checkpoint: one whose backbone has a graph.
        dtype: of the weights.

    Returns:
        The graph's file; its weights lie beside it.

    Raises:
        ModelFormatError: the backbone has no graph, or the weights do not fit it.
        ConfigError: no such dtype, or the cache folder has no room, or was chosen and cannot be
            written.
    """
    exported = exported_graph(checkpoint.folder, checkpoint, dtype)
    if exported is not None:
        return exported
    folder = cache_folder() / "onnx" / graph_key(checkpoint, dtype)
    with suppress(OSError):  # a cache that may not be searched
        if (folder / GRAPH_FILE).is_file():
            return folder / GRAPH_FILE
    try:
        folder = writable_cache("onnx") / folder.name
        # Two processes that start together convert once; the second waits for the first.
        with FileLock(folder.with_suffix(".lock")):
            if not (folder / GRAPH_FILE).is_file():
                for left in folder.parent.glob(f".{folder.name}-*"):  # by a process that was killed
                    shutil.rmtree(left)
                write_graph(checkpoint, dtype, folder)
    except OSError as error:
        raise ConfigError(
            f"The model cannot be converted into {folder.parent}: {error.strerror or error}. Set "
            f"{CACHE_VARIABLE} to a folder that can be written and has room for "
            f"{_room(checkpoint, dtype) / 1e6:,.0f} MB, or export the model elsewhere "
            "(`lfm2-colbert export-model`) and use that folder."
        ) from error
    return folder / GRAPH_FILE


def forget_graphs(checkpoint: Checkpoint) -> int:
    """Remove what the cache holds of a checkpoint, whose weights may be somebody's secret.

    Returns:
        How many graphs were removed.

    Raises:
        ModelFormatError: the backbone has no graph.
        OSError: a folder cannot be removed.
    """
    keys = [graph_key(checkpoint, dtype) for dtype in ONNX_DTYPES]
    found = [folder for key in keys if (folder := cache_folder() / "onnx" / key).is_dir()]
    for folder in found:
        shutil.rmtree(folder)
        folder.with_suffix(".lock").unlink(missing_ok=True)
    return len(found)


def graph_key(checkpoint: Checkpoint, dtype: OnnxDType) -> str:
    """Name a graph by all that decides it: weights, shape, dtype, and the way it is written.

    Raises:
        ModelFormatError: the backbone has no graph.
        ConfigError: no such dtype.
    """
    if dtype not in ONNX_DTYPES:
        raise ConfigError(f"dtype must be one of {list(ONNX_DTYPES)}, not {dtype!r}.")
    decisive = {
        "format": _FORMAT,
        "dtype": dtype,
        "weights": checkpoint.fingerprint["weights"],
        "backbone": asdict(checkpoint.graph_config),
        "heads": [{**asdict(head), "folder": ""} for head in checkpoint.heads],
        "masked_positions": checkpoint.framing.masked_positions,
    }
    text = json.dumps(decisive, sort_keys=True)
    return f"{dtype}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def exported_graph(folder: Path, checkpoint: Checkpoint, dtype: OnnxDType) -> Path | None:
    """Return the graph that an exported model carries with it, if it is the one asked for."""
    path = folder / "onnx" / graph_key(checkpoint, dtype) / GRAPH_FILE
    return path if path.is_file() else None


def write_graph(checkpoint: Checkpoint, dtype: OnnxDType, folder: Path) -> None:
    """Convert a checkpoint into a new folder, which appears whole or not at all.

    Memory stays near that of the largest matrix, whatever the size of the checkpoint.

    Raises:
        ModelFormatError: the weights do not fit the configuration.
        OSError: the folder cannot be written.
    """
    # Imported here: onnx and its protobuf are needed once in a model's life on a machine.
    from .graph import Graph
    from .layers import ATTENTION_MASK, INPUT_IDS, VECTORS, precision_of
    from .model_graph import build_model

    started = time.perf_counter()
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    size = sum(file.stat().st_size for file in checkpoint.backbone_files)
    logger.info("converting %s to ONNX (%s), once", checkpoint.folder, dtype)
    try:
        with (
            Graph(scratch / DATA_FILE) as graph,
            reporting(
                None if size >= _LONG else False,
                checkpoint.graph_config.num_layers + 2,
                "converting the model, once",
            ) as report,
        ):
            build_model(graph, checkpoint, precision_of(dtype), report)
            shape = ("batch", "length")
            graph.save(
                scratch / GRAPH_FILE,
                inputs=[(INPUT_IDS, "int64", shape), (ATTENTION_MASK, "bool", shape)],
                output=(VECTORS, "float32", (*shape, checkpoint.dim)),
            )
        for file in scratch.iterdir():
            sync_file(file)
        scratch.chmod(0o755)
        scratch.rename(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    logger.info("converted in %.1f s", time.perf_counter() - started)


def _room(checkpoint: Checkpoint, dtype: OnnxDType) -> int:
    """Estimate the bytes of a graph."""
    weights = sum(int(np.prod(tensor.shape)) for tensor in checkpoint.backbone_tensors().values())
    return weights * {"int8": 1, "float32": 4, "float16": 2, "bfloat16": 2}[dtype]
