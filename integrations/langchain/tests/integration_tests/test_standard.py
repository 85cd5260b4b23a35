"""LangChain's own conformance suite, as it ships."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_lfm2_colbert import LFM2ColBERTRetriever
from langchain_tests.integration_tests import RetrieversIntegrationTests

from lfm2_colbert_rag import Retriever


@pytest.fixture(scope="module")
def opened_index(tmp_path_factory: pytest.TempPathFactory):
    with Retriever.open(tmp_path_factory.mktemp("index") / "standard", model="hash") as opened:
        opened.add(["Opening hours of the library.", "Opening hours of the pool.", "A third text."])
        yield opened


class TestInMemory(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> type[LFM2ColBERTRetriever]:
        return LFM2ColBERTRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        texts = ["Opening hours of the library.", "Opening hours of the pool.", "A third text."]
        return {"retriever": Retriever.from_texts(texts, model="hash")}

    @property
    def retriever_query_example(self) -> str:
        return "When does the library open?"


class TestOnDisk(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _use_index(self, opened_index: Retriever) -> None:
        self._opened_index = opened_index

    @property
    def retriever_constructor(self) -> type[LFM2ColBERTRetriever]:
        return LFM2ColBERTRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"retriever": self._opened_index}

    @property
    def retriever_query_example(self) -> str:
        return "When does the library open?"
