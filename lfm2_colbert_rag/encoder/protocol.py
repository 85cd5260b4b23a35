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

    One that reads less of a query than of a passage says so with a property ``query_room``, which
    is to queries what ``document_room`` is to passages; see :func:`query_room`. One that has a
    query adapter of its own says so with a property ``query_adapter``.
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
    def document_room(self) -> int:
        """Tokens of a text's own that ``encode_document`` reads, markers not counted.

        What lies beyond is cut off, so longer texts have to be encoded in parts.
        """
        ...

    @property
    def fingerprint(self) -> Fingerprint:
        """What an index must remember so that vectors of two models are never mixed."""
        ...

    def encode_query(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Encode queries, one result a text, in order."""
        ...

    def encode_document(
        self, texts: Sequence[str], *, progress: Progress | None = None
    ) -> list[TokenVectors]:
        """Encode passages, one result a text, in order."""
        ...

    def token_spans(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Return where the tokens of each whole text lie, however long it is.

        A passage with at most ``document_room`` of them is encoded uncut, and so is a query with at
        most ``query_room``. Tokens that get no vector (a skiplist's) count; markers do not.

        Returns:
            ``(num_tokens, 2)`` characters ``[start, end)`` for each text, ascending.
        """
        ...


def query_room(encoder: Encoder) -> int:
    """Return how many tokens of a text's own an encoder's ``encode_query`` reads, at least 1.

    Example:
        >>> from lfm2_colbert_rag.testing import HashEncoder
        >>> query_room(HashEncoder(query_length=300))
        300
    """
    return max(1, int(getattr(encoder, "query_room", encoder.document_room)))
