"""A model exported for serving: its settings, its tokenizer and its graph, and no other weights."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..._support.new_folder import new_folder
from ...errors import ConfigError, ModelFormatError
from ..checkpoint import EXPORT_FILE, Checkpoint
from ..hub import resolve_model
from ..query_adapter import FILE as QUERY_ADAPTER
from .converted import graph_key, write_graph
from .dtypes import ONNX_DTYPES, OnnxDType

_NOT_SETTINGS = {"model.safetensors.index.json", "pytorch_model.bin.index.json"}


def export_model(
    model: str | os.PathLike[str],
    into: str | os.PathLike[str],
    *,
    dtype: OnnxDType = "int8",
    revision: str | None = None,
) -> Path:
    """Write a model to a folder of its own, converted, ready to be loaded on any machine.

    The folder needs neither torch, nor the hub, nor a cache, and is as large as its weights in
    the dtype chosen: 360 MB for the 350M model in int8, where the checkpoint takes 1.4 GB. An
    index made with the checkpoint opens with the export, and the other way round.

    Args:
        model: ``"nano"``, a local folder or a hub id, with a backbone that runs without torch:
            LFM2, BERT, XLM-RoBERTa or ModernBERT.
        into: a folder that does not exist yet, or is empty.
        dtype: of the weights; see :func:`lfm2_colbert_rag.load_encoder`.
        revision: branch, tag or commit of a hub id.

    Returns:
        The folder, to be passed as ``model``.

    Raises:
        ModelNotFoundError: no such folder or hub id, or the hub is out of reach.
        ModelFormatError: the checkpoint is not one that can be converted.
        ConfigError: the dtype is unknown, or the folder is taken or cannot be written.

    Example:
        >>> export_model("LiquidAI/LFM2-ColBERT-350M", "colbert-int8")     # doctest: +SKIP
        PosixPath('colbert-int8')
    """
    if dtype not in ONNX_DTYPES:
        raise ConfigError(f"dtype must be one of {list(ONNX_DTYPES)}, not {dtype!r}.")
    checkpoint = Checkpoint.read(resolve_model(model, revision=revision))
    if not checkpoint.backbone_files:
        raise ModelFormatError(
            f"{checkpoint.folder} is an export itself; copy the folder, or export the checkpoint "
            "it was made from."
        )
    target = Path(into).expanduser()
    try:
        with new_folder(target) as folder:
            _fill(folder, checkpoint, dtype)
    except OSError as error:
        raise ConfigError(
            f"The model cannot be exported to {target}: {error.strerror or error}. Choose a "
            "folder that can be written and has room."
        ) from error
    return target


def _fill(folder: Path, checkpoint: Checkpoint, dtype: OnnxDType) -> None:
    for source in settings_files(checkpoint):
        copy = folder / source.relative_to(checkpoint.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    (folder / "onnx").mkdir()
    write_graph(checkpoint, dtype, folder / "onnx" / graph_key(checkpoint, dtype))
    manifest = {"weights": checkpoint.fingerprint["weights"], "dtype": dtype}
    (folder / EXPORT_FILE).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def settings_files(checkpoint: Checkpoint) -> Iterator[Path]:
    """List what a checkpoint has besides its weights: settings, tokenizer, card, query adapter."""
    parts = {checkpoint.folder, checkpoint.tokenizer_file.parent}
    parts.update(path for path in checkpoint.folder.iterdir() if path.is_dir())
    for part in sorted(parts):
        for path in sorted(part.iterdir()):
            wanted = path.suffix in (".json", ".txt", ".md") or path.name.startswith("LICENSE")
            wanted = wanted or path.name == QUERY_ADAPTER
            if path.is_file() and wanted and path.name not in _NOT_SETTINGS:
                yield path
