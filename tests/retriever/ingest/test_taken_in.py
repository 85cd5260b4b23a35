"""One rule for what comes in: rankings, streams, given vectors; and what deletes everything."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag._support.intake import content_id
from lfm2_colbert_rag.errors import InputError

from ...support.given import NFC, NFD, Level, warnings


@pytest.fixture(scope="module")
def shared():
    """Return one retriever for all tests, since it takes some time to make one."""
    with Retriever.from_texts([], model="hash") as retriever:
        yield retriever


@pytest.fixture
def empty(shared):
    """Return it without a passage."""
    shared.delete(all=True)
    return shared


class TestRankedTexts:
    def test_that_are_blank_come_last(self, empty):
        hits = empty.rerank("the key", ["", "the key", "\0", "a lock", Passage("x", " ", {"n": 1})])
        assert [hit.id for hit in hits] == ["1", "3", "0", "2", "x"]
        assert [hit.relevance for hit in hits[2:]] == [0, 0, 0]
        assert [hit.evidence for hit in hits[2:]] == [(), (), ()]
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert hits[-1].metadata == {"n": 1}
        assert [hit.id for hit in empty.rerank("the key", ["", "a lock"], 1)] == ["1"]
        assert [hit.text for hit in empty.rerank("the key", ["", " "])] == ["", " "]
        assert empty.rerank("the key", []) == []
        with pytest.raises(InputError, match="candidate 1 is empty"):
            empty.rerank("the key", ["fine", ""], strict=True)

    def test_come_in_any_iterable(self, empty):
        texts = {"a lock": 1, "the key": 2}
        for candidates in (texts, tuple(texts), (one for one in texts), np.array([*texts])):
            if isinstance(candidates, dict):
                candidates = candidates.keys()
            assert empty.rerank("the key", candidates)[0].text == "the key"

    @pytest.mark.parametrize(
        ("candidates", "message"),
        [
            ("one text", "candidates must be a list of texts or passages, not str"),
            (7, "candidates must be"),
            (["fine", None], "candidate 1 must be a Passage"),
            ([Passage("1", None)], "candidate 0 must be a string"),
            ([Passage("1", "x", 5)], "metadata of candidate 0 must be a mapping, not int"),
        ],
    )
    def test_of_other_kinds_are_refused_by_name(self, empty, candidates, message):
        with pytest.raises(InputError, match=message):
            empty.rerank("the key", candidates)

    def test_with_characters_that_cannot_be_encoded(self, empty, caplog):
        (hit,) = empty.rerank("the key", ["the \ud83d key"])
        assert hit.text == "the \ufffd key"
        assert "candidate 0 holds a lone surrogate" in warnings(caplog)[0]


class TestStreams:
    def test_leave_blank_ones_out_and_say_so_once(self, empty, caplog):
        stream = [{"id": str(n), "text": "x" * (n % 2), "metadata": {"s": {n}}} for n in range(10)]
        assert empty.add_stream(stream, batch=2) == 5
        assert len(empty) == 5
        (told,) = warnings(caplog)
        assert "5 blank passages left out (first: the passage at place 0 of the stream" in told
        assert "the metadata of 5 passages" in told

    def test_of_blank_ones_alone(self, empty):
        before = empty.stats().generation
        assert empty.add_stream([{"text": " "}] * 5, batch=2) == 0
        assert empty.stats().generation == before

    def test_make_ids_where_there_are_none(self, empty):
        for _ in (1, 2):
            empty.add_stream([{"text": "a"}, {"text": "b", "id": None}, Passage("1", "c")])
        assert [one.id for one in empty.passages()] == [
            content_id("a", {}),
            content_id("b", {}),
            "1",
        ]

    @pytest.mark.parametrize(
        ("item", "message"),
        [
            ({"text": " "}, "the passage at place 1 of the stream is empty"),
            ({"text": "a\0"}, "NUL"),
            ({"text": "a", "metadata": {"x": (1,)}}, "'x' is tuple"),
            ({"text": "a", "id": NFD}, "decomposed"),
        ],
    )
    def test_are_refused_by_who_wants_it(self, empty, item, message):
        with pytest.raises(InputError, match=message):
            empty.add_stream([{"text": "fine"}, item], strict=True)

    def test_of_all_that_another_index_holds(self, empty, folder):
        """What docs/copies.md says of another model: nothing is lost on the way."""
        texts = [f"passage {n}" for n in range(1200)]
        with Retriever.open(folder, model="hash") as old:
            old.add(texts, metadata=[{"n": n, "source": NFC} for n in range(1200)])
            empty.add_stream(old.passages())
            assert list(empty.passages()) == list(old.passages())


class TestGivenVectors:
    TEXTS = ("one", " ", "two", "one", "three")

    @pytest.fixture
    def vectors(self, empty):
        rows = np.eye(empty.encoder.dim, dtype=np.float32)
        return [rows[place : place + 1] for place in range(len(self.TEXTS))]

    def test_of_texts_that_are_left_out_are_passed_over(self, empty, vectors):
        added = empty.add_vectors(iter(vectors), self.TEXTS, token_ids=[[n] for n in range(5)])
        assert (len(added), added.left_out) == (5, (1,))
        assert added[0] == added[3]
        assert [one.text for one in empty.passages()] == ["one", "two", "three"]
        for place in (0, 2, 4):
            assert (empty.vectors([added[place]])[0][0] == vectors[place]).all()

    def test_are_still_one_a_text(self, empty, vectors):
        with pytest.raises(InputError, match="for 4 passages, but 5 texts"):
            empty.add_vectors(vectors[:4], self.TEXTS)
        with pytest.raises(InputError, match="for more than the 5 texts"):
            empty.add_vectors([*vectors, vectors[0]], self.TEXTS)
        assert len(empty) == 0

    def test_are_refused_by_who_wants_it(self, empty, vectors):
        with pytest.raises(InputError, match="text 1 is empty"):
            empty.add_vectors(vectors, self.TEXTS, strict=True)


class TestDumps:
    """A blank passage is left out together with its vectors, whichever layout they are in."""

    TEXTS = {NFD: "one", "blank": " ", "two": "two"}  # noqa: RUF012

    @pytest.fixture
    def arrays(self, empty):
        rows = np.eye(empty.encoder.dim, dtype=np.float32)
        return {id: rows[place : place + 1] for place, id in enumerate(self.TEXTS)}

    def passages(self):
        return (Passage(id, text, {"on": (1,)}) for id, text in self.TEXTS.items())

    def check(self, retriever, added, arrays):
        assert (added, added.left_out) == ([NFC, "blank", "two"], (1,))
        assert [(one.id, one.metadata) for one in retriever.passages()] == [
            (NFC, {"on": [1]}),
            ("two", {"on": [1]}),
        ]
        for id in (NFD, "two"):
            assert (retriever.vectors([id])[0][0] == arrays[id]).all()

    def test_by_ids(self, empty, arrays, tmp_path):
        np.savez(tmp_path / "vectors.npz", **arrays)
        added = empty.import_dump(tmp_path / "vectors.npz", self.passages())
        self.check(empty, added, arrays)

    def test_in_order(self, empty, arrays, tmp_path):
        np.save(tmp_path / "vectors.npy", np.concatenate([*arrays.values()]))
        np.save(tmp_path / "lengths.npy", np.array([1, 1, 1]))
        mappings = (vars(one) for one in self.passages())
        self.check(empty, empty.import_dump(tmp_path / "vectors.npy", mappings), arrays)

    def test_of_an_export_that_somebody_changed(self, empty, arrays, tmp_path):
        empty.add_vectors(arrays.values(), ["one", "blank", "two"], ids=[*self.TEXTS])
        empty.export(tmp_path / "plain")
        file = tmp_path / "plain" / "passages.jsonl"
        text = file.read_text("utf-8").replace('"text": "blank"', '"text": " "')
        file.write_text(text.replace('"metadata": {}', '"metadata": {"on": [1]}'), "utf-8")
        with Retriever.open(tmp_path / "other", model="hash") as other:
            self.check(other, other.import_dump(tmp_path / "plain"), arrays)
            with pytest.raises(InputError, match=r"text 1 .*is empty"):
                other.import_dump(tmp_path / "plain", strict=True)

    def test_two_texts_of_one_id_are_refused(self, empty, arrays, tmp_path):
        np.savez(tmp_path / "vectors.npz", **arrays)
        passages = [*self.passages(), Passage(NFC, "another")]
        with pytest.raises(InputError, match="two texts that differ have the id"):
            empty.import_dump(tmp_path / "vectors.npz", passages)
        with pytest.raises(InputError, match="passage 1 must be a Passage"):
            empty.import_dump(tmp_path / "vectors.npz", [passages[0], "two"])
        assert len(empty) == 0


class TestDeletingEverything:
    EVERYTHING = (
        {},
        {"$and": [{}]},
        {"$or": [{"a": 1}, {}]},
        {"a": {"$nin": []}},
        {"$not": {"a": {"$in": []}}},
    )

    @pytest.mark.parametrize("where", EVERYTHING)
    def test_has_to_be_meant(self, retriever, state, where):
        before = state(retriever)
        with pytest.raises(InputError, match="would delete every passage; say all=True"):
            retriever.delete(where=where)
        assert state(retriever) == before
        assert retriever.delete(where=where, all=True) == 5

    def test_can_be_said_alone(self, retriever):
        assert retriever.delete(all=True) == 5
        assert len(retriever) == 0

    async def test_in_async_code(self, retriever):
        with pytest.raises(InputError, match="say all=True"):
            await retriever.adelete(where={})
        assert await retriever.adelete(all=True) == 5

    @pytest.mark.parametrize(
        "given",
        [
            {"ids": ["reset"], "all": True},
            {"ids": [], "all": True},
            {"where": {"lang": "de"}, "all": True},
            {"all": "no"},
            {"all": 1},
            {},
        ],
    )
    def test_is_not_said_beside_something_else(self, retriever, state, given):
        before = state(retriever)
        with pytest.raises(InputError):
            retriever.delete(**given)
        assert state(retriever) == before

    def test_an_empty_list_of_ids_is_nothing(self, retriever):
        assert retriever.delete([]) == 0
        assert retriever.delete(where={"$id": {"$in": []}}) == 0
        assert len(retriever) == 5


@pytest.mark.parametrize("k", [np.int64(2), np.uint8(2), np.array(2), Level.HIGH])
def test_k_may_be_any_integer(retriever, k):
    assert len(retriever.search("router", k=k)) == int(k)
    assert len(retriever.rerank("router", ["a", "b", "c"], k)) == int(k)
    assert len(list(retriever.passages(limit=k))) == int(k)


def test_so_may_options_of_an_index(folder):
    options = {"nbits": np.int64(2), "pool_factor": np.int8(1), "window_overlap": np.int64(3)}
    with Retriever.open(folder, model="hash", **options) as retriever:
        assert retriever.stats().window_overlap == 3
    with Retriever.open(folder, **options) as retriever:
        assert len(retriever) == 0
