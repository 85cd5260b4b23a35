"""What comes back for a question, and what may be asked."""

from __future__ import annotations

import importlib.resources
from importlib.util import find_spec
from pathlib import Path

import llama_index.retrievers.lfm2_colbert
import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.indices.base import BaseIndex
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import QueryBundle, TextNode, TransformComponent
from llama_index.core.vector_stores.types import BasePydanticVectorStore
from llama_index.retrievers.lfm2_colbert import (
    LFM2ColBERTIndex,
    LFM2ColBERTPlaceholder,
    LFM2ColBERTRerank,
    LFM2ColBERTRetriever,
    LFM2ColBERTVectorStore,
)

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.testing import HashEncoder


def ids(found) -> list[str]:
    return [one.node.node_id for one in found]


class TestPackage:
    @pytest.mark.parametrize(
        ("class_", "base"),
        [
            (LFM2ColBERTRetriever, BaseRetriever),
            (LFM2ColBERTIndex, BaseIndex),
            (LFM2ColBERTVectorStore, BasePydanticVectorStore),
            (LFM2ColBERTRerank, BaseNodePostprocessor),
            (LFM2ColBERTPlaceholder, TransformComponent),
        ],
    )
    def test_class_hierarchy(self, class_, base):
        assert issubclass(class_, base)

    def test_exports_exactly_what_it_offers(self):
        assert llama_index.retrievers.lfm2_colbert.__all__ == [
            "LFM2ColBERTIndex",
            "LFM2ColBERTPlaceholder",
            "LFM2ColBERTRerank",
            "LFM2ColBERTRetriever",
            "LFM2ColBERTVectorStore",
            "create_search_tool",
        ]

    def test_is_typed(self):
        files = importlib.resources.files("llama_index.retrievers.lfm2_colbert")
        assert files.joinpath("py.typed").is_file()

    def test_the_namespaces_stay_shared(self):
        root = Path(LFM2ColBERTRetriever.__init__.__code__.co_filename).parents[2]
        assert not (root / "__init__.py").exists()
        assert not (root / "retrievers" / "__init__.py").exists()
        assert find_spec("llama_index.core") is not None


class TestSize:
    async def test_defaults_to_llama_index_s_two(self, nodes, ask):
        retriever = LFM2ColBERTRetriever.from_nodes(nodes, model="hash")
        assert retriever.similarity_top_k == 2
        assert ids(await ask(retriever)) == ["reset", "guest"]

    async def test_can_be_set_later(self, retriever, ask):
        retriever.similarity_top_k = 1
        assert ids(await ask(retriever)) == ["reset"]

    def test_another_size_for_a_copy(self, retriever):
        assert ids(retriever.with_top_k(1).retrieve("reset the password")) == ["reset"]
        assert retriever.similarity_top_k == 4
        assert retriever.with_top_k(None).similarity_top_k == 4
        with pytest.raises(ConfigError, match="similarity_top_k"):
            retriever.with_top_k(0)

    async def test_beyond_the_corpus_returns_what_there_is(self, retriever, ask):
        retriever.similarity_top_k = 1000
        assert len(await ask(retriever)) == 4

    @pytest.mark.parametrize("size", [0, -1, 2.5, "two", None])
    def test_unusable_ones_are_refused(self, retriever, size):
        with pytest.raises(ConfigError, match="similarity_top_k"):
            retriever.similarity_top_k = size
        with pytest.raises(ConfigError, match="similarity_top_k"):
            LFM2ColBERTRetriever(retriever.retriever, similarity_top_k=size)


class TestQueries:
    async def test_scores_are_relevance_best_first(self, retriever, ask):
        scores = [one.score for one in await ask(retriever)]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        hits = retriever.retriever.search("How do I reset the password?", 4)
        assert scores == [hit.relevance for hit in hits]

    async def test_rewritten_questions_are_merged_by_their_best_score(self, retriever, ask):
        retriever.similarity_top_k = 2
        strings = ["descale the coffee machine", "reset the password", "tank with vinegar"]
        found = await ask(retriever, QueryBundle("?", custom_embedding_strs=strings))
        assert ids(found) == ["descale", "reset"]
        alone = {one.node.node_id: one.score for one in await ask(retriever, strings[0])}
        assert found[0].score == alone["descale"]

    async def test_embeddings_of_other_models_are_ignored(self, retriever, ask):
        bundle = QueryBundle("How do I reset the password?", embedding=[0.1, 0.2])
        assert ids(await ask(retriever, bundle)) == ids(await ask(retriever))

    async def test_an_empty_corpus_finds_nothing(self, ask):
        assert await ask(LFM2ColBERTRetriever.from_nodes([], model="hash")) == []


class TestBuilding:
    def test_options_are_checked_before_anything_is_encoded(self, nodes):
        class Untouched(HashEncoder):
            def encode_document(self, texts, **_):
                assert not texts, "encoding may take hours"
                return []

        with pytest.raises(TypeError, match="top_k"):
            LFM2ColBERTRetriever.from_nodes(nodes, model=Untouched(), top_k=3)

    def test_inserting_an_id_again_replaces_it(self, retriever):
        retriever.insert_nodes([TextNode(id_="reset", text="Ask the help desk.")])
        assert retriever.retrieve("help desk")[0].node.text == "Ask the help desk."
        assert len(retriever.retriever) == 4

    def test_unusable_metadata_changes_nothing(self, retriever):
        bad = [TextNode(text="fine"), TextNode(text="no JSON", metadata={"x": object()})]
        with pytest.raises(ValueError, match="object"):
            retriever.insert_nodes(bad)
        assert len(retriever.retriever) == 4

    def test_delete_nodes(self, retriever):
        assert retriever.delete_nodes(["reset", "never there"]) == 1
        assert "reset" not in ids(retriever.retrieve("reset the password"))

    def test_delete_ref_doc(self, retriever):
        assert retriever.delete_ref_doc("router-manual") == 2
        assert set(ids(retriever.retrieve("password"))) == {"descale", "warranty"}
        assert retriever.delete_ref_doc("router-manual") == 0

    def test_an_index_on_disk_opens_again(self, nodes, tmp_path):
        made = LFM2ColBERTRetriever.open(tmp_path / "index", model="hash")
        made.insert_nodes(nodes)
        expected = made.retrieve("reset the password")
        made.retriever.close()
        opened = LFM2ColBERTRetriever.open(tmp_path / "index", model="hash")
        assert opened.retrieve("reset the password") == expected
        opened.retriever.close()

    def test_open_closes_the_index_when_an_option_is_refused(self, tmp_path, monkeypatch):
        closed = []
        close = Retriever.close
        monkeypatch.setattr(Retriever, "close", lambda self: (closed.append(self), close(self)))
        with pytest.raises(ConfigError):
            LFM2ColBERTRetriever.open(tmp_path / "index", model="hash", similarity_top_k=0)
        assert len(closed) == 1

    async def test_passages_from_elsewhere_come_back_as_text_nodes(self, ask):
        core = Retriever.from_texts(
            ["Reset the password."], ids=["1"], metadata=[{"lang": "en"}], model="hash"
        )
        (found,) = await ask(LFM2ColBERTRetriever(core, where={"lang": "en"}))
        assert found.node == TextNode(id_="1", text="Reset the password.", metadata={"lang": "en"})
