"""Whatever is done to an index, in whatever order, it answers as a dictionary would."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.filters import matches, parse_where
from lfm2_colbert_rag.testing import HashEncoder

from ..grown import always_vote, compress_early, set_policy
from ..index.lexical.test_bm25 import plain_bm25
from ..inside import store_of

pytestmark = pytest.mark.long

ids = st.sampled_from([f"p{number}" for number in range(25)])
# No two of these words share a vocabulary id.
words = st.sampled_from([f"v{number}" for number in range(40)])
texts = st.lists(words, min_size=1, max_size=6).map(" ".join)
metadata = st.fixed_dictionaries({"n": st.integers(0, 3), "even": st.booleans()})
filters = st.sampled_from(
    [None, {"n": 2}, {"n": {"$gte": 1}, "even": True}, {"even": {"$ne": True}}, {"n": 9}, {}]
)
ENCODER = HashEncoder()


class AnIndex(RuleBasedStateMachine):
    """An index on the disk, and what it should hold."""

    votes = False

    def __init__(self) -> None:
        super().__init__()
        self.patched = pytest.MonkeyPatch()
        compress_early(self.patched, vectors=40, fan_in=3)
        set_policy(self.patched, smallest_tier=16)
        if self.votes:
            always_vote(self.patched)
        self.root = Path(tempfile.mkdtemp())
        self.held: dict[str, tuple[str, dict]] = {}
        self.retriever: Retriever | None = None

    @initialize(
        index=st.sampled_from(["auto", "compressed", "exact"]), nbits=st.sampled_from([2, 4])
    )
    def make(self, index: str, nbits: int) -> None:
        self.retriever = Retriever.open(
            self.root / "x.index", model="hash", storage=index, nbits=nbits
        )

    def teardown(self) -> None:
        try:
            if self.retriever is not None:
                assert self.retriever.verify() == []
                self.retriever.close()
        finally:
            self.patched.undo()
            shutil.rmtree(self.root, ignore_errors=True)

    @rule(new=st.dictionaries(ids, st.tuples(texts, metadata), min_size=1, max_size=12))
    def add(self, new: dict[str, tuple[str, dict]]) -> None:
        """New passages, other texts for old ones, or the same again."""
        self.retriever.add(
            [text for text, _ in new.values()],
            ids=list(new),
            metadata=[one for _, one in new.values()],
        )
        self.held.update(new)

    @rule(new=st.dictionaries(ids, st.tuples(texts, metadata), min_size=1, max_size=4))
    def add_vectors(self, new: dict[str, tuple[str, dict]]) -> None:
        encoded = ENCODER.encode_document([text for text, _ in new.values()])
        self.retriever.add_vectors(
            [one.vectors for one in encoded],
            [text for text, _ in new.values()],
            ids=list(new),
            metadata=[one for _, one in new.values()],
            token_ids=[one.token_ids for one in encoded],
        )
        self.held.update(new)

    @rule(id=ids, new=metadata)
    def change_metadata(self, id: str, new: dict) -> None:
        if id in self.held:
            self.held[id] = (self.held[id][0], new)
            self.retriever.add([self.held[id][0]], ids=[id], metadata=[new])

    @rule(chosen=st.lists(ids, max_size=8))
    def delete(self, chosen: list[str]) -> None:
        gone = set(chosen) & set(self.held)
        assert self.retriever.delete(chosen) == len(gone)
        for id in gone:
            del self.held[id]

    @rule(where=filters.filter(bool))
    def delete_where(self, where: dict) -> None:
        gone = [id for id, (_, one) in self.held.items() if matches(parse_where(where), one)]
        assert self.retriever.delete(where=where) == len(gone)
        for id in gone:
            del self.held[id]

    @rule(forget_after=st.sampled_from([0.0, 3600.0]))
    def optimize(self, forget_after: float) -> None:
        stats = self.retriever.optimize(forget_after=forget_after)
        assert (stats.passages, stats.deleted) == (len(self.held), 0)
        assert stats.segments <= 1

    @rule()
    def reopen(self) -> None:
        self.retriever.close()
        self.retriever = Retriever.open(self.root / "x.index")

    @rule(query=texts, k=st.integers(1, 30), where=filters)
    def search(self, query: str, k: int, where: dict | None) -> None:
        hits = self.retriever.search(query, k=k, where=where, mode="late")
        truth = {
            id: score
            for id, score in self.scores(query).items()
            if where is None or matches(parse_where(where), self.held[id][1])
        }
        assert len(hits) == len({hit.id for hit in hits}) == min(k, len(truth))
        close = 1e-4 * max(1, len(query.split()))  # each similarity is of float16 vectors
        for hit in hits:
            assert (hit.text, hit.metadata) == self.held[hit.id]
            assert hit.score == pytest.approx(truth[hit.id], abs=close)
        assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.id))
        if not self.votes:
            best = sorted(truth.values(), reverse=True)[:k]
            assert [hit.score for hit in hits] == pytest.approx(best, abs=close)

    @rule(query=texts, where=filters)
    def search_words(self, query: str, where: dict | None) -> None:
        """Exactly the live passages that share a word, with the scores of a fresh index."""
        hits = self.retriever.search(query, k=30, where=where, mode="lexical")
        live = {id: text for id, (text, _) in self.held.items()}
        truth = plain_bm25(dict(enumerate(live.values())), query) if live else {}
        by_id = {id: truth[place] for place, id in enumerate(live) if place in truth}
        assert {hit.id for hit in hits} == {
            id for id in by_id if where is None or matches(parse_where(where), self.held[id][1])
        }
        for hit in hits:
            assert hit.score == pytest.approx(by_id[hit.id], rel=1e-3)
        both = self.retriever.search(query, k=5, where=where, mode="hybrid")
        assert len(both) == len(self.retriever.search(query, k=5, where=where))

    @invariant()
    def it_holds_what_it_should(self) -> None:
        if self.retriever is not None:
            assert len(self.retriever) == len(self.held)
            for passage in self.retriever.get(list(self.held)):
                assert (passage.text, passage.metadata) == self.held[passage.id]

    def scores(self, query: str) -> dict[str, float]:
        """Exact MaxSim over the vectors that the index says it stores, close to the texts'."""
        snapshot = store_of(self.retriever).snapshot()
        rows = store_of(self.retriever).catalog.rows_by_id(list(self.held), snapshot.generation)
        asked = ENCODER.encode_query([query])[0].vectors
        scores = {}
        for id, row in rows.items():
            (window,) = snapshot.segments.windows(row)
            given = ENCODER.encode_document([self.held[id][0]])[0]
            np.testing.assert_array_equal(window.encoded.token_ids, given.token_ids)
            assert np.linalg.norm(window.encoded.vectors - given.vectors, axis=1).max() < 0.3
            scores[id] = float((asked @ window.encoded.vectors.T).max(axis=1).sum())
        return scores


class AVotingIndex(AnIndex):
    """The same, where the inverted lists are always asked."""

    votes = True


BOUNDED = settings(
    max_examples=max(3, settings.default.max_examples // 8),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestAnIndex = AnIndex.TestCase
TestAVotingIndex = AVotingIndex.TestCase
TestAnIndex.settings = TestAVotingIndex.settings = BOUNDED
