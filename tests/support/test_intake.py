"""What people feed it: made good in one obvious way, told once, or refused by name."""

from __future__ import annotations

import datetime as dt
import json
import unicodedata
from collections import deque
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever, plain_metadata
from lfm2_colbert_rag._support.characters import storable
from lfm2_colbert_rag._support.intake import content_id
from lfm2_colbert_rag.errors import InputError

from .given import BERLIN, NFC, NFD, Colour, Level, Text, Word, warnings


class TestBlankTexts:
    BLANK = (
        "",
        " ",
        "\n\t \u3000",
        "\x0c",
        "\0",
        "\ufeff",
        "\u200b\u00ad\u2060",
        "\u2800",
        "\u3164",
        "\ud83d \udcff",
    )

    def test_are_left_out_with_one_warning_and_ids_stay_in_step(self, empty, caplog):
        texts = ["one", *self.BLANK, "two"]
        ids = [f"p{place}" for place in range(len(texts))]
        metadata = [{"n": place} for place in range(len(texts))]
        added = empty.add(texts, ids=ids, metadata=metadata)
        assert added == ids
        assert added.left_out == tuple(range(1, len(texts) - 1))
        assert [(one.id, one.metadata) for one in empty.passages()] == [
            (ids[0], {"n": 0}),
            (ids[-1], {"n": len(texts) - 1}),
        ]
        (told,) = warnings(caplog)
        assert f"{len(self.BLANK)} blank passages left out (first: text 1 (id 'p1'))" in told

    @pytest.mark.parametrize("text", BLANK)
    def test_are_refused_by_who_wants_it(self, empty, text):
        with pytest.raises(InputError, match=r"text 1 \(id 'b'\) is empty.*Leave it out"):
            empty.add(["fine", text], ids=["a", "b"], strict=True)
        assert len(empty) == 0

    def test_leave_what_is_stored_under_their_id(self, empty):
        empty.add(["one"], ids=["1"])
        empty.add([" "], ids=["1"])
        assert empty.get(["1"])[0].text == "one"

    def test_have_an_id_all_the_same(self, empty):
        added = empty.add(["", "one", ""])
        assert len(added) == 3
        assert [id in empty for id in added] == [False, True, False]

    def test_alone_commit_nothing(self, empty):
        before = empty.stats().generation
        assert empty.add(["", " "], ids=["1", "2"]).left_out == (0, 1)
        assert empty.stats().generation == before

    def test_of_a_new_index(self, caplog):
        retriever = Retriever.from_texts(["", "one"], ids=["1", "2"], model="hash")
        assert [one.id for one in retriever.passages()] == ["2"]
        assert len(warnings(caplog)) == 1
        with pytest.raises(InputError, match="is empty"):
            Retriever.from_texts(["", "one"], model="hash", strict=True)

    async def test_in_async_code(self, empty):
        added = await empty.aadd(["", "one"], ids=["1", "2"])
        assert (added, added.left_out) == (["1", "2"], (0,))
        with pytest.raises(InputError, match="is empty"):
            await empty.aadd([""], strict=True)


class TestCharacters:
    def test_that_cannot_be_stored_are_replaced_with_one_warning(self, empty, caplog):
        ids = empty.add(
            ["good", "x \ud835 y", "Scan\0ner", "\ud83d\ude00", "fine", "fine"],
            ids=["a", "b\0", "c\udc00", "d", "e\0", "f"],
            metadata=[{"k\0": "v\ud800"}, *[None] * 5],
        )
        assert ids == ["a", "b\ufffd", "c\ufffd", "d", "e\ufffd", "f"]
        assert [(one.id, one.text) for one in empty.passages()] == [
            ("a", "good"),
            ("b\ufffd", "x \ufffd y"),
            ("c\ufffd", "Scan\ufffdner"),
            ("d", "😀"),  # two halves side by side are one character
            ("e\ufffd", "fine"),
            ("f", "fine"),
        ]
        assert empty.get(["a"])[0].metadata == {"k\ufffd": "v\ufffd"}
        (told,) = warnings(caplog)
        assert "characters that cannot be stored, in 5 passages" in told

    @pytest.mark.parametrize(
        "given",
        [
            {"texts": ["a\0"]},
            {"texts": ["a\ud83d"]},
            {"texts": ["a"], "ids": ["a\0"]},
            {"texts": ["a"], "ids": ["\udc00"]},
            {"texts": ["a"], "metadata": [{"a": "x\0"}]},
            {"texts": ["a"], "metadata": [{"a\0": "x"}]},
            {"texts": ["a"], "metadata": [{"a": ["\ud800"]}]},
        ],
    )
    def test_are_refused_by_who_wants_it(self, empty, given):
        with pytest.raises(InputError, match=r"NUL|lone surrogate"):
            empty.add(**given, strict=True)
        assert len(empty) == 0

    def test_ids_are_found_again_as_they_were_given(self, empty):
        given = ["a\0b", "\ud800", NFD]
        empty.add(["one", "two", "three"], ids=given)
        assert len(empty.get(given)) == 3
        assert all(id in empty for id in given)
        assert empty.explain("one", given[0]).passage.text == "one"
        assert len(empty.vectors(given)) == 3
        assert empty.delete(given) == 3


class TestNormalForm:
    def test_of_ids(self, empty):
        assert empty.add(["one"], ids=[NFD]) == [NFC]
        assert empty.add(["two"], ids=[NFC]) == [NFC]
        assert len(empty) == 1
        for id in (NFC, NFD):
            assert id in empty
            assert empty.get([id])[0].text == "two"
        assert empty.delete([NFD]) == 1

    def test_of_sources(self, empty, caplog):
        for path in (NFD, Path(NFD)):
            empty.add(["one"], ids=["1"], metadata=[{"source": path, "title": NFD}])
            assert empty.get(["1"])[0].metadata == {"source": NFC, "title": NFD}
            assert len(warnings(caplog)) == (path != NFD)  # that it is a path is told, no more

    def test_is_not_given_to_texts(self, empty):
        empty.add([NFD], ids=["1"])
        assert empty.get(["1"])[0].text == NFD

    def test_of_two_spellings_in_one_call(self, empty):
        assert empty.add(["one", "one"], ids=[NFD, NFC]) == [NFC, NFC]
        with pytest.raises(InputError, match="texts 0 and 1, which differ"):
            empty.add(["one", "two"], ids=[NFD, NFC])

    def test_is_asked_of_who_wants_to_get_back_what_was_given(self, empty):
        with pytest.raises(InputError, match=r"id 0 is .* in decomposed letters"):
            empty.add(["one"], ids=[NFD], strict=True)
        with pytest.raises(InputError, match=r"'source' is .* in decomposed letters"):
            empty.add(["one"], metadata=[{"source": NFD}], strict=True)


class TestIds:
    def test_follow_from_text_and_metadata(self, empty):
        first = empty.add(["a", "a", "b"], metadata=[{"n": 1, "m": 2}, None, None])
        assert len(set(first)) == 3
        again = empty.add(["a", "a", "b"], metadata=[{"m": 2, "n": 1}, {}, {}])
        assert again == first
        assert len(empty) == 3

    def test_are_the_same_in_every_run(self):
        assert content_id("Hold the key.", {"n": 1}) == "1a67d7f09cd442cc6d5497124d20c58f"

    def test_tell_values_of_different_kinds_apart(self):
        values = [1, True, 1.0, "1", [1], None]
        assert len({content_id("a", {"x": value}) for value in values}) == len(values)

    def test_script_that_runs_twice_stores_nothing_twice(self, folder):
        for _ in (1, 2):
            with Retriever.open(folder, model="hash") as retriever:
                retriever.add(["a", "b", "c"], metadata=[{"on": dt.date(2024, 1, 5)}, None, None])
                generation = retriever.stats().generation
                assert len(retriever) == 3
        assert generation == 1

    def test_may_be_left_out_for_some(self, empty):
        added = empty.add(["a", "b"], ids=[None, "mine"])
        assert added == [content_id("a", {}), "mine"]

    def test_of_equal_passages_are_one(self, empty):
        when = {"on": (1, 2)}
        added = empty.add(
            ["a", "a", "a"], ids=["1", "1", "1"], metadata=[when, {"on": [1, 2]}, when]
        )
        assert (added, len(empty)) == (["1", "1", "1"], 1)
        assert empty.add(["b", "b"]).left_out == ()
        assert len(empty) == 2

    @pytest.mark.parametrize(
        ("texts", "metadata"),
        [
            (["a", "b"], None),
            (["a", "a"], [{"x": 1}, {"x": True}]),
            (["a", "a"], [{"x": 1}, {"x": 1.0}]),
            (["a", "a"], [{}, {"x": None}]),
        ],
    )
    def test_of_different_passages_are_refused_with_both_places(self, empty, texts, metadata):
        with pytest.raises(InputError, match="id '1' is given twice, for texts 0 and 1, which"):
            empty.add(texts, ids=["1", "1"], metadata=metadata)
        assert len(empty) == 0

    def test_of_a_blank_and_a_written_text(self, empty):
        assert empty.add(["", "a"], ids=["1", "1"]) == ["1", "1"]
        assert empty.get(["1"])[0].text == "a"

    def test_that_come_twice_are_refused_by_who_wants_it(self, empty):
        with pytest.raises(InputError, match=r"^id '1' is given twice: texts 0 and 1 are the same"):
            empty.add(["a", "a"], ids=["1", "1"], strict=True)
        with pytest.raises(InputError, match=r"^texts 0 and 1 are the same passage"):
            empty.add(["a", "a"], strict=True)

    def test_that_were_made_up_are_not_what_an_error_names(self, empty):
        with pytest.raises(InputError) as caught:
            empty.add(["fine", "a"], metadata=[None, {"x": object()}])
        assert "text 1, 'x' is object" in str(caught.value)

    def test_come_in_any_iterable(self, empty):
        fields = {"1": "one", "2": "two"}
        for ids in (fields.keys(), tuple(fields), iter(fields), np.array([*fields]), deque(fields)):
            assert empty.add(fields.values(), ids=ids) == ["1", "2"]
        for ids in ({"1", "2"}, frozenset({"1"}), iter(["1"]), np.array(["1"]), fields.keys()):
            assert "one" in [passage.text for passage in empty.get(ids)]
        assert type(empty.get(np.array(["1"]))[0].id) is str
        assert empty.delete({"1", "2", "3"}) == 2

    @pytest.mark.parametrize("wrong", ["1", b"1", {"1": 2}, 7, None, np.array("1")])
    def test_that_are_no_list_are_refused_by_name(self, empty, wrong):
        for call in (empty.get, empty.vectors, *([empty.delete] if wrong is not None else [])):
            with pytest.raises(InputError, match="ids must be a list of strings, not"):
                call(wrong)
        with pytest.raises(InputError, match="texts must be a list of strings, not"):
            empty.add(wrong)

    @pytest.mark.parametrize("wrong", [7, None, b"1", 1.5, UUID(int=1), ["1"]])
    def test_that_are_no_strings_are_refused_by_name(self, empty, wrong):
        with pytest.raises(InputError, match=r"id 1 must be a string, not .*; write str\(id\)"):
            empty.get(["1", wrong])
        assert wrong not in empty

    def test_of_subclasses_are_plain_strings(self, empty):
        added = empty.add([Text("a"), np.str_("b")], ids=[Text("1"), Word.YES])
        assert added == ["1", "yes"]
        assert {type(one.id) for one in empty.passages()} == {str}
        assert [one.text for one in empty.passages()] == ["a", "b"]

    def test_cannot_be_in_step_with_a_set(self, empty):
        for lists in (
            {"texts": {"a", "b"}, "ids": ["1", "2"]},
            {"texts": ["a", "b"], "ids": {"1", "2"}},
            {"texts": {"a"}, "metadata": [{}]},
        ):
            with pytest.raises(InputError, match="one of them is a set"):
                empty.add(**lists)
        assert len(empty.add({"a", "b"})) == 2

    def test_whatever_a_generator_raises_is_its_own(self, empty):
        def texts():
            yield "a"
            raise LookupError("the database is gone")

        with pytest.raises(LookupError, match="the database is gone"):
            empty.add(texts())
        assert len(empty) == 0


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.characters(categories=["Cs"])
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(BERLIN))
    | st.times()
    | st.uuids()
    | st.decimals()
    | st.sampled_from([Colour.RED, Word.YES, Level.HIGH, NFD, b"x", 1j])
    | st.builds(np.int32, st.integers(0, 9))
    | st.builds(np.float32, st.floats(width=32))
    | st.builds(lambda n: np.datetime64(n, "ns"), st.integers(-(2**62), 2**62))
)
keys = st.text(max_size=3) | st.integers(0, 3) | st.none() | st.booleans() | st.just("source")
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
        | st.frozensets(st.integers() | st.text(), max_size=3)
        | st.lists(st.floats(), max_size=3).map(np.array)
    ),
    max_leaves=6,
)
metadata = st.none() | st.dictionaries(keys, values, max_size=3)
texts = st.text(st.characters() | st.characters(categories=["Cs"]) | st.just("\0"), max_size=6)
passages = st.lists(st.tuples(texts, st.none() | texts, metadata), max_size=3)


@settings(max_examples=25)
@given(passages)
def test_what_is_taken_comes_back_as_it_is_in_json_and_adding_it_again_changes_nothing(
    shared, given
):
    shared.delete(all=True)
    texts, ids, facts = ([one[place] for one in given] for place in range(3))
    try:
        added = shared.add(texts, ids=ids, metadata=facts)
    except InputError:
        assert len(shared) == 0
        return
    for place, (text, id, metadata) in enumerate(given):
        if place in added.left_out:
            continue
        (stored,) = shared.get([added[place]])
        assert stored.text == storable(text)
        assert id is None or stored.id == unicodedata.normalize("NFC", storable(id))
        assert json.dumps(stored.metadata) == json.dumps(
            plain_metadata(metadata or {}), allow_nan=False
        )
        if id is None:
            assert stored.id == content_id(stored.text, stored.metadata)
    generation, kept = shared.stats().generation, list(shared.passages())
    again = shared.add(
        [one.text for one in kept],
        ids=[one.id for one in kept],
        metadata=[one.metadata for one in kept],
        strict=True,
    )
    assert again == [one.id for one in kept]
    assert shared.stats().generation == generation
    shared.add(texts, ids=ids, metadata=facts)
    assert shared.stats().generation == generation
