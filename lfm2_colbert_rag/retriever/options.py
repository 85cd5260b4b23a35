"""The options of an index and of a search: one definition, checked in one place."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

from .._support.validation import whole_number
from ..encoder.protocol import Encoder
from ..errors import ConfigError, IndexMismatchError
from ..storage.settings import NBITS, STORAGES, IndexSettings
from ..types import Storage
from .ingest.pooling import RULE, check_pool_factor
from .ingest.windows import check_overlap


class IndexOptions(TypedDict, total=False):
    """How an index keeps and cuts texts; what is left out, or None, the index decides.

    Attributes:
        storage: how vectors are kept. ``"exact"``: as they are, every one compared with every
            query. ``"compressed"``: in a few bits, so that millions of passages are searched in
            milliseconds. ``"auto"``, the default: exact until compression pays, at about 250,000
            vectors, and a stream or ``optimize`` comes. May be changed later, for all processes
            from their next commit on, but not back to exact once vectors were compressed.
        nbits: bits a dimension of compressed vectors: 4 (about 72 bytes a vector of 128
            dimensions, the default) or 2 (about 40). Chosen when the index is made.
        pool_factor: keep about one vector for so many tokens, the mean of those of a text that are
            alike: a smaller index, a little less quality. How much alike, the first ``add`` that
            is large enough fits for all texts; before that, each text keeps the same share. Chosen
            when the index is made, 1 (all of them) by default; more needs the ``pooling`` extra.
        window_overlap: a text beyond the model's document length is searched in overlapping
            windows; this is how many tokens two of them share at most. Chosen when the index is
            made, an eighth of the length by default.
        lexical: keep the terms of passages as well, for ``mode="lexical"`` and ``"hybrid"``. True
            by default for a new index. May be changed later: True has the terms filled in by the
            next ``add`` or ``optimize``, False drops them.

    Example:
        >>> options: IndexOptions = {"storage": "compressed", "nbits": 2}
    """

    storage: Storage | None
    nbits: int | None
    pool_factor: int | None
    window_overlap: int | None
    lexical: bool | None


NAMES: tuple[str, ...] = tuple(IndexOptions.__annotations__)
# What may be changed after the index was made.
_CHANGEABLE = ("storage", "lexical")
_NUMBERS = ("nbits", "pool_factor", "window_overlap")


def check_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, None left out.

    Raises:
        ConfigError: an unknown option, or one with a senseless value; the message names both.
        MissingExtraError: pooling needs an extra that is not installed.
    """
    unknown = sorted(set(options) - set(NAMES))
    if unknown:
        raise ConfigError(f"{unknown[0]!r} is no option of an index; these are {', '.join(NAMES)}.")
    given = {name: value for name, value in options.items() if value is not None}
    for name in _NUMBERS:
        if (number := whole_number(given.get(name))) is not None:
            given[name] = number  # also one of NumPy's
    if given.get("storage", "auto") not in STORAGES:
        named = ", ".join(f'"{one}"' for one in STORAGES)
        raise ConfigError(f"storage must be one of {named}, not {given['storage']!r}.")
    nbits = given.get("nbits", 4)
    if whole_number(nbits) not in NBITS:
        raise ConfigError(f"nbits must be 2 or 4, not {nbits!r}.")
    if not isinstance(given.get("lexical", True), bool):
        raise ConfigError(f"lexical must be True or False, not {given['lexical']!r}.")
    if "pool_factor" in given:
        check_pool_factor(given["pool_factor"])
    return given


def new_settings(encoder: Encoder, options: Mapping[str, Any]) -> IndexSettings:
    """Return the settings of a new index.

    Args:
        encoder: its model.
        options: what :func:`check_options` gave.

    Raises:
        ConfigError: a window overlap that the model has no room for.
    """
    return IndexSettings(
        model=encoder.name,
        dim=encoder.dim,
        fingerprint=dict(encoder.fingerprint),
        window_overlap=check_overlap(options.get("window_overlap"), encoder.document_room),
        nbits=options.get("nbits", 4),
        pool_factor=options.get("pool_factor", 1),
        pooling_rule=RULE.to_json(),
        storage=options.get("storage", "auto"),
    )


def migrated_settings(encoder: Encoder, serving: IndexSettings, space: str) -> IndexSettings:
    """Return the settings of a new space of an index, like those of the space that serves.

    Args:
        encoder: the new model.
        serving: the settings of the space that serves.
        space: the name of the new one.
    """
    options = {
        "nbits": serving.nbits,
        "pool_factor": serving.pool_factor,
        "storage": serving.storage,
        "window_overlap": serving.window_overlap,
    }
    with suppress(ConfigError):
        return replace(new_settings(encoder, options), space=space)
    del options["window_overlap"]  # the new model has no room for so much
    return replace(new_settings(encoder, options), space=space)


def require_same(folder: Path, options: Mapping[str, Any], settings: IndexSettings) -> None:
    """Compare options with those that an existing index was made with.

    Raises:
        IndexMismatchError: one differs that cannot be changed any more.
    """
    for name, wanted in options.items():
        if name in _CHANGEABLE:
            continue
        known = getattr(settings, name)
        if wanted != known or isinstance(wanted, bool):
            raise IndexMismatchError(
                f"{folder} was made with {name} {known}, not {wanted!r}. Leave {name} out, or "
                "index the texts again in a new folder."
            )
