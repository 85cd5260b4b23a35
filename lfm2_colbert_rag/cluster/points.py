"""Points: what an engine keeps of a window of a passage.

A point is one window, so that a passage scores as its best window, as in a folder. The first window
of a passage, its *head*, also holds what the passage has once: its text, and the terms of all of
it. Metadata and language are on every window, since filters are asked of windows.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import numpy as np
import numpy.typing as npt

from ..errors import IndexCorruptError
from ..index.array_types import FloatArray
from ..types import Passage, TokenMatrix, TokenVectors, Window

SEPARATOR = "\x1f"
"""Stands between a tenant's name and an id, see :mod:`lfm2_colbert_rag.storage.scope`."""

_NAMESPACE = UUID("5f0c5a4e-9a0e-5c3b-8d86-0f6f6b0f7a11")


class Key(NamedTuple):
    """What tells points apart.

    Attributes:
        id: the passage's id.
        window: which of its windows, counted from 0.
    """

    id: str
    window: int = 0

    @property
    def uuid(self) -> UUID:
        """The same as the engines know it; the same everywhere and always.

        Example:
            >>> str(Key("reset").uuid)
            '9976cd52-5750-5f99-b9d5-7aa6f831ef7d'
        """
        return uuid5(_NAMESPACE, f"{self.window}/{self.id}")


@dataclass(frozen=True, eq=False)
class Sparse:
    """A sparse vector.

    Attributes:
        ids: ``(n,)`` int64 below 2**32, ascending, each once.
        weights: ``(n,)`` float32.
    """

    ids: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]

    @classmethod
    def summed(cls, ids: npt.NDArray[np.integer], weights: npt.NDArray[np.floating]) -> Sparse:
        """Add up the weights of ids that come several times.

        Example:
            >>> one = Sparse.summed(np.array([7, 3, 7]), np.array([1.0, 2.0, 3.0]))
            >>> one.ids.tolist(), one.weights.tolist()
            ([3, 7], [2.0, 4.0])
        """
        known, places = np.unique(ids.astype(np.int64), return_inverse=True)
        return cls(known, np.bincount(places, weights, len(known)).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Vectors:
    """The vectors of a point, as far as they were asked for.

    Attributes:
        colbert: ``(n, dim)`` the token vectors that MaxSim compares.
        mean: ``(dim,)`` the direction of their mean, by which candidates are found.
        cent: the centroids that they are near, by which others are; None without a codebook.
        words: the terms of the passage, of a head; None where none are kept.
    """

    colbert: TokenMatrix | None = None
    mean: FloatArray | None = None
    cent: Sparse | None = None
    words: Sparse | None = None


@dataclass(frozen=True, eq=False)
class Point:
    """A window as an engine keeps it.

    Attributes:
        key: which window of which passage.
        rev: when the passage was written; that of all its windows is the same once it is whole.
        windows: how many windows the passage has.
        span: the window's characters ``[start, end)`` of the passage.
        count: how many token vectors it has.
        metadata: the passage's.
        language: the passage's, as an ISO 639 code.
        text: the passage's; of a head only, else None.
        digest: of text and metadata, of a head only: what has the same is not written again.
        tokens: what :func:`pack_tokens` gave; None where it was not asked for.
        vectors: its vectors.
    """

    key: Key
    rev: int
    windows: int
    span: tuple[int, int]
    count: int
    metadata: Mapping[str, Any]
    language: str
    text: str | None = None
    digest: str = ""
    tokens: str | None = None
    vectors: Vectors = field(default_factory=Vectors)

    @property
    def owner(self) -> str | None:
        """The tenant whose passage it is; None where its id names none."""
        name, found, _ = self.key.id.partition(SEPARATOR)
        return name if found else None

    @property
    def is_head(self) -> bool:
        """Whether it is the first window."""
        return self.key.window == 0

    def passage(self) -> Passage:
        """Return the passage of a head.

        Raises:
            IndexCorruptError: it has no text.
        """
        if self.text is None:
            raise IndexCorruptError(
                f"the first window of {self.key.id!r} has lost its text. Add the passage again."
            )
        return Passage(self.key.id, self.text, self.metadata)

    def window(self) -> Window:
        """Return the window, where vectors and tokens were asked for.

        Raises:
            IndexCorruptError: they do not belong together, or are not there.
        """
        if self.vectors.colbert is None or self.tokens is None:
            raise IndexCorruptError(f"window {self.key.window} of {self.key.id!r} has no vectors.")
        matrix = np.asarray(self.vectors.colbert, np.float32)
        ids, spans = unpack_tokens(self.tokens, len(matrix))
        return Window(self.span, TokenVectors(matrix, ids, spans))

    def at(self, rev: int, metadata: Mapping[str, Any], digest: str) -> Point:
        """Return the same with other metadata, as written at another time."""
        own = digest if self.is_head else ""
        return replace(self, rev=rev, metadata=metadata, digest=own)


def digests(passage: Passage) -> tuple[str, str]:
    """Return what tells the text of a passage, and all of it, apart from others.

    Example:
        >>> one, other = Passage("1", "a lock", {"n": 1}), Passage("1", "a lock", {"n": 2})
        >>> digests(one)[0] == digests(other)[0], digests(one)[1] == digests(other)[1]
        (True, False)
    """
    text = sha256(passage.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    rest = json.dumps(passage.metadata).encode("utf-8", "surrogatepass")
    return text, f"{text}{sha256(rest).hexdigest()[:32]}"


def pack_tokens(encoded: TokenVectors) -> str:
    """Write token ids and spans so that they go into a payload."""
    columns = np.column_stack((encoded.token_ids, encoded.spans)).astype("<i4")
    steps = np.diff(columns, axis=0, prepend=np.zeros((1, 3), "<i4")).astype("<i4")
    return b64encode(zlib.compress(np.ascontiguousarray(steps.T).tobytes(), 6)).decode("ascii")


def unpack_tokens(packed: str, count: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Read what :func:`pack_tokens` wrote.

    Args:
        packed: that.
        count: how many tokens there are.

    Returns:
        ``(n,)`` ids and ``(n, 2)`` spans, int32.

    Raises:
        IndexCorruptError: it is something else.

    Example:
        >>> encoded = TokenVectors(np.eye(2, dtype=np.float32), np.array([7, 9], np.int32),
        ...                        np.array([(0, 3), (4, 6)], np.int32))
        >>> unpack_tokens(pack_tokens(encoded), 2)[1].tolist()
        [[0, 3], [4, 6]]
    """
    size = 12 * count
    try:
        reader = zlib.decompressobj()
        data = reader.decompress(b64decode(packed, validate=True), size + 1)
    except (ValueError, zlib.error) as error:
        raise _corrupt(str(error)) from None
    if len(data) != size:
        raise _corrupt(f"{len(data)} bytes instead of {size}")
    columns = np.cumsum(np.frombuffer(data, "<i4").reshape(3, count), axis=1, dtype=np.int32)
    return columns[0], np.ascontiguousarray(columns[1:].T)


def _corrupt(what: str) -> IndexCorruptError:
    return IndexCorruptError(
        f"where the tokens of a window lie cannot be read ({what}). Add the passage again."
    )
