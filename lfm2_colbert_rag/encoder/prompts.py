"""Prompts of several tokens, as "query: " is to most tokenizers, for the framing of texts."""

from __future__ import annotations

from tokenizers import Tokenizer

from ..errors import ModelFormatError
from .head_tokenizer import split_pieces

# Words of several scripts, a number, punctuation, and what is written without spaces before it.
_PROBES = ("a", "Zebra", "97", "été", "(x)", ":", "你好", "カタ", "вода", "كتاب", "ไทย")


def prompt_ids(tokenizer: Tokenizer, prompt: str) -> tuple[int, ...]:
    """Return the tokens that a prompt has before any text.

    sentence-transformers tokenizes prompt and text as one string. That is the same as putting the
    prompt's tokens first where the tokenizer splits between them whatever the text is.

    Args:
        tokenizer: without truncation or padding of its own.
        prompt: what is written before a text.

    Raises:
        ModelFormatError: the tokens depend on the text.
    """
    found = {_before(tokenizer, prompt, probe) for probe in _PROBES}
    ids = found.pop()
    if found or not ids:
        raise ModelFormatError(
            f"The prompt {prompt!r} is not one token of tokenizer.json, nor tokens that are the "
            "same before every text; supported are prompts that are a single added token, or that "
            "end where the tokenizer splits."
        )
    return ids


def _before(tokenizer: Tokenizer, prompt: str, text: str) -> tuple[int, ...]:
    """Return the tokens before those of the text; none where the two are not split apart."""
    if tokenizer.pre_tokenizer is None:
        return ()
    pieces, joined = (split_pieces(tokenizer, one) for one in (text, prompt + text))
    if joined[-len(pieces) :] != pieces:
        return ()
    alone = tokenizer.encode(text, add_special_tokens=False).ids
    return tuple(tokenizer.encode(prompt + text, add_special_tokens=False).ids[: -len(alone)])
