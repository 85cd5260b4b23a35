"""What must be true before a server starts, beyond its settings; nothing is made here."""

from __future__ import annotations

import os
import time

from ..encoder.hub import BUNDLED, resolve_model
from ..errors import ConfigError, ModelNotFoundError, shown
from ..storage.layout import CATALOG
from .access.keys import KeyFile
from .settings import Settings

_HASH = "hash"  # the stand-in without weights


def stay_offline() -> None:
    """Let neither this process nor those that it starts ask the model hub for anything."""
    os.environ["HF_HUB_OFFLINE"] = "1"


def require_startable(settings: Settings, keys: KeyFile) -> None:
    """Refuse what would be open to strangers, or of no use.

    Raises:
        ConfigError: it is; the message says what helps.
        KeyFileError: the keys cannot be read.
    """
    _require_keys(settings, keys)
    _require_folder(settings)
    _require_model(settings)


def _require_keys(settings: Settings, keys: KeyFile) -> None:
    now = time.time()
    known = keys.keys()
    live = [key for key in known if key.is_live(now)]
    if not live:
        raise ConfigError(
            f"{settings.keys} holds no key that is live, so that nobody could ask. Run: "
            f"lfm2-colbert keys create --keys {settings.keys} --name NAME --scope search"
        )
    bound = [key.id for key in live if key.rights.tenant is not None]
    if bound and settings.isolation == "index":
        raise ConfigError(
            f"the key {bound[0]} is a tenant's, and with --isolation index tenants are told apart "
            "by their indexes alone: it would see all of them. Start with --isolation view, or "
            "revoke the key and make one for the tenant's index: lfm2-colbert keys create --index."
        )


def _require_folder(settings: Settings) -> None:
    folder = settings.folder
    if not folder.exists():
        if settings.read_only:
            raise ConfigError(f"there is no folder {folder}, and --read-only would not make it.")
        return
    try:
        os.listdir(folder)  # noqa: PTH208 - whether it can be, not what is there
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be read ({error.strerror}). Name an index, or a folder of indexes, "
            "that this user may read."
        ) from None
    if not settings.read_only and not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{folder} cannot be written by this user. Let it, or start with --read-only."
        )


def _require_model(settings: Settings) -> None:
    """Refuse a model that indexes could not be made with."""
    if settings.read_only or (settings.folder / CATALOG).is_file() or settings.model == _HASH:
        return
    try:
        resolve_model(settings.model)
    except ModelNotFoundError:
        raise ConfigError(
            f"--model {shown(settings.model)} is not on this machine, and a server fetches "
            f"nothing. Name one of {', '.join(BUNDLED)} (which needs lfm2-colbert-small), a "
            f"model's folder, or fetch it first: hf download {settings.model}"
        ) from None
