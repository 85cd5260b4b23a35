"""What the encoders of a checkpoint share: framing, batches, order, the cache of queries.

An engine only has to turn a batch of framed texts into vectors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, ModelFormatError
from ..types import TokenVectors
from .checkpoint import Checkpoint
from .framing import FramedText, Framing, check_texts
from .protocol import Fingerprint, Progress
from .queries import QueryBatcher
from .query_adapter import FILE, QueryAdapter

# Texts framed and sorted together: enough for batches of like length, little enough to hold.
_BLOCK = 2048

DEFAULT_QUERY_CACHE = 256


class CheckpointEncoder(ABC):
    """Turns texts into token vectors as a checkpoint asks for it.

    Vectors do not depend on what else is encoded in the same call, and threads may share it:
    queries of several threads are encoded in one batch.

    Args:
        checkpoint: the model.
        name: how to ask for this model again; by default the checkpoint's folder.
        batch_tokens: positions computed at once; more takes more memory.
        query_cache: how many queries' vectors the LRU cache holds; 0 keeps none. One of 32
            positions takes 17 KB.

    Raises:
        ModelFormatError: the tokenizer does not fit the configuration.
        ConfigError: an option is invalid.
    """

    # What is kept under the fingerprint holds for nobody else; see ``encode_background``.
    fingerprint_is_of_weights = True

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        name: str | None = None,
        batch_tokens: int = 4096,
        query_cache: int = DEFAULT_QUERY_CACHE,
    ) -> None:
        if batch_tokens < 1:
            raise ConfigError(f"batch_tokens must be positive, not {batch_tokens}.")
        if query_cache < 0:
            raise ConfigError(f"query_cache must be 0 or more, not {query_cache}.")
        self._checkpoint = checkpoint
        self._name = str(checkpoint.folder) if name is None else name
        self._batch_tokens = batch_tokens
        self._framing = Framing.from_checkpoint(checkpoint)
        self._batcher = QueryBatcher(query_cache)
        self.made_by: tuple[Callable[..., CheckpointEncoder], tuple[Any, ...]] | None = None

    def __reduce__(self) -> tuple[Callable[..., CheckpointEncoder], tuple[Any, ...]]:
        """Let another process load the model by itself: weights do not travel.

        Raises:
            ConfigError: the encoder was not made by ``load_encoder``.
        """
        if self.made_by is None:
            raise ConfigError(
                f"the encoder of {self.name!r} cannot be given to another process, since it was "
                "made by its class. Make it with load_encoder(), or name the model instead."
            )
        return self.made_by

    def __deepcopy__(self, memo: object) -> CheckpointEncoder:
        """Return the encoder itself, which nobody can change."""
        return self

    @property
    def checkpoint(self) -> Checkpoint:
        """The model that it runs."""
        return self._checkpoint

    @property
    def name(self) -> str:
        """How to ask for this encoder again: ``"nano"``, a hub id, or a folder."""
        return self._name

    @property
    def dim(self) -> int:
        """Width of a token vector."""
        return self._checkpoint.dim

    @cached_property
    def query_adapter(self) -> QueryAdapter | None:
        """The query adapter that comes with the model; None where none does.

        Raises:
            ModelFormatError: it is damaged, or was made for other weights.
        """
        path = self._checkpoint.folder / FILE
        if not path.is_file():
            return None
        adapter = QueryAdapter.read(path)
        try:
            adapter.require_model(self)
        except ConfigError as error:
            raise ModelFormatError(f"{path} does not belong to its model: {error}") from error
        return adapter

    @property
    def query_room(self) -> int:
        """Tokens of a text's own that fit into a query, markers not counted."""
        return self._framing.query_room

    @property
    def document_room(self) -> int:
        """Tokens of a text's own that fit into a document, markers not counted."""
        return self._framing.document_room

    @property
    def fingerprint(self) -> Fingerprint:
        """What an index must remember so that vectors of two models are never mixed."""
        return self._checkpoint.fingerprint

    def encode_query(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Encode queries.

        Args:
            texts: the queries; of longer ones only the first ``query_room`` tokens are read.

        Returns:
            One result a text, in order. The arrays are read-only: they may be shared with the
            cache of queries.

        Raises:
            InputError: a text is no string, or not valid Unicode.
        """
        check_texts(texts)
        return self._batcher.encode(texts, self._encode_queries)

    def encode_document(
        self, texts: Sequence[str], *, progress: Progress | None = None
    ) -> list[TokenVectors]:
        """Encode passages.

        Args:
            texts: the passages; of longer ones only the first ``document_room`` tokens are read.
            progress: called with the number of texts finished since its last call.

        Returns:
            One result a text, in order.

        Raises:
            InputError: a text is no string, or not valid Unicode; none is encoded then.
        """
        check_texts(texts)
        encoded: list[TokenVectors] = []
        for start in range(0, len(texts), _BLOCK):
            framed = self._framing.document(texts[start : start + _BLOCK])
            encoded.extend(self._encode(framed, progress))
        return encoded

    def token_spans(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Return the characters of all tokens of each text, ``(num_tokens, 2)``, nothing cut off.

        Raises:
            InputError: a text is no string, or not valid Unicode.
        """
        return self._framing.token_spans(texts)

    def _encode_queries(self, texts: Sequence[str]) -> list[TokenVectors]:
        return self._encode(self._framing.query(texts))

    def _encode(
        self, framed: Sequence[FramedText], progress: Progress | None = None
    ) -> list[TokenVectors]:
        encoded: dict[int, TokenVectors] = {}
        for indices in self._batches([len(text) for text in framed]):
            batch = [framed[index] for index in indices]
            encoded.update(zip(indices, _split(self._vectors(batch), batch), strict=True))
            if progress is not None:
                progress(len(indices))
        return [encoded[index] for index in range(len(framed))]

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Group the indices of texts, by their lengths, into what is computed at once."""
        return batches(lengths, self._batch_tokens)

    @abstractmethod
    def _vectors(self, batch: Sequence[FramedText]) -> npt.NDArray[np.float32]:
        """Compute the unit vectors of all positions to keep, text after text: ``(K, dim)``."""


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Group texts of like length, longest first.

    Args:
        lengths: positions of each text.
        budget: positions that a group may have, counted as its longest text times their number; a
            longer text is a group of its own.

    Yields:
        Indices into ``lengths``, each once.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    start = 0
    while start < len(order):
        count = max(1, budget // max(1, lengths[order[start]]))
        yield order[start : start + count]
        start += count


def _split(vectors: npt.NDArray[np.float32], batch: Sequence[FramedText]) -> list[TokenVectors]:
    ends = np.cumsum([text.keep.sum() for text in batch])
    return [
        TokenVectors(
            # A copy: a view would keep the whole batch alive for as long as one text's.
            part.copy(),
            text.input_ids[text.keep].astype(np.int32),
            text.spans[text.keep],
        )
        for part, text in zip(np.split(vectors, ends[:-1]), batch, strict=True)
    ]
