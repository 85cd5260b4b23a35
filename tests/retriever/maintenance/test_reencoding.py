"""``optimize(reencode=True)``: the vectors are those of an index that is made now."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import IndexLockedError
from lfm2_colbert_rag.retriever.maintenance import compaction, reencoding
from lfm2_colbert_rag.storage.store import Store
from lfm2_colbert_rag.testing import HashEncoder

from ...conftest import fill
from ...grown import set_policy
from ...inside import store_of

pytestmark = pytest.mark.long

REENCODER = Path(__file__).parents[2] / "crash" / "reencoder.py"
SIGKILL = -9


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    set_policy(monkeypatch, min_vectors=3000)


def texts(number, first=0):
    chance = np.random.default_rng(7)
    words = [" ".join(f"w{w}" for w in row) for row in chance.integers(0, 900, (500, 15))]
    return words[first : first + number]


def ids(number, first=0):
    return [f"p{n}" for n in range(first, first + number)]


def windows(retriever):
    """Return everything that is stored of each passage, by id."""
    snapshot = store_of(retriever).snapshot()
    rows = store_of(retriever).catalog.rows_by_id(
        [hit.id for hit in retriever.search("w1 the", k=10_000)], snapshot.generation
    )
    return {
        id: [
            (
                one.span,
                *(getattr(one.encoded, n).tolist() for n in ("vectors", "token_ids", "spans")),
            )
            for one in snapshot.segments.windows(row)
        ]
        for id, row in rows.items()
    }


def worn(folder):
    """Make an index whose vectors were compressed several times, of several codebooks."""
    retriever = Retriever.open(folder, model="hash", storage="compressed", nbits=2)
    for first in range(0, 400, 80):
        retriever.add(texts(80, first), ids=ids(80, first))
    for _ in range(3):
        compaction.Compactor(store_of(retriever)).renew_codebook()
    retriever.delete(ids(40, 100))
    return retriever


def ranked(retriever):
    return [(hit.id, hit.score) for hit in retriever.search("w7 w8", k=400, mode="late")]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Return everything that an index of the same passages holds that is made now."""
    chosen = [n for n in range(400) if not 100 <= n < 140]
    everything = texts(400)
    folder = tmp_path_factory.mktemp("fresh") / "an.index"
    with (
        pytest.MonkeyPatch.context() as patched,
        Retriever.open(folder, model="hash", storage="compressed", nbits=2) as retriever,
    ):
        set_policy(patched, min_vectors=3000)
        retriever.add([everything[n] for n in chosen], ids=[f"p{n}" for n in chosen])
        return windows(retriever), ranked(retriever)


def test_vectors_are_those_of_a_fresh_index(folder, fresh):
    stored, expected = fresh
    with worn(folder) as retriever:
        assert windows(retriever) != stored
        stats = retriever.optimize(reencode=True, forget_after=0)
        assert windows(retriever) == stored
        assert (stats.storage, stats.deleted, stats.passages) == ("compressed", 0, 360)
        assert retriever.verify() == []
        assert ranked(retriever) == expected


def test_without_it_vectors_stay(folder):
    with worn(folder) as retriever:
        before = windows(retriever)
        retriever.optimize()
        assert windows(retriever) == before


@pytest.mark.parametrize("group", [pytest.param(1, marks=pytest.mark.slow), 10_000_000])
def test_segments_are_written_in_groups(folder, monkeypatch, group):
    monkeypatch.setattr(reencoding, "GROUP_VECTORS", group)
    made = []
    replace = Store.replace_segments

    def counted(self, retired, staged, resized=(), fitted=None):
        if staged is not None and staged.codebook is None:
            made.append(len(resized))
        return replace(self, retired, staged, resized, fitted)

    with worn(folder) as retriever:
        segments = retriever.stats().segments
        monkeypatch.setattr(Store, "replace_segments", counted)
        retriever.optimize(reencode=True)
        assert len(made) == (segments if group == 1 else 1)
        assert sum(made) == 360


def test_given_vectors_are_replaced(folder, tmp_path):
    noise = np.random.default_rng(1).standard_normal((3, 32)).astype(np.float32)
    with (
        fill(Retriever.open(folder, model="hash")) as retriever,
        fill(Retriever.open(tmp_path / "new", model="hash")) as new,
    ):
        retriever.add_vectors(
            [noise], ["The library opens at nine and closes at six."], ids=["library"]
        )
        assert retriever.stats().vectors != new.stats().vectors
        retriever.optimize(reencode=True)
        assert windows(retriever) == windows(new)
        assert retriever.stats().vectors == new.stats().vectors
        assert retriever.verify() == []
        assert {hit.id for hit in retriever.search("library") if hit.evidence} == set(windows(new))


def test_long_and_pooled_texts_are_cut_as_before(folder, tmp_path):
    pytest.importorskip("scipy")
    options = {"model": HashEncoder(document_length=50), "pool_factor": 2, "window_overlap": 10}
    long = [f"{text} " * 20 for text in texts(6)]
    with (
        Retriever.open(folder, storage="compressed", **options) as retriever,
        Retriever.open(tmp_path / "new", storage="exact", **options) as new,
    ):
        new.add(long, ids=ids(6))
        retriever.add(long, ids=ids(6))
        before = retriever.stats()
        after = retriever.optimize(reencode=True)
        assert windows(retriever) == windows(new)
        assert (after.windows, after.vectors) == (before.windows, before.vectors)


def test_a_text_without_a_vector_keeps_those_it_has(folder):
    given = np.eye(32, dtype=np.float32)[:2]
    with Retriever.open(folder, model=Forgetful()) as retriever:
        retriever.add(["one", "two"], ids=["one", "two"])
        retriever.add_vectors([given], ["nothing"], ids=["nothing"])
        before = windows(retriever)
        retriever.optimize(reencode=True)
        assert windows(retriever) == before
        assert retriever.verify() == []


class Forgetful(HashEncoder):
    """Makes nothing of one word, and fails at another once it is told to."""

    def __init__(self, fails_at=None):
        super().__init__()
        self.fails_at = fails_at

    def encode_document(self, texts, *, progress=None):
        if self.fails_at in texts:
            raise RuntimeError("the encoder broke down")
        texts = ["" if text == "nothing" else text for text in texts]
        return super().encode_document(texts, progress=progress)


def test_a_failing_encoder_leaves_the_index_whole(folder, monkeypatch, fresh):
    monkeypatch.setattr(reencoding, "GROUP_VECTORS", 1)
    worn(folder).close()
    with Retriever.open(folder, model=Forgetful(texts(400)[250])) as retriever:
        with pytest.raises(RuntimeError, match="the encoder broke down"):
            retriever.optimize(reencode=True)
        assert retriever.verify() == []
        assert len(retriever) == 360
        retriever.encoder.fails_at = None
        retriever.add([texts(401)[400]], ids=["p400"])  # goes on, with what there is
        retriever.delete(["p400"])
        retriever.optimize(reencode=True)
        assert windows(retriever) == fresh[0]


@pytest.mark.crash
@pytest.mark.skipif(os.name == "nt", reason="killed by signal")
@pytest.mark.parametrize("after", [pytest.param(0, marks=pytest.mark.slow), 250])
def test_killed_it_leaves_the_index_whole(folder, after, fresh):
    worn(folder).close()
    outcome = subprocess.run([sys.executable, str(REENCODER), str(folder), str(after)], check=False)
    assert outcome.returncode == SIGKILL
    with Retriever.open(folder) as retriever:
        retriever.delete([])
        assert retriever.verify() == []
        assert windows(retriever).keys() == fresh[0].keys()
        retriever.optimize(reencode=True)
        assert windows(retriever) == fresh[0]


def test_passages_come_and_go_meanwhile(folder):
    class Busy(HashEncoder):
        def __init__(self):
            super().__init__()
            self.other = None

        def encode_document(self, texts, *, progress=None):
            if self.other is not None:
                other, self.other = self.other, None
                other.add(["zebra"], ids=["zebra"])
                other.delete(["p1"])
            return super().encode_document(texts, progress=progress)

    worn(folder).close()
    encoder = Busy()
    with Retriever.open(folder, model=encoder) as retriever, Retriever.open(folder) as other:
        encoder.other = other
        retriever.optimize(reencode=True)
        assert encoder.other is None
        assert retriever.verify() == []
        assert set(windows(retriever)) == {f"p{n}" for n in range(400) if not 100 <= n < 140} - {
            "p1"
        } | {"zebra"}
        assert retriever.search("zebra", k=1)[0].id == "zebra"


def test_an_empty_index_and_an_exact_one(folder, tmp_path):
    with Retriever.open(folder, model="hash", storage="compressed") as retriever:
        assert retriever.optimize(reencode=True).passages == 0
        retriever.add(texts(300), ids=ids(300))
        retriever.delete(all=True)
        assert retriever.optimize(reencode=True, forget_after=0).passages == 0
        assert retriever.verify() == []
    with fill(Retriever.open(tmp_path / "exact", model="hash")) as retriever:
        before = windows(retriever)
        assert retriever.optimize(reencode=True).storage == "exact"
        assert windows(retriever) == before


def test_only_one_optimizes(folder):
    with worn(folder) as retriever, store_of(retriever).locks.optimizing(timeout=0):
        before = windows(retriever)
        with pytest.raises(IndexLockedError, match="is being optimized by somebody else"):
            retriever.optimize(reencode=True)
        assert windows(retriever) == before


def test_every_text_is_counted(folder):
    with worn(folder) as retriever:
        seen = []
        retriever.optimize(reencode=True, progress=seen.append)
        assert sum(seen) >= 2 * 360
