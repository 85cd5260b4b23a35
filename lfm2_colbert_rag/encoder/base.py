"""What the rest of the library asks of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..types import TokenVectors

Fingerprint: TypeAlias = Mapping[str, str | int | float | bool | None]
"""Everything that decides an encoder's vectors, as a flat JSON object."""

Progress: TypeAlias = Callable[[int], None]
"""Called with the number of texts finished since the last call."""


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into token vectors; any object with these members can stand in.

    Vectors must not depend on which other texts are encoded in the same call, and must be safe
    to compute from several threads at once.
    """

    @property
    def name(self) -> str:
        """How to ask for this encoder again: ``"nano"``, a hub id, or a folder."""
        ...

    @property
    def dim(self) -> int:
        """Width of a token vector."""
        ...

    @property
    def fingerprint(self) -> Fingerprint:
        """What an index must remember so that vectors of two models are never mixed."""
        ...

    def encode_query(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Encode questions, one result a text, in order."""
        ...

    def encode_document(
        self, texts: Sequence[str], *, progress: Progress | None = None
    ) -> list[TokenVectors]:
        """Encode passages, one result a text, in order."""
        ...

    def document_spans(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Return the ``spans`` that ``encode_document`` would give, without the vectors."""
        ...
