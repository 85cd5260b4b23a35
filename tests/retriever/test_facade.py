"""What the facade promises: order, scores, filters, upserts, evidence, pickling."""

from __future__ import annotations

import gc
import io
import pickle

import numpy as np
import pytest

from lfm2_colbert_rag import Hit, Passage, Retriever, maxsim
from lfm2_colbert_rag.errors import InputError, PassageNotFoundError
from lfm2_colbert_rag.retriever.search.relevance import relevance
from lfm2_colbert_rag.testing import HashEncoder

from ..conftest import CORPUS, METADATA


def ids(hits: list[Hit]) -> list[str]:
    return [hit.id for hit in hits]


def test_a_hit_carries_the_passage_and_its_score(retriever):
    hit = retriever.search("reset key router", k=1, mode="late")[0]
    encoder = HashEncoder()
    query = encoder.encode_query(["reset key router"])[0].vectors
    document = encoder.encode_document([CORPUS["reset"]])[0].vectors
    assert (hit.id, hit.text, hit.metadata) == ("reset", CORPUS["reset"], METADATA["reset"])
    assert hit.score == pytest.approx(maxsim([query], [document])[0, 0], abs=2e-3)
    assert 0.99 < hit.relevance <= 1.0


@pytest.mark.parametrize(
    ("score", "vectors", "expected"),
    [(24.0, 32, 0.75), (-3.0, 32, 0.0), (33.0, 32, 1.0), (0.0, 0, 0.0)],
)
def test_relevance_is_clipped(score, vectors, expected):
    assert relevance(score, vectors) == expected


def test_filters_apply_before_the_cut(retriever):
    assert ids(retriever.search("router", k=1, where={"lang": "fr"})) == ["linge"]
    assert retriever.search("router", where={"lang": "nl"}) == []
    found = retriever.search("router", k=5, where={"year": {"$gte": 2022}, "product": "router"})
    assert sorted(ids(found)) == ["reinicio", "reset"]
    nested = retriever.search("router", where={"maker": {"country": "ie"}, "maker.open": True})
    assert ids(nested) == ["library"]


def test_equal_scores_are_ordered_by_id(folder):
    with Retriever.open(folder, model="hash") as retriever:
        for name in ("m", "z", "a", "k"):
            retriever.add(["the same text"], ids=[name])
        assert ids(retriever.search("same", k=2)) == ["a", "k"]
        assert ids(retriever.search("same", k=4)) == ["a", "k", "m", "z"]


def test_search_many_is_search_for_each(retriever):
    queries = ["router reset", "library", "filtre"]
    assert retriever.search_many(queries, 3) == [retriever.search(q, 3) for q in queries]


def test_metadata_is_a_fresh_copy(retriever):
    hit = retriever.search("filtre", k=1)[0]
    hit.metadata["tags"].append("spoilt")
    assert retriever.search("filtre", k=1)[0].metadata == METADATA["linge"]


def test_the_callers_metadata_is_not_kept_by_reference(folder):
    mine = {"tags": ["a"]}
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add(["text"], ids=["x"], metadata=[mine])
        assert mine == {"tags": ["a"]}
        mine["tags"].append("b")
        assert retriever.get(["x"])[0].metadata == {"tags": ["a"]}


def test_filters_on_ids_and_on_pieces_of_text(retriever):
    assert set(ids(retriever.search("router", where={"$id": {"$in": ["linge", "gone"]}}))) == {
        "linge"
    }
    assert set(ids(retriever.search("router", where={"product": {"$icontains": "OUT"}}))) == {
        "reset",
        "reinicio",
    }
    assert retriever.delete(where={"$id": "linge"}) == 1
    assert "linge" not in ids(retriever.search("filtre"))


def test_passages_are_listed_in_the_order_they_were_added(retriever):
    assert list(retriever.passages()) == retriever.get(list(CORPUS))
    assert [one.id for one in retriever.passages({"product": "router"})] == ["reset", "reinicio"]
    retriever.add(["Hold both keys."], ids=["reset"])
    retriever.delete(["kaffee"])
    assert [one.id for one in retriever.passages()] == ["reinicio", "linge", "library", "reset"]
    assert list(retriever.passages({"product": "toaster"})) == []


def test_listing_passages_is_as_of_its_beginning(folder):
    with Retriever.open(folder, model="hash") as opened:
        opened.add([f"Page {n}." for n in range(1500)], ids=[str(n) for n in range(1500)])
        listed = opened.passages()
        next(listed)
        opened.add(["New."], ids=["new"])
        assert [one.id for one in listed] == [str(n) for n in range(1, 1500)]


def test_vectors_come_back_a_matrix_a_window(retriever):
    long = " ".join(f"word{n}" for n in range(1200))
    retriever.add([long], ids=["long"])
    windows, short = retriever.vectors(["long", "reset"])
    assert len(windows) > 2
    assert len(short) == 1
    expected = retriever.encoder.encode_document([CORPUS["reset"]])[0].vectors
    assert short[0].dtype == np.float32
    np.testing.assert_allclose(short[0], expected, atol=1e-3)
    with pytest.raises(PassageNotFoundError, match="'gone', 'lost'"):
        retriever.vectors(["gone", "reset", "lost"])


def test_get_returns_what_is_there_in_the_order_asked(retriever):
    found = retriever.get(["linge", "gone", "reset", "linge"])
    assert [one.id for one in found] == ["linge", "reset", "linge"]
    assert [one.text for one in found] == [CORPUS[one.id] for one in found]
    assert retriever.get(["gone"]) == retriever.get([]) == []
    retriever.delete(["linge"])
    assert retriever.get(["linge"]) == []


def test_membership_counts_and_truth(retriever):
    assert "reset" in retriever
    assert "gone" not in retriever
    assert 7 not in retriever
    assert retriever.count() == len(retriever) == len(CORPUS)
    assert retriever.count({"product": "router"}) == 2
    assert retriever.count({"product": "toaster"}) == 0
    assert retriever.count({}) == len(CORPUS)
    retriever.delete(all=True)
    assert "reset" not in retriever
    assert (retriever.count(), retriever.count({}), len(retriever)) == (0, 0, 0)
    assert retriever


def test_of_many_passages_some_are_listed_evenly(folder):
    with Retriever.open(folder, model="hash") as opened:
        opened.add([f"Page {n}." for n in range(100)], metadata=[{"n": n} for n in range(100)])
        for limit in (1, 7, 99, 100, 1000):
            places = [one.metadata["n"] for one in opened.passages(limit=limit)]
            assert len(places) == min(limit, 100)
            assert places == sorted(set(places))
            gaps = np.diff([*places, 100])
            assert gaps.max() - gaps.min() <= 1
        few = [one.metadata["n"] for one in opened.passages({"n": {"$gte": 90}}, limit=5)]
        assert few == [90, 92, 94, 96, 98]
        for wrong in (0, -1, True, 1.5):
            with pytest.raises(InputError, match="limit"):
                opened.passages(limit=wrong)


def test_ids_are_made_up_when_missing(folder):
    with Retriever.open(folder, model="hash") as retriever:
        made = retriever.add(["one", "two"])
        assert len(set(made)) == 2
        assert [p.text for p in retriever.get(made)] == ["one", "two"]


class CountingEncoder(HashEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.encoded: list[str] = []

    def encode_document(self, texts, *, progress=None):
        self.encoded += texts
        return super().encode_document(texts, progress=progress)


def test_an_upsert_encodes_only_what_is_new(folder):
    encoder = CountingEncoder()
    with Retriever.open(folder, model=encoder) as retriever:
        retriever.add(["one", "two"], ids=["1", "2"])
        encoder.encoded.clear()
        retriever.add(["one", "two", "three"], ids=["1", "2", "3"], metadata=[{}, {"new": 1}, {}])
        assert encoder.encoded == ["three"]
        assert retriever.search("two", k=1)[0].metadata == {"new": 1}
        assert retriever.search("two", k=1, mode="late")[0].score == pytest.approx(1.0, abs=1e-3)
        generation = retriever.stats().generation
        retriever.add(["one"], ids=["1"])
        assert retriever.stats().generation == generation
        retriever.add(["uno"], ids=["1"])
        assert ids(retriever.search("uno", k=1)) == ["1"]
        assert len(retriever) == 3


def test_true_one_and_one_point_zero_are_different_metadata(folder):
    with Retriever.open(folder, model="hash") as retriever:
        for value in (1, True, 1.0):
            retriever.add(["text"], ids=["x"], metadata=[{"v": value}])
            stored = retriever.get(["x"])[0].metadata["v"]
            assert (stored, type(stored)) == (value, type(value))


def test_a_commit_prepared_from_old_rows_is_prepared_again(folder):
    class Interrupting(CountingEncoder):
        after = None

        def encode_document(self, texts, *, progress=None):
            result = super().encode_document(texts, progress=progress)
            act, self.after = self.after, None
            if act:
                act()
            return result

    encoder = Interrupting()
    with Retriever.open(folder, model=encoder) as retriever:
        retriever.add(["kept"], ids=["a"])
        with Retriever.open(folder, model="hash") as other:
            encoder.after = lambda: other.delete(["a"])
            retriever.add(["kept", "new"], ids=["a", "b"])
        assert encoder.encoded == ["kept", "new", "kept", "new"]
        assert sorted(ids(retriever.search("kept"))) == ["a", "b"]


def test_progress_counts_every_text(folder):
    done: list[int] = []
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add(["a b", "c d"], progress=done.append)
        assert sum(done) == 2
        retriever.add(["e"], progress=True)


def test_evidence_points_at_the_words(retriever):
    query = "reset the router"
    hit = retriever.search(query, k=1)[0]
    words = {
        query[slice(*m.query_span)]: (hit.text[slice(*m.passage_span)], round(m.strength, 2))
        for m in hit.evidence
    }
    assert words == {"reset": ("reset", 1.0), "the": ("the", 1.0), "router": ("router", 1.0)}
    strengths = [round(match.strength, 3) for match in hit.evidence]
    assert strengths == sorted(strengths, reverse=True)


def test_hits_survive_pickling_with_their_evidence(retriever):
    hit = retriever.search("router", k=1)[0]
    copy = pickle.loads(pickle.dumps(hit))
    assert copy == hit
    assert copy.evidence == hit.evidence


def test_rerank_orders_foreign_texts(retriever):
    before = retriever.stats()
    hits = retriever.rerank("fix the router", ["a cat", "the router", "fix the router now"], k=2)
    assert [(h.id, h.text) for h in hits] == [("2", "fix the router now"), ("1", "the router")]
    assert hits[0].score > hits[1].score
    assert hits[0].evidence
    passage = Passage("mine", "the router", {"a": 1})
    assert retriever.rerank("router", [passage])[0].metadata == {"a": 1}
    assert retriever.rerank("router", []) == []
    assert retriever.stats() == before


def test_explain_shows_words_and_shares(retriever):
    explanation = retriever.explain("the router", "reset")
    assert explanation.passage.id == "reset"
    hit = retriever.search("the router", mode="late")[0]
    assert explanation.score == pytest.approx(hit.score)
    assert explanation.word_share == pytest.approx(1.0)
    assert "router -> router" in str(explanation)
    assert "<mark" in explanation._repr_html_()
    from rich.console import Console

    console = Console(record=True, width=100, file=io.StringIO())
    console.print(explanation)
    assert "router" in console.export_text()


def test_explanations_escape_html(folder):
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add(["<script>alert</script> & more"], ids=["<b>"])
        shown = retriever.explain("alert <i>", "<b>")._repr_html_()
        assert "<script>" not in shown
        assert "&lt;/script&gt;" in shown
        assert "<i>" not in shown


def test_stats_count(retriever):
    retriever.delete(["reset"])
    stats = retriever.stats()
    assert (stats.passages, stats.deleted, stats.segments, stats.generation) == (4, 1, 1, 2)
    assert stats.vectors == sum(
        len(v) for v in HashEncoder().encode_document([CORPUS[i] for i in CORPUS if i != "reset"])
    )
    assert stats.bytes >= sum(p.stat().st_size for p in retriever.path.rglob("*.npy"))
    assert stats.bytes_per_vector > 64
    assert stats.model == "hash"
    assert stats.to_dict()["path"] == str(retriever.path)


def test_an_error_names_some_of_many_unknown_ids():
    with Retriever.from_texts(["one"], ids=["known"], model="hash") as retriever:
        unknown = [f"u{number}" for number in range(1_234)]
        with pytest.raises(PassageNotFoundError, match=r"'u0', .*'u9' and 1,224 more\.$"):
            retriever.vectors(unknown)


def test_an_index_in_memory_lasts_while_its_passages_are_read():
    passages = Retriever.from_texts(["one", "two"], ids=["1", "2"], model="hash").passages()
    gc.collect()
    assert [passage.id for passage in passages] == ["1", "2"]
    (hit,) = Retriever.from_texts(["one two"], model="hash").search("one")
    gc.collect()
    assert [match.passage_span for match in hit.evidence] == [(0, 3)]
