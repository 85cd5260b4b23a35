"""LangChain's own conformance suites, as they ship."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_lfm2_colbert import (
    LFM2ColBERTRetriever,
    LFM2ColBERTVectorStore,
    create_search_tool,
)
from langchain_tests.integration_tests import (
    RetrieversIntegrationTests,
    ToolsIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.unit_tests import ToolsUnitTests

from lfm2_colbert_rag import Client, Retriever


@pytest.fixture(scope="module")
def opened_index(tmp_path_factory: pytest.TempPathFactory):
    with Retriever.open(tmp_path_factory.mktemp("index") / "standard", model="hash") as opened:
        opened.add(["Opening hours of the library.", "Opening hours of the pool.", "A third text."])
        yield opened


@pytest.fixture(scope="module")
def opened_client(server):
    with server.connect() as client:
        client.add(["Opening hours of the library.", "Opening hours of the pool.", "A third text."])
        yield client


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


class TestOnServer(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _use_server(self, opened_client: Client) -> None:
        self._client = opened_client

    @property
    def retriever_constructor(self) -> type[LFM2ColBERTRetriever]:
        return LFM2ColBERTRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"retriever": self._client}

    @property
    def retriever_query_example(self) -> str:
        return "When does the library open?"


class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture(params=["in memory", "on disk", "on a server", "in an engine"])
    def vectorstore(self, request: pytest.FixtureRequest, tmp_path):
        if request.param == "in memory":
            store = LFM2ColBERTVectorStore.from_texts([], model="hash")
        elif request.param == "on a server":
            server = request.getfixturevalue("server")
            store = LFM2ColBERTVectorStore.connect(server.url, server.key, index=server.make())
        elif request.param == "in an engine":
            pytest.importorskip("qdrant_client", reason="needs the core's extra 'qdrant'")
            store = LFM2ColBERTVectorStore.open(
                f"qdrant+file://{tmp_path}/engine/docs", model="hash"
            )
        else:
            store = LFM2ColBERTVectorStore.open(tmp_path / "standard", model="hash")
        yield store
        store.retriever.close()


class SearchTool:
    """What the suites for tools ask about ours."""

    @property
    def tool_constructor(self) -> BaseTool:
        texts = ["Opening hours of the library.", "Opening hours of the pool."]
        retriever = LFM2ColBERTRetriever.from_texts(texts, [{"floor": 1}] * 2, model="hash")
        return create_search_tool(retriever, "rules", "House rules.", fields={"floor": "which one"})

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"query": "When does the library open?", "k": 1, "where": {"floor": 1}}


class TestToolUnit(SearchTool, ToolsUnitTests):
    pass


class TestToolIntegration(SearchTool, ToolsIntegrationTests):
    pass
