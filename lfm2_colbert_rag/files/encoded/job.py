"""How files are encoded, and where what is made of them goes: all that a worker has to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...encoder import load_encoder, read_fingerprint
from ...retriever.ingest.passage_encoder import PassageEncoder
from ...retriever.ingest.pooler import Pooler
from ...retriever.ingest.pooling import RULE, check_pool_factor
from ...retriever.ingest.windows import check_overlap
from ..encodings import named_encoding
from ..options import DEFAULTS, ReadOptions

if TYPE_CHECKING:
    from ..records import Encoding, SourceFile

__all__ = ["SUFFIX", "Job"]

SUFFIX = ".encoded"
"""Ends the name of the folder that is made of a source file."""


@dataclass(frozen=True)
class Job:
    """How files are encoded, and where what is made of them goes.

    Attributes:
        model: what :func:`~lfm2_colbert_rag.encoder.load_encoder` takes by name, on every machine.
        into: the folder of all outputs, absolute, and the same on every machine.
        prefix: put before the names of the files.
        encoding: of all texts; found out for each when None.
        options: how tables and JSON are read.
        window_overlap: tokens that two windows of a long text share; None for the default.
        pool_factor: how many vectors become one; the same share of every text, since nothing is
            fitted to what other workers read.
        device: ``"cpu"`` or ``"cuda"``.
        threads: of one encoder; None leaves it to the engine.

    Raises:
        ConfigError: an encoding or a factor that means nothing.
        MissingExtraError: pooling needs an extra that is not installed.

    Example:
        >>> Job("nano", Path("/data/encoded")).device
        'cpu'
    """

    model: str
    into: Path
    prefix: str = ""
    encoding: str | None = None
    options: ReadOptions = DEFAULTS
    window_overlap: int | None = None
    pool_factor: int = 1
    device: str = "cpu"
    threads: int | None = None

    def __post_init__(self) -> None:
        check_pool_factor(self.pool_factor)
        self.text_encoding()

    def text_encoding(self) -> Encoding | None:
        """Return the encoding of all texts, if they have one."""
        return None if self.encoding is None else named_encoding(self.encoding)

    def output(self, source: SourceFile) -> Path:
        """Return the folder that is made of a source file."""
        return self.into / f"{source.name}{SUFFIX}"

    def recipe(self) -> dict[str, Any]:
        """Return all that decides an output beside the bytes of its source, as a JSON object.

        Raises:
            ModelNotFoundError: the model is not on this machine.
        """
        reading = {"prefix": self.prefix, "encoding": self.encoding, **asdict(self.options)}
        return {
            "fingerprint": dict(read_fingerprint(self.model)),
            "window_overlap": self.window_overlap,
            "pool_factor": self.pool_factor,
            "pooling_rule": RULE.to_json() if self.pool_factor > 1 else None,
            "reading": _as_json(reading),
        }

    def passage_encoder(self) -> PassageEncoder:
        """Load what turns passages into windows of vectors.

        Raises:
            ModelNotFoundError: the model is not on this machine.
            ConfigError: a window overlap that the model has no room for.
        """
        encoder = load_encoder(self.model, device=self.device, threads=self.threads)
        overlap = check_overlap(self.window_overlap, encoder.document_room)
        return PassageEncoder(encoder, overlap, Pooler(self.pool_factor))


def _as_json(value: Any) -> Any:
    """Return a value as it comes back from a JSON file: without tuples."""
    if isinstance(value, Mapping):
        return {key: _as_json(one) for key, one in value.items()}
    return [_as_json(one) for one in value] if isinstance(value, list | tuple) else value
