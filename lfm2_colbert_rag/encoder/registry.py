"""Which engine runs a model, and one encoder a process for each model and set of options."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from weakref import WeakValueDictionary

from .._support.extras import require
from .._support.forking import NO_FORK, renew_in_child
from ..errors import ConfigError
from .checkpoint import Checkpoint
from .config import MaskedPositions
from .engine import CheckpointEncoder

EngineName = Literal["auto", "onnx", "torch"]
DTypeName = Literal["int8", "float32", "float16", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How an encoder is to run; see :func:`lfm2_colbert_rag.encoder.load_encoder`."""

    engine: EngineName = "auto"
    device: str = "cpu"
    dtype: DTypeName | None = None
    threads: int | None = None
    batch_tokens: int | None = None
    query_cache: int | None = None
    masked_positions: MaskedPositions | None = None

    def __post_init__(self) -> None:
        """Refuse what no engine has."""
        if self.engine not in get_args(EngineName):
            raise ConfigError(
                f"engine must be one of {list(get_args(EngineName))}, not {self.engine!r}."
            )
        if self.dtype is not None and self.dtype not in get_args(DTypeName):
            raise ConfigError(
                f"dtype must be one of {list(get_args(DTypeName))}, not {self.dtype!r}."
            )
        if self.engine == "onnx" and self.device != "cpu":
            raise ConfigError(
                f"engine='onnx' runs on the CPU only, not on {self.device!r}; pass engine='torch'."
            )
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"threads must be 1 or more, not {self.threads}.")


_loaded: WeakValueDictionary[Any, CheckpointEncoder] = WeakValueDictionary()


class _Loading:
    """Lets one thread of the process load at a time."""

    def __init__(self) -> None:
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self.lock = threading.Lock()


_loading = _Loading()


def shared_encoder(folder: Path, name: str, options: Options) -> CheckpointEncoder:
    """Return the encoder of a folder, loading it if no one in this process holds it already.

    Encoders keep nothing between calls but a cache of queries, so nobody notices the sharing
    but the memory.

    Raises:
        ModelFormatError: the checkpoint is not one that can be run.
        MissingExtraError: it needs torch, which is not installed.
        ConfigError: the options do not fit the engine.
    """
    checkpoint = Checkpoint.read(folder, masked_positions=options.masked_positions)
    # The fingerprint is part of the key: a folder that was written anew is another model.
    key = (name, folder, tuple(sorted(checkpoint.fingerprint.items())), options)
    with NO_FORK, _loading.lock:
        encoder = _loaded.get(key)
        if encoder is None:
            _loaded[key] = encoder = _load(checkpoint, name, options)
            encoder.made_by = shared_encoder, (folder, name, options)
    return encoder


def _load(checkpoint: Checkpoint, name: str, options: Options) -> CheckpointEncoder:
    given = {key: value for key, value in asdict(options).items() if value is not None}
    for consumed in ("engine", "masked_positions"):
        given.pop(consumed, None)
    if _runs_on_onnx(checkpoint, options):
        del given["device"]
        return _load_onnx(checkpoint, name, given)
    return _load_torch(checkpoint, name, given)


def _load_onnx(checkpoint: Checkpoint, name: str, given: dict[str, Any]) -> CheckpointEncoder:
    from .onnx.onnx_engine import OnnxEncoder

    exported = checkpoint.exported.get("dtype")
    if exported is not None and given.setdefault("dtype", exported) != exported:
        raise ConfigError(
            f"{checkpoint.folder} was exported in {exported} and holds no other weights, so it "
            f"cannot be loaded in {given['dtype']}; leave dtype out, or export the checkpoint anew."
        )
    return OnnxEncoder(checkpoint, name=name, **given)


def _load_torch(checkpoint: Checkpoint, name: str, given: dict[str, Any]) -> CheckpointEncoder:
    if checkpoint.exported:
        raise ConfigError(
            f"{checkpoint.folder} was exported for ONNX Runtime on the CPU and holds no weights "
            "for torch; pass engine='onnx' and device='cpu', or the checkpoint it was made from."
        )
    if given.get("dtype") == "int8":
        raise ConfigError(
            "dtype='int8' needs engine='onnx' on the CPU and a backbone of LFM2, BERT, XLM-RoBERTa "
            "or ModernBERT; with torch choose 'float32', 'bfloat16' or 'float16'."
        )
    torch = require("torch", extra="torch")
    from .torch_engine import TorchEncoder

    if "threads" in given:
        torch.set_num_threads(given.pop("threads"))
    if given["device"].startswith("cuda"):
        given.setdefault("dtype", "bfloat16")
    return TorchEncoder(checkpoint, name=name, **given)


def _runs_on_onnx(checkpoint: Checkpoint, options: Options) -> bool:
    if options.engine != "auto":
        return options.engine == "onnx"
    return options.device == "cpu" and checkpoint.has_graph
