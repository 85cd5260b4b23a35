"""An encoder that encodes each query once, however many indexes it is asked of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from .._support.token_vectors import check_query_vectors
from ..encoder.protocol import Encoder, Fingerprint, Progress, query_room
from ..encoder.query_adapter import QueryAdapter, adapter_of
from ..types import TokenVectors

# Bytes of vectors that are kept: of some 15,000 queries of 32 vectors with 128 dimensions.
LIMIT = 1 << 28


class RememberingEncoder:
    """Another encoder, and the vectors of the first queries that it was asked for.

    What comes after :data:`LIMIT` bytes is encoded anew each time. It is the first ones that are
    kept, since all queries are asked in turn: of the last ones, none would be there any more when
    it is asked again.

    Args:
        encoder: the encoder.
        limit: bytes of vectors to keep at most.

    Example:
        >>> from lfm2_colbert_rag.testing import HashEncoder
        >>> encoder = RememberingEncoder(HashEncoder())
        >>> encoder.encode_query(["key"])[0] is encoder.encode_query(["key"])[0]
        True
    """

    def __init__(self, encoder: Encoder, limit: int = LIMIT) -> None:
        self._encoder = encoder
        self._room = limit
        self._known: dict[str, TokenVectors] = {}

        # See ``encode_background``.
        self.fingerprint_is_of_weights = getattr(encoder, "fingerprint_is_of_weights", False)

    @property
    def name(self) -> str:
        """See :class:`~lfm2_colbert_rag.encoder.Encoder`, as for all that follows."""
        return self._encoder.name

    @property
    def dim(self) -> int:
        """See :class:`~lfm2_colbert_rag.encoder.Encoder`."""
        return self._encoder.dim

    @property
    def document_room(self) -> int:
        """See :class:`~lfm2_colbert_rag.encoder.Encoder`."""
        return self._encoder.document_room

    @property
    def query_room(self) -> int:
        """See :func:`~lfm2_colbert_rag.encoder.protocol.query_room`."""
        return query_room(self._encoder)

    @property
    def fingerprint(self) -> Fingerprint:
        """See :class:`~lfm2_colbert_rag.encoder.Encoder`."""
        return self._encoder.fingerprint

    @property
    def query_adapter(self) -> QueryAdapter | None:
        """The adapter that comes with the model."""
        return adapter_of(self._encoder)

    def encode_query(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Encode the queries that are not known.

        Raises:
            ModelError: the encoder gave something else than vectors of each.
        """
        found = {text: self._known[text] for text in texts if text in self._known}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            encoded = self._encoder.encode_query(missing)
            checked = check_query_vectors(encoded, missing, self.dim, self._encoder)
            for text, vectors in zip(missing, checked, strict=True):
                found[text] = vectors
                self._keep(text, vectors)
        return [found[text] for text in texts]

    def encode_document(
        self, texts: Sequence[str], *, progress: Progress | None = None
    ) -> list[TokenVectors]:
        """See :class:`~lfm2_colbert_rag.encoder.Encoder`."""
        return self._encoder.encode_document(texts, progress=progress)

    def token_spans(self, texts: Sequence[str]) -> list[npt.NDArray[Any]]:
        """See :class:`~lfm2_colbert_rag.encoder.Encoder`."""
        return self._encoder.token_spans(texts)

    def _keep(self, text: str, vectors: TokenVectors) -> None:
        size = vectors.vectors.nbytes
        if size <= self._room:
            self._known[text] = vectors
            self._room -= size
