"""Framing: markers, expansion, skiplist, and offsets into the text as it was passed."""

from __future__ import annotations

import json
import unicodedata
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from tokenizers import processors as post_processors

from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.encoder.checkpoint import SpecialTokens
from lfm2_colbert_rag.encoder.config import FramingConfig
from lfm2_colbert_rag.encoder.framing import FramedText, Framing
from lfm2_colbert_rag.errors import InputError, ModelFormatError

from .checkpoints import BOS, EOS, MARKERS, SPECIAL, tokenizer_json

QUERY, DOCUMENT = (Tokenizer.from_str(tokenizer_json()).token_to_id(m) for m in MARKERS)
TEXTS = [
    "What is the capital of France?",
    "  Où est la gare ?\n",
    "日本語のテキスト、東京。",
    "ภาษาไทย ที่นี่",
    "الكتاب على الطاولة ، أين هو؟",
    "👩‍👩‍👧 e\u0301a 𐍈 naïve",
    "",
    " \t\n ",
    "!!! ??? ...",
    "<|im_end|> in the text",
]


def make(special: SpecialTokens | None = None, **options: Any) -> Framing:
    options = {"query_length": 16, "document_length": 64, **options}
    return Framing(
        tokenizer_json(), FramingConfig(**options), special or SpecialTokens(eos=SPECIAL[EOS])
    )


@lru_cache
def truncating_tokenizer(length: int, *, pad: bool) -> Tokenizer:
    tokenizer = Tokenizer.from_str(tokenizer_json())
    tokenizer.enable_truncation(length)
    if pad:
        tokenizer.enable_padding(length=length, pad_id=EOS, pad_token=SPECIAL[EOS])
    return tokenizer


def pylate_document(text: str, length: int, skiplist: tuple[str, ...]) -> tuple[Any, ...]:
    """Ids and kept positions of one document in NFC, worked out step by step as PyLate does."""
    tokenizer = truncating_tokenizer(length - 1, pad=False)
    ids = tokenizer.encode(unicodedata.normalize("NFC", text).strip()).ids
    ids = [*ids[:1], DOCUMENT, *ids[1:]]
    skipped = {tokenizer.token_to_id(word) for word in skiplist}
    return ids, [i not in skipped for i in ids]


def pylate_query(text: str, length: int) -> tuple[Any, ...]:
    normal = unicodedata.normalize("NFC", text).strip()
    encoding = truncating_tokenizer(length - 1, pad=True).encode(normal)
    ids, mask = encoding.ids, encoding.attention_mask
    return [*ids[:1], QUERY, *ids[1:]], [*mask[:1], 1, *mask[1:]]


@pytest.mark.parametrize("text", TEXTS)
def test_documents_are_framed_as_pylate_frames_them(framing: Framing, text: str) -> None:
    ids, keep = pylate_document(text, 64, framing.config.skiplist)
    framed = framing.document([text])[0]
    assert framed.input_ids.tolist() == ids
    assert framed.attention_mask.all()
    assert framed.keep.tolist() == keep


@pytest.mark.parametrize("text", [*TEXTS, "the quick brown fox " * 20])
def test_queries_are_framed_as_pylate_frames_them(framing: Framing, text: str) -> None:
    ids, mask = pylate_query(text, 16)
    framed = framing.query([text])[0]
    assert framed.input_ids.tolist() == ids
    assert framed.attention_mask.tolist() == [bool(m) for m in mask]
    assert framed.keep.all()
    assert len(framed) == 16


@settings(deadline=None)
@given(texts=st.lists(st.text(max_size=80).filter(lambda t: not any(m in t for m in MARKERS))))
def test_any_text_is_framed_as_pylate_frames_it(framing: Framing, texts: list[str]) -> None:
    for text, framed in zip(texts, framing.document(texts), strict=True):
        ids, keep = pylate_document(text, 64, framing.config.skiplist)
        assert framed.input_ids.tolist() == ids
        assert framed.keep.tolist() == keep
    for text, framed in zip(texts, framing.query(texts), strict=True):
        assert framed.input_ids.tolist() == pylate_query(text, 16)[0]


@pytest.mark.parametrize("text", TEXTS)
def test_the_first_two_positions_are_the_start_and_the_marker(framing: Framing, text: str) -> None:
    assert framing.query([text])[0].input_ids[:2].tolist() == [BOS, QUERY]
    framed = framing.document([text])[0]
    assert framed.input_ids[:2].tolist() == [BOS, DOCUMENT]
    assert framed.keep[:2].all()
    assert not framed.spans[:2].any()


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("text", ["{}x", "see {}here", "  {}  {}", "a{}", "\n{}"])
def test_a_marker_typed_in_a_text_stays_text(framing: Framing, marker: str, text: str) -> None:
    written = text.replace("{}", marker)
    for framed in (framing.query([written])[0], framing.document([written])[0]):
        assert not set(framed.input_ids[2:].tolist()) & {QUERY, DOCUMENT}
        assert "[" in "".join(covered(framed, written))


def test_markers_that_the_tokenizer_lacks_get_the_ids_after_its_last() -> None:
    text = tokenizer_json(markers=False)
    framing = Framing(text, FramingConfig(query_expansion=False))
    size = Tokenizer.from_str(text).get_vocab_size()
    assert framing.query(["x"])[0].input_ids[1] == size
    assert framing.document(["x"])[0].input_ids[1] == size + 1


def test_a_marker_among_the_models_own_pieces_keeps_its_id() -> None:
    pieces = {"<unk>": 0, "[Q] ": 1, "a": 2, "[D] ": 3, "b": 4}
    tokenizer = Tokenizer(models.WordLevel(pieces, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    framing = Framing(tokenizer.to_str(), FramingConfig(query_expansion=False))
    assert framing.query(["a b"])[0].input_ids.tolist() == [2, 1, 4]
    assert framing.document(["a b"])[0].input_ids.tolist() == [2, 3, 4]


def test_empty_prefixes_insert_nothing() -> None:
    framing = make(query_prefix="", document_prefix="", document_length=6)
    ids = framing.document(["the quick brown fox jumps over"])[0].input_ids
    assert ids[0] == BOS
    assert len(ids) == 6
    assert not {QUERY, DOCUMENT} & set(ids.tolist())


def test_a_tokenizer_with_added_tokens_after_the_markers_is_refused() -> None:
    tokenizer = Tokenizer.from_str(tokenizer_json())
    tokenizer.add_tokens(["<|later|>"])
    with pytest.raises(ModelFormatError, match="last added tokens"):
        Framing(tokenizer.to_str(), FramingConfig(), SpecialTokens(eos=SPECIAL[EOS]))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"added_tokens": 3}'])
def test_an_unreadable_tokenizer_is_a_format_error(content: str) -> None:
    with pytest.raises(ModelFormatError, match=r"tokenizer\.json"):
        Framing(content, FramingConfig())


def test_trailing_special_tokens_survive_truncation() -> None:
    tokenizer = Tokenizer.from_str(tokenizer_json())
    tokenizer.post_processor = post_processors.TemplateProcessing(
        single=f"{SPECIAL[1]} $A {SPECIAL[2]}", special_tokens=[(SPECIAL[1], 1), (SPECIAL[2], 2)]
    )
    framing = Framing(tokenizer.to_str(), FramingConfig(document_length=8, query_expansion=False))
    framed = framing.document(["the quick brown fox jumps over the lazy dog"])[0]
    assert len(framed) == 8
    assert framed.input_ids[[0, 1, -1]].tolist() == [BOS, DOCUMENT, 2]
    assert not framed.spans[-1].any()


@pytest.mark.parametrize(
    ("special", "options", "expected"),
    [
        (SpecialTokens(mask="e", eos=SPECIAL[3], pad=SPECIAL[0]), {}, "e"),
        (SpecialTokens(eos=SPECIAL[3], pad=SPECIAL[0]), {}, SPECIAL[3]),
        (SpecialTokens(pad=SPECIAL[0]), {}, SPECIAL[0]),
        (SpecialTokens(eos=3), {}, SPECIAL[3]),
        (SpecialTokens(mask="e", eos=SPECIAL[3]), {"expansion_token": SPECIAL[2]}, SPECIAL[2]),
    ],
)
def test_queries_expand_with_mask_else_end_else_padding(
    special: SpecialTokens, options: dict[str, Any], expected: str
) -> None:
    framed = make(special, **options).query(["a"])[0]
    assert framed.input_ids[-1] == Tokenizer.from_str(tokenizer_json()).token_to_id(expected)


@pytest.mark.parametrize("special", [SpecialTokens(), SpecialTokens(eos="<|nowhere|>")])
def test_no_token_to_expand_with_is_a_format_error(special: SpecialTokens) -> None:
    with pytest.raises(ModelFormatError, match="Query expansion"):
        make(special)


def test_expansion_is_attended_only_when_asked() -> None:
    assert not make().query(["a"])[0].attention_mask[3:].any()
    assert make(attend_to_expansion_tokens=True).query(["a"])[0].attention_mask.all()


def test_without_expansion_a_query_has_its_own_length() -> None:
    framed = make(query_expansion=False).query(["a", "the quick brown fox " * 9])
    assert len(framed[0]) == 3
    assert framed[0].keep.all()
    assert len(framed[1]) == 16


def test_skiplist_words_that_are_no_single_token_are_left_out() -> None:
    framing = make(skiplist=("!", "no single token"))
    assert len(framing.skiplist_ids) == 1


def test_a_document_of_skipped_tokens_keeps_start_and_marker(framing: Framing) -> None:
    framed = framing.document(["!!!"])[0]
    assert framed.keep[:2].all()
    assert len(framed) > 2


def covered(framed: FramedText, text: str) -> list[str]:
    return [text[start:end] for start, end in framed.spans.tolist()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Berlin!  1234", {"B", "!", "123", "4"}),
        ("👩‍👧", {"👩", "\u200d", "👧"}),
        ("e\u0301", {"e", "\u0301"}),
        ("\n 東京、", {"東", "京", "、"}),
    ],
)
def test_spans_are_whole_characters_without_whitespace(
    framing: Framing, text: str, words: set[str]
) -> None:
    pieces = set(covered(framing.document([text])[0], text)[2:])
    assert words <= pieces | {w for p in pieces for w in p}
    assert all(piece == (piece.strip() or piece) and piece for piece in pieces)


@settings(deadline=None)
@given(text=st.text(max_size=40))
def test_spans_cover_the_text_in_order(framing: Framing, text: str) -> None:
    """Together they hold every character that is not whitespace, and each is a valid cut."""
    framed = framing.document([text])[0]
    spans = framed.spans[2:]
    assert len(framed) == 64 or set(range(len(text))) - {
        i for start, end in spans.tolist() for i in range(start, end)
    } <= {i for i, c in enumerate(text) if c.isspace()}
    assert (spans[:, 0] <= spans[:, 1]).all()
    assert (np.diff(spans[:, 0]) >= 0).all()
    assert spans.size == 0 or spans.max() <= len(text)


@settings(deadline=None)
@given(
    text=st.text(alphabet="ab é東👩\u0301\n", max_size=20), pad=st.sampled_from(["", " ", "\n\t "])
)
def test_surrounding_whitespace_changes_only_the_offsets(
    framing: Framing, text: str, pad: str
) -> None:
    plain, padded = framing.document([text, pad + text + pad])
    assert plain.input_ids.tolist() == padded.input_ids.tolist()
    assert covered(plain, text) == covered(padded, pad + text + pad)


SHORT = {length: make(document_length=length) for length in (4, 9, 30)}


@settings(deadline=None)
@given(text=st.text(alphabet="ab é東👩\u0301\n.,!", max_size=40))
def test_token_spans_tell_what_fits(text: str) -> None:
    """A text is cut exactly when it has more tokens of its own than there is room for."""
    for length, framing in SHORT.items():
        spans = framing.token_spans([text])[0]
        assert framing.document_room == length - 2
        framed = framing.document([text])[0]
        np.testing.assert_array_equal(framed.spans[2:], spans[: length - 2])


@pytest.mark.parametrize("blank", ["\n", "  ", "\n\n   "])
def test_token_spans_of_what_is_read_in_pieces_lie_where_the_tokens_are(blank: str) -> None:
    encoder = load_encoder("nano")
    unit = f"lamp{blank}"
    long, short = (encoder.token_spans([unit * times])[0] for times in (8000, 8))
    starts = {int(start) % len(unit) for start in long[:, 0]}
    assert starts == {int(start) % len(unit) for start in short[:, 0]}
    assert long.max() <= len(unit) * 8000


def test_spans_under_a_normaliser_point_into_the_original_text() -> None:
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "fi": 1, "abc": 2}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    framing = Framing(tokenizer.to_str(), FramingConfig(query_expansion=False, document_prefix=""))
    text = " \ufb01 \uff41bc"
    assert unicodedata.normalize("NFKC", text).split() == ["fi", "abc"]
    framed = framing.document([text])[0]
    assert framed.input_ids.tolist() == [1, 2]
    assert covered(framed, text) == ["\ufb01", "\uff41bc"]


def test_options_saved_in_the_tokenizer_do_not_cut_or_pad() -> None:
    """tokenizer.json remembers the truncation and padding it was last used with."""
    tokenizer = Tokenizer.from_str(tokenizer_json())
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=50)
    framing = Framing(tokenizer.to_str(), FramingConfig(query_expansion=False))
    content = json.loads(tokenizer.to_str())
    assert content["truncation"]
    assert content["padding"]
    assert 3 < len(framing.document(["the quick brown fox"])[0]) < 50


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "list of texts"),
        (["fine", 3], "Text 1 is of type int"),
        (["fine", None], "Text 1 is of type NoneType"),
        (["fine", "ab\ud83d"], "Text 1 is not valid Unicode: character 2"),
    ],
)
def test_what_is_no_text_is_an_input_error(framing: Framing, texts: Any, message: str) -> None:
    for frame in (framing.query, framing.document):
        with pytest.raises(InputError, match=message):
            frame(texts)


def test_no_texts_give_no_results(framing: Framing) -> None:
    assert framing.query([]) == []
    assert framing.document([]) == []


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_framing_a_list_equals_framing_one_by_one(framing: Framing, data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.text(max_size=30), max_size=5))
    together = framing.document(texts)
    alone = [framing.document([text])[0] for text in texts]
    assert [t.input_ids.tolist() for t in together] == [t.input_ids.tolist() for t in alone]
