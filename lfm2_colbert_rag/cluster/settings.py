"""What an index in an engine remembers of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from .._support.safe_json import parse_json
from ..errors import ConfigError, IndexCorruptError, IndexFormatError
from ..storage.settings import IndexSettings

FORMAT = 1

Stored: TypeAlias = Literal["float16", "turbo8"]
"""How an engine keeps token vectors: two bytes a number, or one."""

TERMS = 320.0
"""Terms of a passage of average length, where nothing else is known."""


@dataclass(frozen=True)
class ClusterSettings:
    """The settings of an index in an engine.

    Attributes:
        index: what every index remembers: its model, windows, pooling and fusion.
        lexical: whether the terms of passages are kept.
        terms: terms of a passage of average length, by which BM25 weighs long ones: settled when
            the first passages come, since every later one is stored with it.
        stored: how token vectors are kept.
        codebook: the name under which the side store has the codebook; None where there is none.
        candidates: points that each way of finding them brings.
        nprobe: centroids that each token of a question probes.
        shards: into how many parts the collection is divided.
        fields: fields of the metadata that are indexed, as filters write them.
        recall: what was measured last, see :class:`~lfm2_colbert_rag.IndexStats`.

    Raises:
        ConfigError: a number that makes no sense.
    """

    index: IndexSettings
    lexical: bool = True
    terms: float | None = None
    stored: Stored = "float16"
    codebook: str | None = None
    candidates: int = 256
    nprobe: int = 4
    shards: int = 1
    fields: tuple[str, ...] = ()
    recall: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in ("candidates", "nprobe", "shards"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= 1 << 20:
                raise ConfigError(f"{name} must be a whole number above 0, not {value!r:.40}.")
        if self.stored not in ("float16", "turbo8"):
            raise ConfigError(
                f'vectors are kept as "float16" or "turbo8", not {self.stored!r:.40}.'
            )
        if self.terms is not None and not 0 < self.terms < 1e9:
            raise ConfigError(f"terms must be a number above 0, not {self.terms!r:.40}.")

    @property
    def limit(self) -> int:
        """Candidates that each shard is to bring: half as many again as its part of all."""
        if self.shards == 1:
            return self.candidates
        return max(16, round(1.5 * self.candidates / self.shards))

    def to_json(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return {**asdict(self), "index": self.index.to_json(), "format": FORMAT}

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> ClusterSettings:
        """Read what :meth:`to_json` gave, written as JSON.

        Args:
            data: that.
            where: the index, for messages.

        Raises:
            IndexFormatError: another version of the library wrote it.
            IndexCorruptError: it makes no sense.
        """
        try:
            values = dict(parse_json(data))
            version = values.pop("format")
        except (ValueError, TypeError, KeyError) as error:
            raise _corrupt(where, error) from None
        if version != FORMAT:
            raise IndexFormatError(
                f"{where} is kept in version {version!r:.20} of the format; this library reads "
                f"{FORMAT}. Use the version that wrote it, or index the texts again."
            )
        try:
            values["index"] = IndexSettings.from_json(values["index"])
            values["fields"] = tuple(values["fields"])
            return cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _corrupt(where, error) from None


def _corrupt(where: str, error: Exception) -> IndexCorruptError:
    return IndexCorruptError(
        f"the settings of {where} cannot be read ({error!r:.200}). Restore the collection from a "
        "snapshot."
    )
