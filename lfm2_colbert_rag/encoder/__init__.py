"""Encoders: texts to token vectors.

Importing this loads neither torch, nor onnxruntime, nor a tokenizer; :func:`load_encoder` does.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .hub import BUNDLED, resolve_model
from .protocol import Encoder, Fingerprint

if TYPE_CHECKING:
    from .config import MaskedPositions
    from .registry import DTypeName, EngineName

__all__ = ["DEFAULT_MODEL", "Encoder", "load_encoder", "read_fingerprint"]

DEFAULT_MODEL = "LiquidAI/LFM2-ColBERT-350M"

_HASH = re.compile(r"hash(?::([0-9]{1,9}))?")
_MEMBERS = (
    "name",
    "dim",
    "fingerprint",
    "document_room",
    "encode_query",
    "encode_document",
    "token_spans",
)


def load_encoder(
    model: str | os.PathLike[str] | Encoder = DEFAULT_MODEL,
    *,
    engine: EngineName = "auto",
    device: str = "cpu",
    dtype: DTypeName | None = None,
    threads: int | None = None,
    batch_tokens: int | None = None,
    query_cache: int | None = None,
    revision: str | None = None,
    masked_positions: MaskedPositions | None = None,
) -> Encoder:
    """Load an encoder, or return the one already loaded in this process with the same options.

    Args:
        model: ``"nano"`` for the bundled model, ``"small"`` for the better one of the distribution
            ``lfm2-colbert-small``, ``"hash"`` for the test double that needs no weights (and
            ``"hash:7"`` for another of its kind), a local folder, a Hugging Face hub id, or an
            encoder, which is returned as it is.
        engine: ``"onnx"`` runs LFM2, BERT, XLM-RoBERTa and ModernBERT models on the CPU and needs
            no torch; ``"torch"`` runs every model, on any device; ``"auto"`` takes the first where
            it can.
        device: as torch spells it: ``"cpu"``, ``"cuda"``, ``"mps"``.
        dtype: of the weights; vectors are float32 whichever it is. With ONNX ``"int8"`` (the
            default), ``"float32"``, ``"float16"``, ``"bfloat16"``; with torch ``"float32"`` (the
            default, but ``"bfloat16"`` on CUDA), ``"bfloat16"``, ``"float16"``.
        threads: how many compute on the CPU; None leaves it to the engine, which takes one a
            physical core. With torch it holds for the whole process.
        batch_tokens: positions computed at once; more takes more memory. None is the engine's
            own choice.
        query_cache: how many queries' vectors the LRU cache holds (17 KB each); 0 keeps none.
        revision: branch, tag or commit of a hub id.
        masked_positions: ``"kept"`` or ``"zeroed"``, to override what the checkpoint says of
            query expansion at the convolutions.

    Raises:
        ModelNotFoundError: no such folder or hub id, or the hub is out of reach.
        ModelFormatError: the checkpoint is not one that can be run.
        MissingExtraError: the model or the device needs torch, which is not installed.
        ConfigError: an option is invalid, or the cache folder for converted models cannot be
            written.

    Example:
        >>> encoder = load_encoder("hash")
        >>> [len(vectors) for vectors in encoder.encode_query(["Where is it?"])]
        [4]
    """
    if not isinstance(model, str | os.PathLike):
        return _checked(model)
    if (double := _HASH.fullmatch(os.fspath(model))) is not None:
        from .hash import HashEncoder

        return HashEncoder(salt=int(double[1] or 0))
    folder = resolve_model(model, revision=revision)
    from .registry import Options, shared_encoder

    return shared_encoder(
        folder,
        _name(model),
        Options(
            engine=engine,
            device=device,
            dtype=dtype,
            threads=threads,
            batch_tokens=batch_tokens,
            query_cache=query_cache,
            masked_positions=masked_positions,
        ),
    )


def _checked(encoder: Encoder) -> Encoder:
    """Return what came in the place of a model's name if it is an encoder."""
    if isinstance(encoder, Encoder):
        return encoder
    missing = sorted(name for name in _MEMBERS if not hasattr(encoder, name))
    raise ConfigError(
        f"model must be a name, a folder or an encoder, not {encoder!r}; to be an encoder it "
        f"lacks {', '.join(missing)}."
    )


def read_fingerprint(
    model: str | os.PathLike[str] | Encoder = DEFAULT_MODEL,
    *,
    revision: str | None = None,
    masked_positions: MaskedPositions | None = None,
) -> Fingerprint:
    """Return the fingerprint that :func:`load_encoder` would give, without loading weights.

    Args:
        model: as for :func:`load_encoder`.
        revision: as for :func:`load_encoder`.
        masked_positions: as for :func:`load_encoder`.

    Raises:
        ModelNotFoundError: no such folder or hub id, or the hub is out of reach.
        ModelFormatError: the checkpoint is not one that can be run.
    """
    if not isinstance(model, str | os.PathLike) or _HASH.fullmatch(os.fspath(model)):
        return load_encoder(model).fingerprint
    from .checkpoint import Checkpoint

    folder = resolve_model(model, revision=revision)
    return Checkpoint.read(folder, masked_positions=masked_positions).fingerprint


def _name(model: str | os.PathLike[str]) -> str:
    """Say how to ask for the model again, from any working directory."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if model not in BUNDLED and folder.is_dir() else os.fspath(model)
