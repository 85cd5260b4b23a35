"""Reading only the head of a long text gives exactly the first tokens of the whole."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from lfm2_colbert_rag.encoder import head_tokenizer
from lfm2_colbert_rag.encoder.head_tokenizer import HeadTokenizer, _cut_pattern

from .checkpoints import tokenizer_json

ALPHABET = "ab9Zé ßя東京 ท\u0301، 。，!'_-\n\t  <|im_end|>👩"


def unigram(*, whole_text: bool = False) -> Tokenizer:
    """A sentencepiece-like tokenizer, one that may join words when ``whole_text``."""
    pieces = [("<unk>", -10.0), ("▁", -3.0), ("a", -3.0), ("b", -3.0), ("▁a", -2.5), ("ab", -2.0)]
    pieces += [("b▁a", -1.0), ("a▁", -1.5), ("東", -3.0), ("。", -3.0), ("東。", -2.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=not whole_text)
    return tokenizer


def make_tokenizer(kind: str) -> Tokenizer:
    if kind == "published":
        return Tokenizer.from_str(tokenizer_json(markers=False))
    if kind == "published with spaced tokens":
        tokenizer = Tokenizer.from_str(tokenizer_json(markers=False))
        tokenizer.add_tokens(["a b", "b。a"])
        return tokenizer
    if kind == "splits at digits only":
        tokenizer = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\d"), "isolated")
        return tokenizer
    return unigram(whole_text=kind == "unigram over the whole text")


KINDS = [
    "published",
    "published with spaced tokens",
    "splits at digits only",
    "unigram",
    "unigram over the whole text",
]
TOKENIZERS = {kind: make_tokenizer(kind) for kind in KINDS}
EAGER = {kind: HeadTokenizer(t, characters_per_token=1) for kind, t in TOKENIZERS.items()}


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(text=st.text(alphabet=ALPHABET, max_size=60), limit=st.integers(1, 12))
def test_head_equals_the_start_of_the_whole(kind: str, text: str, limit: int) -> None:
    """Even when hardly more characters are read than tokens are wanted."""
    whole = TOKENIZERS[kind].encode(text, add_special_tokens=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(head_tokenizer, "_OFFSETS", 5)
        head = EAGER[kind].encode([text], limit)[0]
    assert head.ids == whole.ids[:limit]
    assert list(map(tuple, head.offsets.tolist())) == whole.offsets[:limit]


@pytest.mark.parametrize(
    ("kind", "separators"),
    [
        ("published", " 。，、！？；：،؛؟।"),
        ("published with spaced tokens", "，、！？；：،؛؟।"),
        ("splits at digits only", ""),
        ("unigram", " "),
        ("unigram over the whole text", ""),
    ],
)
def test_cuts_only_where_the_tokenizer_splits(kind: str, separators: str) -> None:
    pattern = _cut_pattern(TOKENIZERS[kind])
    cuts = [c for c in " 。，、！？；：،؛؟।.,\n" if pattern and pattern.search(f"a{c}b")]
    assert "".join(cuts) == separators


@pytest.mark.parametrize("unit", ["hello world ", "你好，世界", "東京タワー\n大阪？"])
def test_of_a_megabyte_only_the_head_is_tokenized(unit: str) -> None:
    tokenizer = HeadTokenizer(TOKENIZERS["published"])
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    tokens = tokenizer.encode([text], 100)[0]
    assert time.process_time() - started < 0.25
    assert len(tokens.ids) == 100


def test_a_short_head_is_widened_until_it_suffices() -> None:
    """Added tokens make many characters of one id."""
    tokenizer = TOKENIZERS["published"]
    text = "<|im_end|> a" * 200
    head = HeadTokenizer(tokenizer, characters_per_token=1).encode([text, "a"], 90)
    assert head[0].ids == tokenizer.encode(text, add_special_tokens=False).ids[:90]
    assert len(head[1].ids) == 1
