"""A linear map on the vectors of queries: what an index holds stays as it is.

A projection is symmetric, so what it takes away from queries it takes away from every comparison:
(Pq)·d = q·(Pd). An index of any model can so be asked in another way than it was made for, and with
no map again in the next moment.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
import numpy.typing as npt

from .._support.disk import write_whole
from .._support.products import product
from .._support.safe_json import JsonError, parse_json
from ..errors import ConfigError, ModelFormatError
from ..types import TokenVectors
from .model_files import require_file
from .protocol import Encoder, Fingerprint
from .weights import read_array, stored_tensors

FILE = "query_adapter.safetensors"
"""Under this name an adapter comes with its model."""

Use = Literal["mixed", "always"]
_MATRIX = "query_adapter"
_LARGEST = 8192  # dimensions; far beyond any model
_LENGTH = 1e-9  # of a vector of which nothing is left


@dataclass(frozen=True, eq=False)
class QueryAdapter:
    """A linear map on query vectors, applied after encoding; unit length is restored.

    Attributes:
        matrix: ``(dim, dim)`` float32; a query's vectors ``q`` become ``q @ matrix.T``.
        weights: of which model it is, see :func:`weights_of`.
        use: ``"mixed"``: where an index holds passages in several languages, as maps that take
            away what tells languages apart; ``"always"``.
        origin: how it was made, a JSON object for people.

    Raises:
        ConfigError: the matrix is not square, or not finite, there is no such use, or the origin is
            no object.

    Example:
        >>> adapter = QueryAdapter(np.diag([1, 1, 0]).astype(np.float32), "", "always")
        >>> adapter.map(np.array([[0.6, 0, 0.8]], np.float32)).tolist()
        [[1.0, 0.0, 0.0]]
    """

    matrix: npt.NDArray[np.float32]
    weights: str
    use: Use = "mixed"
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no query could be mapped by."""
        shape = self.matrix.shape
        if len(shape) != 2 or shape[0] != shape[1] or not 0 < shape[0] <= _LARGEST:
            raise ConfigError(f"the matrix of a query adapter is (dim, dim), not {shape}.")
        if not np.isfinite(self.matrix).all():
            raise ConfigError("the matrix of a query adapter holds NaN or infinity.")
        if self.use not in get_args(Use):
            raise ConfigError(f"use must be one of {list(get_args(Use))}, not {self.use!r}.")
        if not isinstance(self.origin, Mapping):
            raise ConfigError(
                f"the origin of a query adapter is an object, not {self.origin!r:.40}."
            )

    @property
    def dim(self) -> int:
        """Width of the vectors that it maps."""
        return len(self.matrix)

    @cached_property
    def summary(self) -> str:
        """How it was made, in a few words."""
        return str(self.origin.get("summary") or "no origin given")

    def map(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map query vectors.

        Args:
            vectors: ``(n, dim)`` float32, each of unit length, or zero.

        Returns:
            The same shape and dtype. Each has unit length but where nothing is left of it.
        """
        mapped = product(vectors, self.matrix.T)
        lengths = np.linalg.norm(mapped, axis=1, keepdims=True)
        return np.divide(mapped, lengths, out=np.zeros_like(mapped), where=lengths > _LENGTH)

    def apply(self, encoded: TokenVectors) -> TokenVectors:
        """Map an encoded query."""
        return replace(encoded, vectors=self.map(encoded.vectors))

    def followed_by(self, other: QueryAdapter) -> QueryAdapter:
        """Return what maps as this one does first, and another of the same model after it.

        It is used wherever this one is.

        Example:
            >>> first = QueryAdapter(np.diag([0, 1]).astype(np.float32), "", "always")
            >>> both = first.followed_by(QueryAdapter(np.eye(2, dtype=np.float32)[::-1], ""))
            >>> both.map(np.array([[0.6, 0.8]], np.float32)).tolist()
            [[1.0, 0.0]]
        """
        return QueryAdapter(
            product(other.matrix, self.matrix),
            self.weights,
            self.use,
            {"summary": f"{self.summary}; then {other.summary}"},
        )

    def fits(self, fingerprint: Fingerprint, dim: int) -> bool:
        """Tell whether it was made for a model of this fingerprint and this width."""
        return (weights_in(fingerprint), dim) == (self.weights, self.dim)

    def require_model(self, encoder: Encoder) -> None:
        """Refuse to map the vectors of another model.

        Raises:
            ConfigError: it was made for other weights, or another width.
        """
        if not self.fits(encoder.fingerprint, encoder.dim):
            raise self.misfit(encoder.name)

    def misfit(self, model: str) -> ConfigError:
        """Return the error about a model that this adapter was not made for."""
        return ConfigError(
            f"this query adapter ({self.summary}) was made for another model than "
            f"{model!r}: its vectors would mean nothing. Make one for this model: "
            f"lfm2-colbert align {model}"
        )

    def save(self, path: Path) -> None:
        """Write it as one safetensors file, whole or not at all.

        Raises:
            OSError: the file cannot be written.
        """
        write_whole(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return what :meth:`save` writes: the same bytes for the same adapter."""
        from safetensors.numpy import save

        meta = {"weights": self.weights, "use": self.use, "origin": json.dumps(dict(self.origin))}
        return _in_order(save({_MATRIX: np.ascontiguousarray(self.matrix)}, metadata=meta))

    @classmethod
    def from_bytes(cls, content: bytes) -> QueryAdapter:
        """Read what :meth:`to_bytes` gave.

        Raises:
            ModelFormatError: it is something else.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            tensors = load(content)
            matrix = tensors.pop(_MATRIX)
            if tensors or matrix.dtype != np.float32:
                raise ModelFormatError(f"it holds {sorted(tensors)[:5]} or {matrix.dtype}")
            return cls(matrix, **_described(io.BytesIO(content)))
        except (ConfigError, JsonError, SafetensorError, LookupError, TypeError, ValueError) as no:
            raise ModelFormatError(f"this is no query adapter ({no}).") from no

    @classmethod
    def read(cls, path: Path) -> QueryAdapter:
        """Read what :meth:`save` wrote, or refuse what is something else.

        Raises:
            ModelFormatError: the file is damaged, or holds no query adapter.
            FileNotFoundError: it is missing.
        """
        require_file(path)
        tensors = stored_tensors([path])
        if set(tensors) != {_MATRIX}:
            raise ModelFormatError(
                f"{path} holds {sorted(tensors)[:5]} and no query adapter. Name a file that "
                "`lfm2-colbert align` wrote."
            )
        shape = tensors[_MATRIX].shape
        if len(shape) != 2 or max(shape) > _LARGEST:
            raise ModelFormatError(f"{path} holds a query adapter of the shape {shape}.")
        try:
            with path.open("rb") as stream:
                described = _described(stream)
            return cls(read_array(tensors[_MATRIX]), **described)
        except (ConfigError, JsonError, KeyError, TypeError) as error:
            raise ModelFormatError(
                f"{path} cannot be read as a query adapter ({error}). Make it anew: "
                "lfm2-colbert align MODEL"
            ) from error


def _in_order(content: bytes) -> bytes:
    """Return a safetensors file whose header is sorted, so that equal adapters are equal bytes.

    The library writes the entries of a file's metadata in an order that is drawn anew each time.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[end:]


def adapter_of(encoder: Encoder) -> QueryAdapter | None:
    """Return the adapter that comes with an encoder's model; None where none does."""
    own: QueryAdapter | None = getattr(encoder, "query_adapter", None)
    return own


def weights_of(encoder: Encoder) -> str:
    """Name an encoder's weights, as adapters remember them: its fingerprint's, or all of it.

    Example:
        >>> from lfm2_colbert_rag.testing import HashEncoder
        >>> weights_of(HashEncoder()) == weights_of(HashEncoder())
        True
    """
    return weights_in(encoder.fingerprint)


def weights_in(fingerprint: Fingerprint) -> str:
    """Name the weights of the model that has a fingerprint; see :func:`weights_of`."""
    named = fingerprint.get("weights")
    return named if isinstance(named, str) else json.dumps(dict(fingerprint), sort_keys=True)


def _described(stream: BinaryIO) -> dict[str, Any]:
    """Return what a file says of its matrix."""
    size = int.from_bytes(stream.read(8), "little")
    said = parse_json(stream.read(size))["__metadata__"]
    return {"weights": said["weights"], "use": said["use"], "origin": parse_json(said["origin"])}
