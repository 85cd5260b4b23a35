"""What a user sees of the package before calling anything."""

from __future__ import annotations

import importlib.resources

import langchain_lfm2_colbert
import pytest
from langchain_core.documents import BaseDocumentCompressor
from langchain_core.load import dumpd
from langchain_core.retrievers import BaseRetriever
from langchain_core.structured_query import Visitor
from langchain_core.vectorstores import VectorStore
from langchain_lfm2_colbert import (
    LFM2ColBERTReranker,
    LFM2ColBERTRetriever,
    LFM2ColBERTTranslator,
    LFM2ColBERTVectorStore,
)
from pydantic import ValidationError

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.testing import HashEncoder


def test_exports_exactly_what_it_offers():
    assert langchain_lfm2_colbert.__all__ == [
        "LFM2ColBERTReranker",
        "LFM2ColBERTRetriever",
        "LFM2ColBERTTranslator",
        "LFM2ColBERTVectorStore",
        "create_search_tool",
    ]
    assert issubclass(LFM2ColBERTRetriever, BaseRetriever)
    assert issubclass(LFM2ColBERTVectorStore, VectorStore)
    assert issubclass(LFM2ColBERTReranker, BaseDocumentCompressor)
    assert issubclass(LFM2ColBERTTranslator, Visitor)


def test_package_is_typed():
    assert importlib.resources.files("langchain_lfm2_colbert").joinpath("py.typed").is_file()


def test_unknown_constructor_arguments_are_refused():
    with pytest.raises(ValidationError, match="top_k"):
        LFM2ColBERTRetriever(retriever=Retriever.from_texts(["a"], model="hash"), top_k=9)


@pytest.mark.parametrize(
    "option",
    [
        {"k": 0},
        {"k": -1},
        {"score_threshold": 1.5},
        {"where": "router"},
        {"where": {"year": {"$almost": 2024}}},
        {"mode": "psychic"},
    ],
    ids=[
        *("zero k", "negative k", "threshold above one", "no object", "unknown operator"),
        "unknown mode",
    ],
)
def test_unusable_options_are_refused(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        LFM2ColBERTRetriever.from_texts(["a"], model="hash", **option)


def test_options_are_checked_before_anything_is_encoded():
    class Untouched(HashEncoder):
        def encode_document(self, texts, **_):
            assert not texts, "encoding may take hours"
            return []

    with pytest.raises(ValidationError, match="top_k"):
        LFM2ColBERTRetriever.from_texts(["a"], model=Untouched(), top_k=9)


def test_open_closes_the_index_when_an_option_is_refused(tmp_path, monkeypatch):
    closed = []
    close = Retriever.close
    monkeypatch.setattr(Retriever, "close", lambda self: (closed.append(self), close(self)))
    with pytest.raises(ValidationError, match="top_k"):
        LFM2ColBERTRetriever.open(tmp_path / "index", model="hash", top_k=9)
    assert len(closed) == 1


def test_dumps_as_not_serializable(retriever):
    assert not retriever.is_lc_serializable()
    assert dumpd(retriever)["type"] == "not_implemented"


def test_the_model_stays_out_of_dumps_and_reprs(retriever):
    assert "retriever" not in retriever.model_dump()
    assert "retriever=" not in repr(retriever)


def test_tracing_parameters_name_the_model(retriever):
    assert retriever._get_ls_params() == {
        "ls_retriever_name": "lfm2colbert",
        "ls_vector_store_provider": "lfm2-colbert-rag",
        "ls_embedding_provider": "lfm2-colbert-rag",
        "ls_embedding_model": retriever.retriever.model,
    }
