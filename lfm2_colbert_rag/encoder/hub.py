"""From the name of a model to a folder on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ModelNotFoundError
from .installed_models import SMALL, installed_model, require_small

NANO = "nano"
NANO_FOLDER = Path(__file__).with_name("models") / NANO

BUNDLED = (NANO, SMALL)
"""Names that mean a model of our own, whatever folders there are."""

# Data only. Pickles (*.bin, *.pt) and code (*.py) are never fetched, so they cannot be run.
_HUB_FILES = ("*.json", "*.safetensors", "*.txt", "*.model")


def resolve_model(name: str | os.PathLike[str], *, revision: str | None = None) -> Path:
    """Find the folder of a checkpoint, downloading it if need be.

    Args:
        name: ``"nano"`` for the bundled model, ``"small"`` or another name that an installed
            distribution gives to a model of its own, a local folder, or a Hugging Face hub id.
        revision: branch, tag or commit of a hub id; local folders have none.

    Returns:
        A folder. Hub ids come from the local cache when they are there and the hub is out of
        reach or ``HF_HUB_OFFLINE`` is set.

    Raises:
        ModelNotFoundError: there is no such folder, no such hub id, or no way to reach the hub;
            or ``"small"`` is not installed.
    """
    if name == NANO:
        if NANO_FOLDER.is_dir():
            return NANO_FOLDER
        raise ModelNotFoundError(
            f"The bundled model is not in this installation ({NANO_FOLDER} is missing). "
            "Reinstall the package, or pass a local folder or a hub id as model."
        )
    if name == SMALL:
        return require_small()
    folder = Path(name).expanduser()
    if os.fspath(name) and folder.is_dir():
        return folder
    installed = installed_model(str(name))
    if installed is not None:
        return installed
    if not _looks_like_hub_id(str(name)):
        raise ModelNotFoundError(
            f"There is no model folder {str(name)!r}. Pass an existing folder, a hub id such as "
            f"'LiquidAI/LFM2-ColBERT-350M', or model={NANO!r} for the bundled model."
        )
    return _download(str(name), revision)


def _looks_like_hub_id(name: str) -> bool:
    parts = name.split("/")
    return len(parts) <= 2 and all(parts) and not name.startswith((".", "~")) and "\\" not in name


def _download(name: str, revision: str | None) -> Path:
    # Imported here: it costs half a second that a local model need not pay.
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(name, revision=revision, allow_patterns=list(_HUB_FILES))
    # What an unreachable hub raises differs between releases of huggingface_hub (requests, httpx,
    # its own errors); each of them means that the model cannot be had.
    except Exception as error:
        at = f" (revision {revision!r})" if revision else ""
        raise ModelNotFoundError(
            f"The model {name!r}{at} is neither a local folder nor in the local Hugging Face "
            f"cache, and the hub did not provide it: {_first_line(error)} "
            f"Ways out: model={NANO!r} uses the bundled model; a local folder can be passed as "
            "model; or download it once with network access (`hf download "
            f"{name}`) and it is found in the cache from then on, also with HF_HUB_OFFLINE=1."
        ) from error
    return Path(folder)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
