"""Text to token ids, masks and character offsets, as PyLate frames it.

The only module that knows of markers, query expansion and the skiplist. Source of the rules:
``ColBERT.tokenize`` and ``ColBERT.encode`` of PyLate 1.6; with one deliberate difference: a marker
typed in a user's text stays plain text, where PyLate would read it as the marker. (Version 6 of
sentence-transformers differs from PyLate in that it does not strip texts; here they are stripped
whichever library saved the checkpoint.) Texts are read in their normal form, NFC, as most are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, normalizers

from ..errors import InputError, ModelFormatError
from .checkpoint import Checkpoint, SpecialTokens
from .config import FramingConfig
from .head_tokenizer import HeadTokenizer, Tokens
from .layouts import Layout
from .normal_form import NormalText, normal_form
from .prompts import prompt_ids

_TOGETHER = 1 << 17  # characters that are tokenized in one call


@dataclass(frozen=True, eq=False)
class FramedText:
    """One text, ready for the backbone: n positions.

    Attributes:
        input_ids: ``(n,)`` int64 token ids.
        attention_mask: ``(n,)`` bool, False where no position may attend (query expansion).
        keep: ``(n,)`` bool, True where the position gives a vector.
        spans: ``(n, 2)`` int32 characters ``[start, end)`` of the text as it was passed, without
            surrounding whitespace (a token of nothing else keeps it); empty for markers, special
            tokens that the text does not hold, and query expansion.
    """

    input_ids: npt.NDArray[np.int64]
    attention_mask: npt.NDArray[np.bool_]
    keep: npt.NDArray[np.bool_]
    spans: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of positions."""
        return len(self.input_ids)


class Framing:
    """Frames queries and documents. Safe to share between threads.

    Args:
        tokenizer_json: contents of a ``tokenizer.json``.
        config: markers, lengths, expansion and skiplist.
        special_tokens: what to expand queries with.
        layout: PyLate puts a marker after a text's first token, whatever that is, and gives
            markers that the tokenizer lacks the ids after its last; sentence-transformers writes
            it before the text, so that one that the tokenizer lacks is several tokens.

    Raises:
        ModelFormatError: the tokenizer is unreadable, or lacks a token that the options need, or
            joins a prompt with the text.

    Example:
        >>> framing = Framing.from_checkpoint(checkpoint)              # doctest: +SKIP
        >>> framing.query(["Where is it?"])[0].input_ids[:3]           # doctest: +SKIP
        array([    1, 64400, 15090])
    """

    def __init__(
        self,
        tokenizer_json: str,
        config: FramingConfig,
        special_tokens: SpecialTokens | None = None,
        *,
        layout: Layout = "pylate",
    ) -> None:
        self.config = config
        prefixes = (config.query_prefix, config.document_prefix)
        special = special_tokens or SpecialTokens()
        tokenizer, markers, size = _without_markers(tokenizer_json, prefixes)
        if config.lower_case:
            _lower_case(tokenizer)
        tokens: dict[str, tuple[int, ...]] = {prefix: (one,) for prefix, one in markers.items()}
        for prefix in (one for one in dict.fromkeys(prefixes) if one and one not in tokens):
            if layout == "pylate":
                tokens[prefix], size = (size,), size + 1
            else:
                tokens[prefix] = prompt_ids(tokenizer, prefix)
        self._markers, self._vocabulary = tokens, size
        self._leading, self._trailing = _template(tokenizer)
        self._tokens = HeadTokenizer(tokenizer)
        self._marker_position = 1 if layout == "pylate" else len(self._leading)
        if min(self.query_room, self.document_room) < 1:
            raise ModelFormatError(
                f"query_length {config.query_length} and document_length {config.document_length} "
                f"leave no room for a text beside the prompts {config.query_prefix!r} and "
                f"{config.document_prefix!r}."
            )
        self._skipped = np.zeros(self._vocabulary, dtype=np.bool_)
        self._skipped[_skipped_ids(tokenizer, config.skiplist, special.unk)] = True
        self._expansion_id = (
            _expansion_id(tokenizer, config, special) if config.query_expansion else None
        )

    @property
    def skiplist_ids(self) -> npt.NDArray[np.int64]:
        """Ids of the skiplist's words that are single tokens, ascending."""
        return np.flatnonzero(self._skipped)

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> Framing:
        """Build the framing that a checkpoint asks for.

        Raises:
            ModelFormatError: the tokenizer is unreadable, or its ids exceed the embedding table.
        """
        try:
            tokenizer_json = checkpoint.tokenizer_file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ModelFormatError(
                f"{checkpoint.tokenizer_file} cannot be read: {error}."
            ) from error
        framing = cls(
            tokenizer_json,
            checkpoint.framing,
            checkpoint.special_tokens,
            layout=checkpoint.layout,
        )
        if framing._vocabulary > checkpoint.backbone.vocab_size:
            raise ModelFormatError(
                f"{checkpoint.tokenizer_file} with the markers {checkpoint.framing.query_prefix!r} "
                f"and {checkpoint.framing.document_prefix!r} has {framing._vocabulary} tokens, but "
                f"the embedding table has {checkpoint.backbone.vocab_size} rows. The tokenizer is "
                "not the one this model was trained with."
            )
        return framing

    def query(self, texts: Sequence[str]) -> list[FramedText]:
        """Frame queries.

        Args:
            texts: any strings; longer ones are cut to ``query_length`` positions.

        Returns:
            One framed text each; with query expansion, each of exactly ``query_length`` positions.

        Raises:
            InputError: a text is no string, or not valid Unicode.
        """
        config = self.config
        marker = self._markers.get(config.query_prefix, ())
        framed = self._frame(texts, config.query_length, marker)
        if self._expansion_id is None:
            return framed
        return [self._expand(text, self._expansion_id) for text in framed]

    def document(self, texts: Sequence[str]) -> list[FramedText]:
        """Frame passages.

        Args:
            texts: any strings; longer ones are cut to ``document_length`` positions.

        Returns:
            One framed text each, never padded; tokens of the skiplist have ``keep`` False.

        Raises:
            InputError: a text is no string, or not valid Unicode.
        """
        config = self.config
        marker = self._markers.get(config.document_prefix, ())
        framed = self._frame(texts, config.document_length, marker)
        for text in framed:
            np.logical_not(self._skipped[text.input_ids], out=text.keep)
        return framed

    @property
    def query_room(self) -> int:
        """Tokens of a text's own that fit into ``query_length`` positions."""
        marker = self._markers.get(self.config.query_prefix, ())
        return self._room(self.config.query_length, marker)

    @property
    def document_room(self) -> int:
        """Tokens of a text's own that fit into ``document_length`` positions."""
        marker = self._markers.get(self.config.document_prefix, ())
        return self._room(self.config.document_length, marker)

    def token_spans(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Return where all tokens of each text lie, nothing cut off.

        Returns:
            ``(num_tokens, 2)`` int32 characters ``[start, end)`` of each text as it was passed;
            at most ``document_room`` of them for a text that :meth:`document` does not cut.

        Raises:
            InputError: a text is no string, or not valid Unicode.
        """
        check_texts(texts)
        normal = [normal_form(text) for text in texts]
        found: list[list[npt.NDArray[np.int32]]] = [[] for _ in texts]
        for group in _groups(self._pieces([one.text for one in normal])):
            encoded = self._tokens.encode([piece for _, _, piece in group], sys.maxsize)
            for (place, start, piece), tokens in zip(group, encoded, strict=True):
                found[place].append(_spans(tokens.offsets, piece) + np.int32(start))
        return [
            one.as_given(np.concatenate(parts) if len(parts) > 1 else parts[0])
            for one, parts in zip(normal, found, strict=True)
        ]

    def _pieces(self, texts: Sequence[str]) -> Iterator[tuple[int, int, str]]:
        """Yield texts in pieces, each with the place of its text and where it begins in it."""
        for place, text in enumerate(texts):
            shift = len(text) - len(text.lstrip())
            for start, piece in self._tokens.pieces(text.strip()):
                yield place, start + shift, piece

    def _room(self, length: int, marker: tuple[int, ...]) -> int:
        return length - len(self._leading) - len(self._trailing) - len(marker)

    def _frame(
        self, texts: Sequence[str], length: int, marker: tuple[int, ...]
    ) -> list[FramedText]:
        check_texts(texts)
        normal = [normal_form(text) for text in texts]
        stripped = [one.text.strip() for one in normal]
        encoded = self._tokens.encode(stripped, self._room(length, marker))
        return [
            self._assemble(tokens, text, marker)
            for tokens, text in zip(encoded, normal, strict=True)
        ]

    def _assemble(self, tokens: Tokens, text: NormalText, marker: tuple[int, ...]) -> FramedText:
        ids = [*self._leading, *tokens.ids, *self._trailing]
        of_text = [False] * len(ids)
        of_text[len(self._leading) : len(self._leading) + len(tokens.ids)] = [True] * len(
            tokens.ids
        )
        ids[self._marker_position : self._marker_position] = marker
        of_text[self._marker_position : self._marker_position] = [False] * len(marker)
        spans = np.zeros((len(ids), 2), dtype=np.int32)
        shift = len(text.text) - len(text.text.lstrip())
        spans[of_text] = text.as_given(_spans(tokens.offsets, text.text.strip()) + np.int32(shift))
        present = np.ones(len(ids), dtype=np.bool_)
        return FramedText(np.array(ids, dtype=np.int64), present, present.copy(), spans)

    def _expand(self, text: FramedText, expansion_id: int) -> FramedText:
        length, used = self.config.query_length, len(text)
        ids = np.full(length, expansion_id, dtype=np.int64)
        ids[:used] = text.input_ids
        attention = np.full(length, self.config.attend_to_expansion_tokens, dtype=np.bool_)
        attention[:used] = True
        spans = np.zeros((length, 2), dtype=np.int32)
        spans[:used] = text.spans
        return FramedText(ids, attention, np.ones(length, dtype=np.bool_), spans)


def _groups(
    pieces: Iterable[tuple[int, int, str]],
) -> Iterator[list[tuple[int, int, str]]]:
    """Yield some pieces at a time: what a tokenizer says of one takes many times its memory."""
    group: list[tuple[int, int, str]] = []
    characters = 0
    for one in pieces:
        if group and characters + len(one[2]) > _TOGETHER:
            yield group
            group, characters = [], 0
        group.append(one)
        characters += len(one[2])
    if group:
        yield group


def check_texts(texts: Sequence[str]) -> None:
    """Refuse what cannot be tokenized, naming the first such text.

    Raises:
        InputError: ``texts`` is itself a string, holds something else than strings, or one with
            a lone surrogate.
    """
    if isinstance(texts, str):
        raise InputError("Pass a list of texts, not one string.")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"Text {number} is of type {type(text).__name__}, not str.")
        if text.isascii():
            continue
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"Text {number} is not valid Unicode: character {error.start} is the lone "
                f"surrogate {text[error.start]!r}. Decode its bytes with errors='replace', or "
                "remove the character."
            ) from None


def _spans(spans: npt.NDArray[np.int32], text: str) -> npt.NDArray[np.int32]:
    """Return the offsets of a text as it was encoded, with whitespace trimmed off."""
    size = int(spans.max(initial=0))
    blank = np.fromiter(map(str.isspace, text[:size]), dtype=np.bool_, count=size)
    place = np.arange(size + 1, dtype=np.int32)
    # Where the first word character at or after each place starts, and the last before it ends.
    following = np.where(np.append(blank, False), size, place)
    following = np.minimum.accumulate(following[::-1])[::-1]
    preceding = np.maximum.accumulate(np.where(np.append(True, blank), 0, place))
    trimmed = np.stack((following[spans[:, 0]], preceding[spans[:, 1]]), axis=1)
    return np.where(trimmed[:, :1] < trimmed[:, 1:], trimmed, spans)


def _without_markers(
    tokenizer_json: str, prefixes: tuple[str, str]
) -> tuple[Tokenizer, dict[str, int], int]:
    """Build a tokenizer that does not know the markers.

    Returns:
        The tokenizer, the ids of the markers it knew, and the number of ids in use.
    """
    try:
        content = json.loads(tokenizer_json)
        added = content.get("added_tokens") or []
        markers = {t["content"]: int(t["id"]) for t in added if t["content"] in prefixes}
        content["added_tokens"] = [t for t in added if t["content"] not in markers]
        # tokenizer.json remembers the lengths it was last used with; ours come from the options.
        content["truncation"] = content["padding"] = None
        tokenizer = Tokenizer.from_str(json.dumps(content, ensure_ascii=False))
        moved = [
            t for t in content["added_tokens"] if tokenizer.token_to_id(t["content"]) != t["id"]
        ]
    # ``tokenizers`` raises bare ``Exception``; the JSON itself may be anything.
    except Exception as error:
        raise ModelFormatError(f"tokenizer.json cannot be read: {error}.") from error
    if moved:
        raise ModelFormatError(
            f"In tokenizer.json the added token {moved[0]['content']!r} comes after the markers "
            f"{sorted(markers)}; supported are markers that are the last added tokens."
        )
    size = max([tokenizer.get_vocab_size(), *(i + 1 for i in markers.values())])
    # A marker may also be listed among the model's own pieces only.
    known = {prefix: tokenizer.token_to_id(prefix) for prefix in prefixes if prefix}
    own = {prefix: token_id for prefix, token_id in known.items() if token_id is not None}
    return tokenizer, {**own, **markers}, size


def _template(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the special tokens that the tokenizer puts before and after every text."""
    encoding = tokenizer.encode("a")
    of_text = [place for place, part in enumerate(encoding.sequence_ids) if part is not None]
    if not of_text:
        return list(encoding.ids), []
    return list(encoding.ids[: of_text[0]]), list(encoding.ids[of_text[-1] + 1 :])


def _lower_case(tokenizer: Tokenizer) -> None:
    steps = [normalizers.Lowercase()]
    if tokenizer.normalizer is not None:
        steps.append(tokenizer.normalizer)
    tokenizer.normalizer = normalizers.Sequence(steps)


def _skipped_ids(
    tokenizer: Tokenizer, words: Sequence[str], unknown: str | int | None
) -> list[int]:
    unknown_id = tokenizer.token_to_id(unknown) if isinstance(unknown, str) else unknown
    found = (tokenizer.token_to_id(word) for word in words)
    ids = (unknown_id if token_id is None else token_id for token_id in found)
    return [token_id for token_id in ids if token_id is not None]


def _expansion_id(tokenizer: Tokenizer, config: FramingConfig, special: SpecialTokens) -> int:
    candidates = (config.expansion_token, special.mask, special.eos, special.pad)
    token = next((candidate for candidate in candidates if candidate is not None), None)
    token_id = tokenizer.token_to_id(token) if isinstance(token, str) else token
    if token_id is None:
        raise ModelFormatError(
            "Query expansion needs a mask, end-of-sequence or padding token, but the tokenizer "
            + ("has none." if token is None else f"does not know {token!r}.")
        )
    return token_id
