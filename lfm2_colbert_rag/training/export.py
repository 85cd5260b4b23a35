"""An adapted model as a folder: the original's files, with the trained weights in their places.

Every tensor that was not trained stays as it is, byte for byte, and every one that was has the
dtype it had: an embedding table in 4 bits, and matrices of whole numbers with a scale a row.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ..encoder.checkpoint import Checkpoint, StoredTensor
from ..encoder.onnx.converted import graph_key, write_graph
from ..encoder.onnx.dtypes import OnnxDType
from ..encoder.onnx.model_export import settings_files
from ..encoder.query_adapter import FILE as QUERY_ADAPTER
from ..encoder.query_adapter import QueryAdapter
from ..encoder.rounding import quantize_rows, to_float_type
from ..encoder.weights import SHARD_INDEX, mapped, require_finite
from ..errors import ConfigError
from ..retriever.maintenance.migration import VERDICT
from .card import FILE as CARD

_OF_THE_ORIGINAL = frozenset({CARD, QUERY_ADAPTER, VERDICT})
"""What is said of the original, and holds for nothing else."""
_GRAPH: OnnxDType = "int8"
_WHOLE = 127


def places_of(checkpoint: Checkpoint) -> dict[str, StoredTensor]:
    """Return where each tensor lies, by the names of a :class:`~.torch_engine.TokenEmbedder`."""
    found = {f"backbone.{name}": one for name, one in checkpoint.backbone_tensors().items()}
    for number, head in enumerate(checkpoint.head_tensors()):
        found |= {f"heads.{number}.{name}": one for name, one in head.items()}
    return found


def require_places(checkpoint: Checkpoint, names: list[str]) -> None:
    """Refuse tensors that cannot be written anew.

    Raises:
        ConfigError: one is stored in 4 bits, too few for what training changes.
    """
    places = places_of(checkpoint)
    packed = [name for name in names if places[name].dtype == "U8"]
    if packed:
        raise ConfigError(
            f"{packed[0]!r} of {checkpoint.folder} is stored in 4 bits, too few for what training "
            "changes. Train the model that it was made from, or use method='query'."
        )


def export(checkpoint: Checkpoint, trained: Mapping[str, Tensor], folder: Path) -> Checkpoint:
    """Write a model into an empty folder.

    The graph that ONNX Runtime runs is written there, too, so that none of a private model is
    left in the user's cache.

    Args:
        checkpoint: the original.
        trained: the weights that have changed, by the names of a ``TokenEmbedder``.
        folder: where to.

    Returns:
        The new model's checkpoint.

    Raises:
        OSError: it cannot be written.
        ModelFormatError: a weight is beyond the numbers of its dtype.
    """
    for source in (*settings_files(checkpoint), *_weights(checkpoint)):
        copy = folder / source.relative_to(checkpoint.folder)
        if source.name not in _OF_THE_ORIGINAL:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    places = places_of(checkpoint)
    for name, values in trained.items():
        place = places[name]
        here = replace(place, file=folder / place.file.relative_to(checkpoint.folder))
        _overwrite(here, values.float().cpu().numpy())
    made = Checkpoint.read(folder, masked_positions=checkpoint.framing.masked_positions)
    (folder / "onnx").mkdir(exist_ok=True)
    write_graph(made, _GRAPH, folder / "onnx" / graph_key(made, _GRAPH))
    _pass_on_adapter(checkpoint, made)
    return made


def _weights(checkpoint: Checkpoint) -> list[Path]:
    """Return the files of weights, and those that say which of several holds what."""
    of_heads = [file for files in checkpoint.head_files for file in files]
    files = [*checkpoint.backbone_files, *of_heads]
    lists = [file.with_name(SHARD_INDEX) for file in files]
    return list(dict.fromkeys([*files, *(one for one in lists if one.is_file())]))


def _overwrite(place: StoredTensor, values: npt.NDArray[np.float32]) -> None:
    """Write a tensor where one of its dtype and shape lies."""
    require_finite(place, bool(np.isfinite(values).all()))
    stored = mapped(place.file, place.key, "r+")
    if place.scale_key is not None:
        integers, scale = quantize_rows(values, _WHOLE)
        stored[...] = integers
        scales = mapped(place.file, place.scale_key, "r+")
        scales[...] = scale[:, None]
    elif place.dtype == "BF16":
        stored[...] = to_float_type(values, "bfloat16")
    else:
        with np.errstate(over="ignore"):
            stored[...] = values
        require_finite(place, bool(np.isfinite(stored).all()))


def _pass_on_adapter(original: Checkpoint, made: Checkpoint) -> None:
    """Give a model the query adapter that its original came with.

    It takes out of questions what tells languages apart. Training turns these directions little:
    questions in one language are among one another what they were.
    """
    source = original.folder / QUERY_ADAPTER
    if source.is_file():
        own = QueryAdapter.read(source)
        origin = {**own.origin, "summary": f"{own.summary}, as of the original model"}
        weights = str(made.fingerprint["weights"])
        replace(own, weights=weights, origin=origin).save(made.folder / QUERY_ADAPTER)
