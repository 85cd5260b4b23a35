"""Passages from an iterator to vectors in an iterator, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from .._support.progress import reporting
from ..errors import ConfigError
from ..types import TokenVectors
from .protocol import Encoder

DEFAULT_BLOCK = 1024


def encode_stream(
    encoder: Encoder,
    texts: Iterable[str],
    *,
    total: int | None = None,
    progress: bool | Callable[[int], None] | None = None,
    block: int = DEFAULT_BLOCK,
) -> Iterator[TokenVectors]:
    """Encode passages as they come, for example from a file or a database.

    Args:
        encoder: any encoder.
        texts: the passages; read a block at a time.
        total: how many there will be, if known, for the progress bar.
        progress: called with the number of passages just encoded; True or False forces a bar on
            or off; None shows one when the work is long and a person is looking.
        block: passages read and encoded together. More makes batches of more alike lengths and
            takes more memory: about 100 KB a passage of 200 tokens.

    Yields:
        One result a passage, in order.

    Raises:
        InputError: a passage is no string, or not valid Unicode; those before its block have been
            yielded.
        ConfigError: ``block`` is below 1.

    Example:
        >>> from lfm2_colbert_rag.testing import HashEncoder
        >>> lines = (f"line {number}" for number in range(3))
        >>> [len(vectors) for vectors in encode_stream(HashEncoder(), lines)]
        [2, 2, 2]
    """
    if block < 1:
        raise ConfigError(f"block must be 1 or more, not {block}.")
    return _blocks(encoder, iter(texts), total, progress, block)


def _blocks(
    encoder: Encoder,
    texts: Iterator[str],
    total: int | None,
    progress: bool | Callable[[int], None] | None,
    block: int,
) -> Iterator[TokenVectors]:
    with reporting(progress, total, "encoding") as report:
        while some := list(islice(texts, block)):
            yield from encoder.encode_document(some, progress=report)
