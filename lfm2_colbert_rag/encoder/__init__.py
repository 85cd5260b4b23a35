"""Encoders: texts to token vectors.

Importing this loads neither torch nor a tokenizer; :func:`load_encoder` does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .._extras import require
from ..errors import ConfigError
from .base import Encoder, Fingerprint
from .hub import NANO, resolve_model

if TYPE_CHECKING:
    from .config import MaskedPositions
    from .torch_engine import DType

__all__ = ["DEFAULT_MODEL", "Encoder", "load_encoder", "read_fingerprint"]

DEFAULT_MODEL = "LiquidAI/LFM2-ColBERT-350M"

_HASH = "hash"


def load_encoder(
    model: str | os.PathLike[str] | Encoder = DEFAULT_MODEL,
    *,
    device: str = "cpu",
    dtype: DType = "float32",
    batch_tokens: int = 4096,
    revision: str | None = None,
    masked_positions: MaskedPositions | None = None,
) -> Encoder:
    """Load an encoder.

    Args:
        model: ``"nano"`` for the bundled model, ``"hash"`` for the test double that needs no
            weights, a local folder, a Hugging Face hub id, or an encoder, which is returned as it
            is.
        device: as torch spells it: ``"cpu"``, ``"cuda"``, ``"mps"``.
        dtype: of weights and arithmetic; vectors are float32 whichever it is.
        batch_tokens: positions computed at once; more takes more memory.
        revision: branch, tag or commit of a hub id.
        masked_positions: ``"kept"`` or ``"zeroed"``, to override what the checkpoint says of
            query expansion at the convolutions.

    Raises:
        ModelNotFoundError: no such folder or hub id, or the hub is out of reach.
        ModelFormatError: the checkpoint is not one that can be run.
        MissingExtraError: torch is not installed.
        ConfigError: an option is invalid.

    Example:
        >>> encoder = load_encoder("hash")
        >>> [len(vectors) for vectors in encoder.encode_query(["Where is it?"])]
        [4]
    """
    if not isinstance(model, str | os.PathLike):
        if isinstance(model, Encoder):
            return model
        raise ConfigError(f"model must be a name, a folder or an encoder, not {model!r}.")
    if model == _HASH:
        from ..testing import HashEncoder

        return HashEncoder()
    folder = resolve_model(model, revision=revision)
    require("torch", extra="torch")
    from .checkpoint import Checkpoint
    from .torch_engine import TorchEncoder

    return TorchEncoder(
        Checkpoint.read(folder, masked_positions=masked_positions),
        name=_name(model),
        device=device,
        dtype=dtype,
        batch_tokens=batch_tokens,
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
    if not isinstance(model, str | os.PathLike) or model == _HASH:
        return load_encoder(model).fingerprint
    from .checkpoint import Checkpoint

    folder = resolve_model(model, revision=revision)
    return Checkpoint.read(folder, masked_positions=masked_positions).fingerprint


def _name(model: str | os.PathLike[str]) -> str:
    """Say how to ask for the model again, from any working directory."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if model != NANO and folder.is_dir() else os.fspath(model)
