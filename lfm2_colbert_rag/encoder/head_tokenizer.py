"""The first tokens of texts, exactly, without reading more of a long text than that takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

# Characters before which a text may be cut, where the tokenizer is seen to split there anyway. No
# line break: punctuation joins with it, and what counts as a letter before it depends on the
# version of Unicode.
_CUT_BEFORE = " 。，、！？；：،؛؟।"
_PROBES = ("a{}b", "Z9{}9z", "é{}ß", "你{}好", "カ{}タ", "в{}я", "ب{}ت", "ไ{}ท")

# Characters read for each token wanted, at first; European text has 3 to 5 a token.
_CHARACTERS_PER_TOKEN = 8

# A piece of a long text, and how far behind it a place is looked for where it does no harm to cut.
# No text but mischief has none so far: it is cut anywhere, for its tokens would hold up everything.
_PIECE, _FARTHEST = 1 << 14, 1 << 16
# Offsets that are asked for together: an object each, more would have the garbage collector look at
# all that there is.
_OFFSETS = 1 << 13


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of one text.

    Attributes:
        ids: vocabulary ids.
        offsets: ``(n, 2)`` int32, for each the characters ``[start, end)`` it stands for. Tokens
            that are parts of one character each have that whole character.
    """

    ids: list[int]
    offsets: npt.NDArray[np.int32]


class HeadTokenizer:
    """Tokenizes texts up to a number of tokens; special tokens are not added.

    Equal to tokenizing the whole text and dropping the rest, but of a long text only a head is
    read. The head ends between a letter or digit and one of a few separators, if this tokenizer
    is seen to split there whatever follows; else 65,536 characters more are read.

    Args:
        tokenizer: without truncation or padding of its own.
        characters_per_token: length of the first head tried, for each token wanted.
    """

    def __init__(
        self, tokenizer: Tokenizer, *, characters_per_token: int = _CHARACTERS_PER_TOKEN
    ) -> None:
        self._tokenizer = tokenizer
        self._characters_per_token = characters_per_token
        self._cut = _cut_pattern(tokenizer)

    def encode(self, texts: Sequence[str], limit: int) -> list[Tokens]:
        """Return at most ``limit`` tokens of each text."""
        found: dict[int, Tokens] = {}
        waiting = list(range(len(texts)))
        reach = limit * self._characters_per_token
        while waiting:
            heads = [self._head(texts[i], reach) for i in waiting]
            encodings = self._tokenizer.encode_batch(heads, add_special_tokens=False)
            for i, head, encoding in zip(waiting, heads, encodings, strict=True):
                ids = encoding.ids
                if len(ids) >= limit or len(head) == len(texts[i]):
                    found[i] = Tokens(ids[:limit], _offsets(encoding, limit))
            waiting = [i for i in waiting if i not in found]
            reach *= 8
        return [found[i] for i in range(len(texts))]

    def _head(self, text: str, reach: int) -> str:
        return text if len(text) <= reach else text[: self._end(text, reach)]

    def pieces(self, text: str) -> Iterator[tuple[int, str]]:
        """Yield pieces of a text, whose tokens are those of the text, and where each begins."""
        start = 0
        while len(text) - start > _PIECE:
            end = self._end(text, start + _PIECE)
            yield start, text[start:end]
            start = end
        yield start, text[start:]

    def _end(self, text: str, reach: int) -> int:
        """Return the first place from one on where a piece may end."""
        farthest = min(len(text), reach + _FARTHEST)
        cut = self._cut.search(text, reach, farthest) if self._cut else None
        return cut.start() if cut else farthest


def _offsets(encoding: Encoding, limit: int) -> npt.NDArray[np.int32]:
    """Return the first offsets of an encoding, which is not to be used again."""
    encoding.truncate(min(limit, _OFFSETS))
    parts = [encoding] if limit <= _OFFSETS else [encoding, *encoding.overflowing]
    offsets = [np.array(part.offsets, dtype=np.int32).reshape(-1, 2) for part in parts]
    return np.concatenate(offsets)[:limit] if len(offsets) > 1 else offsets[0]


def _cut_pattern(tokenizer: Tokenizer) -> re.Pattern[str] | None:
    """Match the places where this tokenizer can be cut; None when there are none to rely on."""
    if tokenizer.pre_tokenizer is None:
        return None
    added = "".join(token.content for token in tokenizer.get_added_tokens_decoder().values())
    safe = [c for c in _CUT_BEFORE if c not in added and _splits_before(tokenizer, c)]
    if not safe:
        return None
    # ``[^\W_]`` is a letter or digit: never a mark that could join what is before it, nor
    # punctuation, which some tokenizers join with what follows.
    return re.compile(rf"(?<=[^\W_])[{re.escape(''.join(safe))}]")


def _splits_before(tokenizer: Tokenizer, separator: str) -> bool:
    """Whether what precedes the separator is split alike with and without what follows."""
    for probe in _PROBES:
        head = probe.partition("{}")[0]
        alone, followed = (
            split_pieces(tokenizer, head),
            split_pieces(tokenizer, probe.format(separator)),
        )
        if len(followed) <= len(alone) or followed[: len(alone)] != alone:
            return False
    return True


def split_pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    """Return the pieces in which a tokenizer looks for tokens; it must have a pre-tokenizer."""
    if tokenizer.normalizer is not None:
        text = tokenizer.normalizer.normalize_str(text)
    return [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]
