"""JSON from elsewhere is a value or a JsonError, in linear time."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag._support.regular import IrregularFileError
from lfm2_colbert_rag._support.safe_json import MAX_DEPTH, JsonError, load_json, parse_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab\\ud8", max_size=9), inner),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_json_is_read_as_it_is(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert parse_json(text) == parse_json(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 200_000, "nested"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested"),
        ('{"a":' * 100_000, "nested"),
        ("9" * 1_000_000, "digits"),
        ("1e999", "too large"),
        ("[NaN]", "NaN"),
        ("-Infinity", "Infinity"),
        ('{"a": {"b": 1, "b": 1}}', "'b' is there twice"),
        ('"\\ud800"', "surrogate"),
        ('{"\\udc00": 1}', "surrogate"),
        (b"\xff", "utf-8"),
        ("", "Expecting"),
        ("{} x", "Extra data"),
    ],
    ids=range(13),
)
def test_what_is_not_to_be_used_is_refused(text, said):
    with pytest.raises(JsonError, match=said) as caught:
        parse_json(text)
    assert len(str(caught.value)) < 400


def test_the_deepest_value_and_pairs_of_surrogates_are_read():
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert parse_json('"\\ud83d\\ude00\\\\ud800"') == "😀\\ud800"


def test_files_are_read_up_to_a_limit(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[1, 2]")
    assert load_json(path) == [1, 2]
    with pytest.raises(JsonError, match="more than 5 bytes"):
        load_json(path, max_bytes=5)
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo"):
        with pytest.raises(IrregularFileError):
            load_json(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        load_json(tmp_path / "none")
