"""Of which index and model a work folder is, known again after both went on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..encoder import Encoder
    from ..retriever import Retriever

__all__ = ["Identity", "digest_of"]

_SAMPLE = 64  # passages by which an index is known again
_SAME = 0.5  # share of them that must be as they were


@dataclass(frozen=True)
class Identity:
    """What tells an index from others: its model, and some of its passages.

    Attributes:
        index: its folder; None where it was in memory.
        model: the name of its model.
        fingerprint: a digest of everything that decides the model's vectors.
        generation: which one it had.
        passages: digests of the texts of some passages, by their ids.
    """

    index: str | None
    model: str
    fingerprint: str
    generation: int
    passages: Mapping[str, str]

    @classmethod
    def of(cls, retriever: Retriever, ids: Sequence[str]) -> Identity:
        """Return that of an index.

        Args:
            retriever: the index.
            ids: passages that matter; some of them, evenly, are looked at.
        """
        chosen = sorted(set(ids))
        chosen = chosen[:: -(-len(chosen) // _SAMPLE) or 1]
        return cls(
            None if retriever.path is None else str(retriever.path),
            retriever.model,
            digest_of(retriever.encoder),
            retriever.stats().generation,
            _digests(retriever, chosen),
        )

    def require(self, retriever: Retriever, folder: Path) -> None:
        """Refuse an index of another model, or one with other passages.

        Raises:
            ConfigError: it is another one; the message names both.
        """
        if digest_of(retriever.encoder) != self.fingerprint:
            raise ConfigError(
                f"{folder} was made with the model {self.model!r}, and the index is of "
                f"{retriever.model!r} with other weights or settings; mine anew."
            )
        now = _digests(retriever, list(self.passages))
        same = sum(now.get(id) == text for id, text in self.passages.items())
        if same < _SAME * len(self.passages):
            raise ConfigError(
                f"{folder} was made of the index {self.index or 'in memory'}, and not of "
                f"{retriever.path or 'this one in memory'}: of {len(self.passages):,} labelled "
                f"passages {same:,} are there as they were. Name that index, or mine anew."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)


def digest_of(encoder: Encoder) -> str:
    """Name everything that decides an encoder's vectors, in 32 figures."""
    values = json.dumps(dict(encoder.fingerprint), sort_keys=True)
    return hashlib.blake2b(values.encode(), digest_size=16).hexdigest()


def _digests(retriever: Retriever, ids: list[str]) -> dict[str, str]:
    return {
        passage.id: hashlib.blake2b(passage.text.encode(), digest_size=8).hexdigest()
        for passage in retriever.get(ids)
    }
