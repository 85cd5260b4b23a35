"""An index in an engine does what one in a folder does."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import (
    ConfigError,
    IndexExistsError,
    IndexMismatchError,
    IndexNotFoundError,
    InputError,
    PassageNotFoundError,
    ReadOnlyError,
    RetrieverClosedError,
)
from lfm2_colbert_rag.testing import HashEncoder

from ..conftest import CORPUS, fill
from .engines import make_backend, make_client, opened

LONG = " ".join(f"word{number}" for number in range(700)) + " needle in the hay"
QUERIES = ("reset key of the router", "When does the library open?", "Kaffeemaschine entkalken")


@pytest.fixture
def local():
    with fill(Retriever.from_texts([], model="hash")) as made:
        yield made


@pytest.mark.parametrize("mode", ["late", "hybrid"])
def test_hits_are_those_of_a_folder(remote, local, mode):
    fill(remote)
    for query in QUERIES:
        for where in (None, {"lang": "en"}, {"year": {"$gte": 2023}}, {"tags": "water"}):
            found = remote.search(query, 4, mode=mode, where=where)
            wanted = local.search(query, 4, mode=mode, where=where)
            assert [hit.id for hit in found] == [hit.id for hit in wanted]
            for one, other in zip(found, wanted, strict=True):
                assert one.text == other.text
                assert one.metadata == other.metadata
                assert one.legs["late"].score == pytest.approx(other.legs["late"].score, abs=2e-3)
                assert one.relevance == pytest.approx(other.relevance, abs=0.02)


def test_evidence_is_that_of_a_folder(remote, local):
    fill(remote)
    for mode in ("late", "lexical", "hybrid"):
        for query in QUERIES:
            found = remote.search(query, 2, mode=mode)
            wanted = local.search(query, 2, mode=mode)
            for one, other in zip(found, wanted, strict=True):
                assert [(m.query_span, m.passage_span) for m in one.evidence] == [
                    (m.query_span, m.passage_span) for m in other.evidence
                ]


def test_words_rank_as_in_a_folder(remote, local):
    fill(remote)
    for query in QUERIES:
        found = [hit.id for hit in remote.search(query, 3, mode="lexical")]
        assert found == [hit.id for hit in local.search(query, 3, mode="lexical")]
    assert remote.search("???", mode="lexical") == []


def test_a_passage_scores_as_its_best_window(remote):
    with Retriever.from_texts([LONG, "a needle"], ids=["long", "short"], model="hash") as local:
        remote.add([LONG, "a needle"], ids=["long", "short"])
        found, wanted = (one.search("needle", 2, mode="late") for one in (remote, local))
        assert [(hit.id, hit.window) for hit in found] == [(hit.id, hit.window) for hit in wanted]
        assert remote.stats().windows == local.stats().windows > 2
        for one, other in zip(remote.vectors(["long"]), local.vectors(["long"]), strict=True):
            for window, same in zip(one, other, strict=True):
                np.testing.assert_allclose(window, same, atol=1e-6)
        assert remote.search("needle", 1, mode="late")[0].evidence


def test_many_windows_crowd_nobody_out(remote):
    remote.add([f"{LONG} {number}" for number in range(6)] + ["plain", "other"])
    assert len({hit.id for hit in remote.search("needle", 8, mode="late")}) == 8


def test_what_is_replaced_leaves_nothing(remote):
    remote.add([LONG], ids=["a"], metadata=[{"n": 1}])
    remote.add(["short"], ids=["a"], metadata=[{"n": 2}])
    stats = remote.stats()
    assert (stats.passages, stats.windows) == (1, 1)
    assert remote.get(["a"])[0].text == "short"
    assert remote.count({"n": 1}) == 0
    assert remote.search("needle", mode="late")[0].text == "short"


def test_unchanged_passages_are_not_written_again(backend, monkeypatch):
    encoder = HashEncoder()
    remote = opened(backend, encoder)
    fill(remote)
    written = []
    monkeypatch.setattr(backend, "write", written.append)
    monkeypatch.setattr(encoder, "encode_document", None)
    fill(remote)
    assert written == []


def test_new_metadata_keep_the_vectors(backend, monkeypatch):
    encoder = HashEncoder()
    remote = opened(backend, encoder)
    remote.add([LONG], ids=["a"], metadata=[{"n": 1}])
    before = remote.vectors(["a"])[0]
    monkeypatch.setattr(encoder, "encode_document", None)
    remote.add([LONG], ids=["a"], metadata=[{"n": 2}])
    assert remote.get(["a"])[0].metadata == {"n": 2}
    for one, other in zip(remote.vectors(["a"])[0], before, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert remote.search("needle", where={"n": 2})[0].evidence


def test_deleting(remote):
    fill(remote)
    assert remote.delete(["reset", "nobody", "reset"]) == 1
    assert "reset" not in remote
    assert remote.delete(where={"lang": "de"}) == 1
    assert remote.delete([]) == 0
    with pytest.raises(InputError):
        remote.delete(where={})
    assert remote.delete(all=True) == 3
    assert len(remote) == 0
    assert remote
    assert remote.search("anything") == []


def test_passages_are_read_on_where_a_list_broke_off(remote):
    remote.add([f"text {number}" for number in range(30)], ids=[f"p{n}" for n in range(30)])
    everything = [one.id for one in remote.passages()]
    assert sorted(everything) == sorted(f"p{n}" for n in range(30))
    assert [one.id for one in remote.passages(limit=7)] == everything[:7]
    assert [one.id for one in remote.passages(after=everything[10])] == everything[11:]
    assert [one.id for one in remote.passages({"$id": "p3"})] == ["p3"]
    with pytest.raises(PassageNotFoundError, match="'nobody'"):
        next(remote.passages(after="nobody"))
    with pytest.raises(PassageNotFoundError, match="'x', 'y'"):
        remote.vectors(["p1", "x", "y"])


def test_a_blank_question_asks_for_what_matches(remote):
    fill(remote)
    assert [hit.id for hit in remote.search(" ", where={"lang": "fr"})] == ["linge"]
    assert remote.rank_many(["", "router"], 1, where={"lang": "es"})[0] == [("reinicio", 0.0)]


def test_the_rest_of_the_methods(remote, tmp_path):
    fill(remote)
    assert len(remote.search("router", 2, diversity=0.5)) == 2
    assert remote.explain("reset key", "reset").matches
    assert remote.plan("reset key").scored == 5
    assert remote.rerank("key", ["a lock", "the key", ""])[0].text == "the key"
    assert asyncio.run(remote.asearch("router", 1))[0].id in CORPUS
    assert asyncio.run(remote.adelete(["linge"])) == 1
    assert remote.measure_recall(QUERIES).recall == 1.0
    assert remote.stats().recall["queries"] == 3
    assert remote.add_stream({"id": str(n), "text": f"page {n}"} for n in range(5)) == 5
    remote.create_filter_index("lang")
    assert remote.filter_indexes() == ["lang"]
    for refused in (remote.backup, remote.migrate):
        with pytest.raises(ConfigError):
            refused(tmp_path)
    for refused in (remote.purge, remote.verify):
        with pytest.raises(ConfigError):
            refused()
    assert remote.export(tmp_path / "plain") == 9
    with Retriever.open(tmp_path / "own.index", model="hash") as local:
        local.import_dump(tmp_path / "plain")
        assert len(local) == 9
    assert remote.delete(all=True) == 9
    remote.import_dump(tmp_path / "plain")
    assert remote.get(["reset"])[0].text == CORPUS["reset"]
    assert remote.search("reset key", 1)[0].evidence


def test_given_vectors_are_found(remote):
    dim = remote.encoder.dim
    matrix = np.eye(2, dim, dtype=np.float32)
    remote.add_vectors([matrix], ["given"], ids=["g"])
    np.testing.assert_array_equal(remote.vectors(["g"])[0][0], matrix)
    assert remote.search("given", 1, mode="late")[0].evidence == ()


def test_tenants_see_their_own(remote):
    acme, beta = remote.view(tenant="acme"), remote.view(tenant="beta")
    for view, text in ((acme, "Hold the key of acme."), (beta, "Hold the key of beta.")):
        view.add([text], ids=["page"], metadata=[{"n": 1}])
    remote.add(["a forged key"], ids=["forged"], metadata=[{"tenant": "acme"}])
    assert len(remote) == 3
    assert (len(acme), len(beta)) == (1, 1)
    for mode in ("late", "lexical", "hybrid"):
        assert [hit.text for hit in acme.search("key", mode=mode)] == ["Hold the key of acme."]
    assert acme.get(["page"])[0].metadata == {"n": 1}
    assert [one.id for one in acme.passages()] == ["page"]
    assert acme.count({"n": 1}) == 1
    assert acme.explain("key", "page").matches
    assert acme.stats().passages == 1
    assert acme.search("key", 1, diversity=0.3)[0].id == "page"
    alone = [hit.score for hit in acme.search("acme key", mode="lexical")]
    beta.add([f"acme {number}" for number in range(9)])
    assert [hit.score for hit in acme.search("acme key", mode="lexical")] == pytest.approx(alone)
    assert beta.delete(where={"n": {"$exists": False}}) == 9
    with pytest.raises(ConfigError, match="not a file"):
        remote.view_of_all().search("key", query_adapter="some.file")
    assert acme.delete(all=True) == 1
    assert (len(acme), len(beta), len(remote)) == (0, 1, 2)
    only = remote.view_of_all(where={"n": 1})
    assert [hit.text for hit in only.search("key")] == ["Hold the key of beta."]
    with pytest.raises(ReadOnlyError):
        only.add(["x"])
    with pytest.raises(PassageNotFoundError, match="'page'"):
        acme.explain("key", "page")


def test_an_index_knows_its_model(backend):
    fill(opened(backend))
    assert len(opened(backend, None)) == 5
    with pytest.raises(IndexMismatchError, match="another model"):
        opened(backend, "hash:1")
    with pytest.raises(IndexMismatchError, match="window_overlap"):
        opened(backend, None, window_overlap=1)
    reader = opened(backend, None, read_only=True)
    for write in (lambda: reader.add(["x"]), lambda: reader.delete(["reset"]), reader.optimize):
        with pytest.raises(ReadOnlyError):
            write()


def test_what_is_not_there_or_not_ours_is_said(backend):
    with pytest.raises(IndexNotFoundError, match="name its model"):
        opened(backend, None)
    from qdrant_client import models

    backend._connection._client.create_collection(
        "docs",
        vectors_config={
            "own": models.VectorParams(
                size=4,
                distance=models.Distance.DOT,
                datatype=models.Datatype.FLOAT16,
                memory=models.Memory.COLD,
                hnsw_config=models.HnswConfigDiff(m=0),
            )
        },
    )
    with pytest.raises(IndexExistsError, match="did not make"):
        opened(make_backend(backend._connection._client))


def test_an_index_without_terms(backend):
    remote = fill(opened(backend, lexical=False))
    assert remote.mode == "late"
    assert remote.search("router", 1)
    with pytest.raises(ConfigError, match="late"):
        remote.search("router", mode="lexical")


def test_another_index_takes_over_a_name(tmp_path):
    """Qdrant's engine in process has no aliases; its client without a server has."""
    client = make_client("client", tmp_path)
    one = opened(make_backend(client, name="docs-1"))
    fill(one).alias("docs")
    other = opened(make_backend(client, name="docs-2"), "hash:1")
    other.add(["the new one"])
    assert len(opened(make_backend(client, name="docs"), None)) == 5
    other.alias("docs")
    served = opened(make_backend(client, name="docs"), None)
    assert (len(served), served.model) == (1, "hash:1")
    with pytest.raises(IndexExistsError, match="itself"):
        other.alias("docs-1")
    client.close()


def test_closed_is_closed(remote):
    remote.close()
    remote.close()
    with pytest.raises(RetrieverClosedError):
        len(remote)


def test_an_address_opens_a_folder_of_the_client(tmp_path):
    address = f"qdrant+file://{tmp_path}/engine/docs"
    with fill(Retriever.open(address, model="hash")) as remote:
        assert remote.path is None
        assert remote.address == address
        assert "docs" in repr(remote)
    with Retriever.open(address) as remote:
        assert len(remote) == 5
    for options in ({"storage": "exact"}, {"target_recall": 0.9}):
        with pytest.raises(ConfigError):
            Retriever.open(address, model="hash", **options)
