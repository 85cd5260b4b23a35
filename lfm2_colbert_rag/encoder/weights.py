"""Safetensors files of a checkpoint: which tensors there are, and their values, block by block."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeGuard

import numpy as np
import numpy.typing as npt

from .._support.safe_json import JsonError, parse_json
from ..errors import ModelFormatError
from .cache import remembered
from .jsonfiles import read_json
from .model_files import require_file

SINGLE_FILE = "model.safetensors"
SHARD_INDEX = "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")

SCALE_SUFFIX = "_scale"
"""A matrix ``X`` of whole numbers comes with ``X_scale`` and means ``X * X_scale``.

``"I8"``: a number a byte, a scale a row: ``(rows, 1)``. ``"U8"``: two numbers of 4 bits a byte, -8
to 7 stored as 0 to 15, the lower half first, and ``(rows, groups)`` scales, each for as many
neighbouring columns.
"""

_NUMBERS_OF_POSITIONS = "position_ids"  # old versions of transformers stored 0, 1, 2, … as well

# The norms of BERT, as old checkpoints and those that version 5.3 of transformers saved call them.
_OLD_ENDINGS = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}

# What the safetensors library takes at most, too.
_LONGEST_HEADER = 100_000_000
_FLOATS = frozenset({"F64", "F32", "F16", "BF16"})


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies, and what it is.

    Attributes:
        file: the safetensors file.
        key: its name in that file.
        dtype: as safetensors spells it: ``"F32"``, ``"BF16"``, ``"F16"``, ``"I8"`` or ``"U8"``.
        shape: its sizes; for ``"U8"`` those of the matrix that is packed into it.
        scale_key: for whole numbers, name of the float tensor to multiply by (``SCALE_SUFFIX``).
    """

    file: Path
    key: str
    dtype: str
    shape: tuple[int, ...]
    scale_key: str | None = None


def find_weight_files(folder: Path) -> tuple[Path, ...]:
    """List the safetensors files of a module's folder, shards in name order.

    Raises:
        ModelFormatError: there are none, a shard is missing, or the weights are pickled.
    """
    if (folder / SINGLE_FILE).is_file():
        return (require_file(folder / SINGLE_FILE),)
    if (folder / SHARD_INDEX).is_file():
        return _shards(folder)
    pickled = [name for name in PICKLES if (folder / name).exists()]
    if pickled:
        raise ModelFormatError(
            f"{folder / pickled[0]} is a pickle, which can run code when it is read, so it is "
            f"refused. Convert it: load it where you trust it and save it again with "
            f"safe_serialization=True, which writes {SINGLE_FILE}."
        )
    raise ModelFormatError(f"{folder} holds no weights: neither {SINGLE_FILE} nor {SHARD_INDEX}.")


def _shards(folder: Path) -> tuple[Path, ...]:
    index = read_json(folder / SHARD_INDEX)
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelFormatError(f"{folder / SHARD_INDEX} has no 'weight_map'.")
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        # A shard must be a file of this very folder: an index is not to reach out of it.
        if Path(name).name != name or not (folder / name).is_file():
            raise ModelFormatError(
                f"{folder / SHARD_INDEX} names the shard {name!r}, which is not in the folder. "
                "Download the model again."
            )
    return tuple(require_file(folder / name) for name in names)


def stored_tensors(files: Iterable[Path], prefix: str = "model.") -> Mapping[str, StoredTensor]:
    """Describe the tensors of some safetensors files, by name.

    The scale of a matrix of whole numbers is listed with its matrix.

    Args:
        files: the files.
        prefix: what is dropped where a name begins with it.

    Raises:
        ModelFormatError: a file is damaged, a name occurs twice, or a dtype is not supported.
    """
    found: dict[str, StoredTensor] = {}
    for file in files:
        for tensor in _read_header(file):
            name = _usual_name(tensor.key.removeprefix(prefix))
            if name.endswith(_NUMBERS_OF_POSITIONS):
                continue
            if name in found:
                raise ModelFormatError(
                    f"The tensor {name!r} is both in {found[name].file} and in {file}."
                )
            found[name] = tensor
    return _with_scales(found)


def _usual_name(name: str) -> str:
    for old, new in _OLD_ENDINGS.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _read_header(file: Path) -> list[StoredTensor]:
    try:
        header = _header(file, file.stat().st_mtime_ns)
    except OSError as error:
        raise _damaged(file, error) from error
    return [
        StoredTensor(file, key, entry["dtype"], tuple(entry["shape"]))
        for key, entry in header.items()
    ]


def _damaged(file: Path, error: object) -> ModelFormatError:
    return ModelFormatError(
        f"{file} cannot be read as safetensors ({error}). Download the model again."
    )


def _with_scales(found: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    tensors: dict[str, StoredTensor] = {}
    for name, tensor in found.items():
        if name.endswith(SCALE_SUFFIX) and _is_whole(found.get(name.removesuffix(SCALE_SUFFIX))):
            continue
        if tensor.dtype in _FLOATS:
            tensors[name] = tensor
            continue
        scale = found.get(name + SCALE_SUFFIX)
        if not _is_whole(tensor) or scale is None:
            raise ModelFormatError(
                f"The tensor {name!r} of {tensor.file} has the dtype {tensor.dtype}; supported are "
                f"{sorted(_FLOATS)}, and I8 or U8 together with a tensor {name + SCALE_SUFFIX!r}."
            )
        tensors[name] = _scaled(name, tensor, scale)
    return tensors


def _scaled(name: str, tensor: StoredTensor, scale: StoredTensor) -> StoredTensor:
    """Join whole numbers with their scales.

    Raises:
        ModelFormatError: the scales lie in another file, or do not fit.
    """
    rows, shape = tensor.shape[0], tensor.shape
    if tensor.dtype == "U8":
        shape = (rows, 2 * tensor.shape[-1])
        groups = scale.shape[-1] if scale.shape else 0
        fits = len(tensor.shape) == 2 and groups > 0 and shape[1] % groups == 0
        wanted = f"({rows}, a divisor of {shape[1]})"
        fits = fits and scale.shape == (rows, groups)
    else:
        wanted, fits = f"({rows}, 1)", scale.shape == (rows, 1)
    if scale.file != tensor.file or not fits:
        raise ModelFormatError(
            f"{name + SCALE_SUFFIX!r} must lie in {tensor.file} and have the shape "
            f"{wanted}; it lies in {scale.file} and has {scale.shape}."
        )
    return StoredTensor(tensor.file, tensor.key, tensor.dtype, shape, scale.key)


def check_tensors(
    stored: Mapping[str, StoredTensor], wanted: Mapping[str, tuple[int, ...]], folder: Path
) -> None:
    """Compare the tensors that there are with those that a configuration asks for.

    Args:
        stored: the tensors by name; the output layer of a language model, which is tied to the
            embedding and not needed here, may be among them.
        wanted: shapes by name.
        folder: the checkpoint, for the message.

    Raises:
        ModelFormatError: tensors are missing, unexpected, or of the wrong shape.
    """
    found = {name: tensor.shape for name, tensor in stored.items() if name != "lm_head.weight"}
    missing, unexpected = sorted(wanted.keys() - found), sorted(found.keys() - wanted)
    resized = [
        f"{name} has {found[name]}, not {wanted[name]}"
        for name in sorted(wanted.keys() & found.keys())
        if found[name] != wanted[name]
    ]
    problems = [
        f"{what}: {', '.join(names[:5])}" + (f" and {len(names) - 5} more" if names[5:] else "")
        for what, names in (
            ("missing tensors", missing),
            ("unexpected tensors", unexpected),
            ("wrong shapes", resized),
        )
        if names
    ]
    if problems:
        raise ModelFormatError(
            f"The weights of {folder} do not fit its configuration; {'; '.join(problems)}."
        )


def _is_whole(tensor: StoredTensor | None) -> bool:
    return tensor is not None and tensor.dtype in ("I8", "U8")


def digest(files: Iterable[Path]) -> str:
    """Hash the contents of files, in the order given, to 64 hexadecimal digits (SHA-256).

    Files that have not changed since they were last hashed are not read again.
    """
    total = hashlib.sha256()
    for file in files:
        stat = file.stat()
        total.update(_digest_file(file.resolve(), stat.st_mtime_ns, stat.st_size))
    return total.hexdigest()


@lru_cache(maxsize=256)
def _digest_file(file: Path, mtime_ns: int, size: int) -> bytes:
    def compute() -> bytes:
        hasher = hashlib.sha256()
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                hasher.update(block)
        return hasher.digest()

    return remembered(file, compute)


def read_array(tensor: StoredTensor) -> npt.NDArray[np.float32]:
    """Read a whole tensor as float32, with numpy alone.

    Raises:
        ModelFormatError: the file is damaged.
    """
    if not tensor.shape:
        raise ModelFormatError(f"The tensor {tensor.key!r} of {tensor.file} is a scalar.")
    return read_rows(tensor, 0, tensor.shape[0])


def read_rows(tensor: StoredTensor, start: int, stop: int) -> npt.NDArray[np.float32]:
    """Read rows ``start`` to ``stop`` (or to the last) of a tensor as float32.

    Only those rows are held in memory.

    Raises:
        ModelFormatError: the file is damaged, or the rows hold NaN or infinity.
    """
    values = _read_rows(tensor, start, stop)
    require_finite(tensor, bool(np.isfinite(values).all()))
    return values


def require_finite(tensor: StoredTensor, finite: bool) -> None:
    """Refuse a tensor that makes every vector NaN, which nobody would be told of.

    Raises:
        ModelFormatError: it holds NaN or infinity.
    """
    if not finite:
        raise ModelFormatError(
            f"The tensor {tensor.key!r} of {tensor.file} holds NaN or infinity, so the model can "
            "give no vectors. Its training went wrong, or the file is damaged: download it again."
        )


def _read_rows(tensor: StoredTensor, start: int, stop: int) -> npt.NDArray[np.float32]:
    rows = mapped(tensor.file, tensor.key)[start:stop]
    if tensor.dtype == "BF16":  # numpy knows no bfloat16: it is the upper half of a float32
        return (rows.astype(np.uint32) << 16).view(np.float32)
    if tensor.scale_key is None:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
            return rows.astype(np.float32)
    scale = mapped(tensor.file, tensor.scale_key)[start:stop].astype(np.float32)
    if tensor.dtype == "I8":
        return rows.astype(np.float32) * scale
    halves = np.stack((rows & 15, rows >> 4), axis=-1).astype(np.float32) - 8
    grouped = halves.reshape(*scale.shape, -1) * scale[:, :, None]
    return grouped.reshape(len(rows), -1)


_NUMPY_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I8": "|i1", "U8": "|u1"}


def mapped(file: Path, key: str, mode: Literal["r", "r+"] = "r") -> npt.NDArray[Any]:
    """Map one tensor of a file, as it is stored; bfloat16 as its bits.

    The library reads a tensor only whole, and no bfloat16 into numpy. The file's layout is
    described with the safetensors format.

    Args:
        file: the file.
        key: the tensor's name in it.
        mode: ``"r+"`` to write what is there anew, in its dtype.
    """
    entry = _header(file, file.stat().st_mtime_ns)[key]
    shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
    if begin == end:
        return np.zeros(shape, dtype=_NUMPY_TYPES[entry["dtype"]])
    return np.memmap(file, dtype=_NUMPY_TYPES[entry["dtype"]], mode=mode, offset=begin, shape=shape)


@lru_cache(maxsize=64)
def _header(file: Path, mtime_ns: int) -> dict[str, Any]:
    """Read where each tensor of a file lies, in bytes from the file's beginning.

    What the header says is compared with the size of the file before anything is made of it.
    """
    with file.open("rb") as stream:
        total = os.fstat(stream.fileno()).st_size
        size = int.from_bytes(stream.read(8), "little")
        if not 0 < size <= min(total - 8, _LONGEST_HEADER):
            raise _damaged(file, f"its header is said to have {size:,} bytes")
        try:
            header = parse_json(stream.read(size))
        except JsonError as error:
            raise _damaged(file, f"its header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise _damaged(file, "its header is no JSON object")
    header.pop("__metadata__", None)
    for key, entry in header.items():
        if not _is_entry(entry, total - 8 - size):
            raise _damaged(file, f"what it says of the tensor {key!r:.100} cannot be")
        entry["data_offsets"] = [8 + size + offset for offset in entry["data_offsets"]]
    return header


def _is_entry(entry: Any, room: int) -> bool:
    """Tell whether a header's entry is one, and its tensor has as many bytes as it says."""
    if not isinstance(entry, dict) or not isinstance(entry.get("dtype"), str):
        return False
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2 or len(shape) > 8:
        return False
    begin, end = offsets
    known = _NUMPY_TYPES.get(entry["dtype"])
    fits = known is None or math.prod(shape) * np.dtype(known).itemsize == end - begin
    return bool(begin <= end <= room and fits)


def _are_sizes(values: Any) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(one) is int and one >= 0 for one in values)
