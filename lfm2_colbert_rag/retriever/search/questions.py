"""Questions of any length, read sentence by sentence where a model cannot read them at once.

Mails greet, tell and thank before and after they ask: what a model reads of a long question at once
may hold all but what is asked, and a window that holds that and thanks finds neither. So sentences
are windows, and each is encoded by itself, as a question of its own; short ones are taken together,
and those of more than :data:`MOST_TOKENS` tokens are cut. What has more than :data:`MOST_WINDOWS`
windows is read at its beginning and at its end, since a question stands there more often than in
the middle.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..._support.token_vectors import check_query_vectors
from ...encoder.protocol import query_room
from ...types import TokenVectors, Window
from ..ingest.passage_encoder import moved
from ..ingest.windows import Span, find_windows

if TYPE_CHECKING:
    from ...encoder import Encoder

logger = logging.getLogger(__name__)

# Windows of a question that are read at most: each is searched for like a question.
MOST_WINDOWS = 128
# Tokens of a window at least: fewer say little by themselves. benchmarks/long_questions.py
LEAST_TOKENS = 8
# And at most, even of a model that reads more: no sentence is longer, but what has no sentences is,
# and all of it is compared with all vectors of an index.
MOST_TOKENS = 64
# A text of more characters a token than this is longer than the tokens that make up the room.
_CHARACTERS = 16


@dataclass(frozen=True, eq=False)
class Question:
    """A question as a model reads it.

    Attributes:
        text: all of it.
        windows: its parts that were encoded, in its order; spans count from its beginning. One
            part where the model reads it at once.
        unread: characters that no window holds.
    """

    text: str
    windows: tuple[Window, ...]
    unread: int = 0


def read_questions(encoder: Encoder, texts: Sequence[str], dim: int) -> list[Question]:
    """Encode questions of any length.

    Args:
        encoder: the model.
        texts: the questions.
        dim: width of the vectors that they are compared with.

    Raises:
        ModelError: the encoder gave vectors that cannot be compared.

    Example:
        >>> from lfm2_colbert_rag.testing import HashEncoder
        >>> encoder = HashEncoder(query_length=4)
        >>> (question,) = read_questions(encoder, ["I hope you are well. Where is the key?"], 32)
        >>> [question.text[slice(*window.span)] for window in question.windows]
        ['I hope you are ', 'well. ', 'Where is the ', 'key?']
    """
    room = query_room(encoder)
    surely_long = [text for text in texts if len(text) > _CHARACTERS * room]
    short = [text for text in texts if len(text) <= _CHARACTERS * room] if surely_long else texts
    encoded = dict(zip(short, _encode(encoder, short, dim), strict=True)) if short else {}
    cut = [text for text, one in encoded.items() if not _is_read_to_its_end(one, text)]
    counts = map(len, encoder.token_spans(cut)) if cut else ()
    long = [*surely_long, *(text for text, n in zip(cut, counts, strict=True) if n > room)]
    read = _read_long(encoder, list(dict.fromkeys(long)), dim) if long else {}
    return [
        read[text] if text in read else Question(text, (Window((0, len(text)), encoded[text]),))
        for text in texts
    ]


def _encode(encoder: Encoder, texts: Sequence[str], dim: int) -> list[TokenVectors]:
    return check_query_vectors(encoder.encode_query(list(texts)), texts, dim, encoder)


def _is_read_to_its_end(encoded: TokenVectors, text: str) -> bool:
    """Tell whether a question was surely not cut; it costs a few microseconds."""
    return int(encoded.spans[:, 1].max(initial=0)) >= len(text.rstrip())


def _read_long(encoder: Encoder, texts: Sequence[str], dim: int) -> dict[str, Question]:
    """Encode questions in windows, all of one call together."""
    cuts = {text: _cut(encoder, text) for text in texts}
    pieces = [text[start:end] for text, (spans, _) in cuts.items() for start, end in spans]
    encoded = iter(_encode(encoder, pieces, dim))
    read = {
        text: Question(
            text, tuple(Window(span, moved(next(encoded), span[0])) for span in spans), unread
        )
        for text, (spans, unread) in cuts.items()
    }
    _tell(encoder, list(read.values()))
    return read


def _cut(encoder: Encoder, text: str) -> tuple[list[Span], int]:
    """Cut a question into windows, each text of a window once; returns what is not read, too."""
    room, half = _room(encoder), MOST_WINDOWS // 2
    edge = half * room * _CHARACTERS
    if len(text) <= 2 * edge:
        spans = _distinct(text, _find(encoder, [text])[0])
        fits = len(spans) <= MOST_WINDOWS
        first, last = (spans, []) if fits else (spans[:half], spans[-half:])
    else:  # what could never be read is not looked at
        shift = len(text) - edge
        first, last = _find(encoder, [text[:edge], text[shift:]])
        first, last = first[:half], [(a + shift, b + shift) for a, b in last[-half:]]
    unread = last[0][0] - first[-1][1] if last else 0
    return _distinct(text, [*first, *last]), unread


def _find(encoder: Encoder, texts: Sequence[str]) -> list[list[Span]]:
    return find_windows(encoder, texts, 0, room=_room(encoder), least=LEAST_TOKENS)


def _room(encoder: Encoder) -> int:
    """Return how many tokens a window of a question may have."""
    return min(query_room(encoder), MOST_TOKENS)


def _distinct(text: str, spans: Sequence[Span]) -> list[Span]:
    """Leave out windows of blanks, and of words that another window holds already."""
    known: dict[str, Span] = {}
    for span in spans:
        if piece := text[slice(*span)].strip():
            known.setdefault(piece, span)
    return list(known.values())


def _tell(encoder: Encoder, long: Sequence[Question]) -> None:
    windows, unread = sum(len(one.windows) for one in long), sum(one.unread for one in long)
    logger.info(
        "%d questions are longer than the %d tokens that %r reads at once; they are read in %d "
        "windows",
        len(long),
        query_room(encoder),
        encoder.name,
        windows,
    )
    if unread:
        logger.warning(
            "of a question only %d windows of %d tokens are read, half at its beginning and half "
            "at its end: %s characters in the middle are not; ask something shorter",
            MOST_WINDOWS,
            _room(encoder),
            f"{unread:,}",
        )
