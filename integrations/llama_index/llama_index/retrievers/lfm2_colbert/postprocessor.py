"""A reranker: other retrievers' nodes, ordered by late interaction."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle

from lfm2_colbert_rag import Encoder, Retriever
from lfm2_colbert_rag.errors import ConfigError

from .core import Core
from .facts import with_facts
from .options import check_cutoff, check_top, readable

dispatcher = get_dispatcher(__name__)


class LFM2ColBERTRerank(BaseNodePostprocessor):
    """Orders nodes by how well they answer a question, and keeps the best.

    The nodes that come back are copies, their score the relevance, 0 to 1. The async method never
    blocks the event loop.

    Args:
        top_n: how many nodes to keep.
        model: ``"nano"``, a hub id, a local folder or an encoder; the core's default when left
            out. Not together with ``retriever``.
        retriever: an opened :class:`lfm2_colbert_rag.Retriever` whose model is used, or a
            :class:`lfm2_colbert_rag.Client`; its index is not.
        similarity_cutoff: leave out nodes with a lower score, 0 to 1, as
            :class:`LFM2ColBERTRetriever` does.
        keep_retrieval_score: keep the former score in the metadata, as ``"retrieval_score"``.
        evidence: list under ``"evidence"`` in the metadata which words matched, as
            :class:`LFM2ColBERTRetriever` does.

    Raises:
        ConfigError: a ``top_n`` below 1, a ``similarity_cutoff`` that is no number from 0 to 1, or
            both a model and a retriever.

    Example:
        >>> from llama_index.core.schema import TextNode
        >>> texts = ["The library opens at nine.", "The pool is closed."]
        >>> nodes = [NodeWithScore(node=TextNode(text=text)) for text in texts]
        >>> rerank = LFM2ColBERTRerank(top_n=1, model="hash")
        >>> rerank.postprocess_nodes(nodes, query_str="Is the pool open?")[0].node.get_content()
        'The pool is closed.'
    """

    model: str = Field(description="How to ask for the model again.")
    top_n: int = Field(description="How many nodes to keep.")
    similarity_cutoff: float | None = Field(default=None, description="The least score.")
    keep_retrieval_score: bool = Field(default=False, description="Keep the former score.")
    evidence: bool = Field(default=False, description="List the words that matched.")
    _retriever: Core = PrivateAttr()
    _model: str | Path | Encoder | None = PrivateAttr(default=None)
    _opened: bool = PrivateAttr(default=False)

    def __init__(
        self,
        top_n: int = 2,
        model: str | Path | Encoder | None = None,
        *,
        retriever: Core | None = None,
        similarity_cutoff: float | None = None,
        keep_retrieval_score: bool = False,
        evidence: bool = False,
    ) -> None:
        top_n, cutoff = check_top(top_n, "top_n"), check_cutoff(similarity_cutoff)
        if retriever is not None and model is not None:
            raise ConfigError("give either a model or a retriever, which brings its own.")
        opened = retriever or Retriever.from_texts([], model=model)
        super().__init__(  # type: ignore[call-arg]  # pydantic's, of the fields above
            model=opened.model,
            top_n=top_n,
            similarity_cutoff=cutoff,
            keep_retrieval_score=keep_retrieval_score,
            evidence=evidence,
        )
        self._retriever, self._model, self._opened = opened, model, retriever is None

    def __reduce__(self) -> tuple[Callable[..., LFM2ColBERTRerank], tuple[Any, ...]]:
        """Let another process load the same model: what was loaded here does not travel.

        Raises:
            InputError: it was given a retriever in memory, or an encoder that cannot be pickled.
        """
        own = {"model": self._model} if self._opened else {"retriever": self._retriever}
        others = ("top_n", "similarity_cutoff", "keep_retrieval_score", "evidence")
        return _make_again, (type(self), {**own, **{name: getattr(self, name) for name in others}})

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex knows the class."""
        return "LFM2ColBERTRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            raise ConfigError("a reranker needs the question; pass query_str or query_bundle.")
        if not nodes:
            return []
        dispatcher.event(
            ReRankStartEvent(
                query=query_bundle, nodes=nodes, top_n=self.top_n, model_name=self.model
            )
        )
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.model,
            EventPayload.QUERY_STR: query_bundle.query_str,
            EventPayload.TOP_K: self.top_n,
        }
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            ranked = self._rank(nodes, query_bundle.query_str)
            event.on_end(payload={EventPayload.NODES: ranked})
        dispatcher.event(ReRankEndEvent(nodes=ranked))
        return ranked

    def _rank(self, nodes: list[NodeWithScore], query: str) -> list[NodeWithScore]:
        query = readable(query)
        texts = [one.node.get_content(metadata_mode=MetadataMode.EMBED) for one in nodes]
        ranked, cutoff = [], self.similarity_cutoff
        for hit in self._retriever.rerank(query, texts, self.top_n):
            if cutoff is None or hit.relevance >= cutoff:
                facts = {"evidence": hit.quote_evidence(query)} if self.evidence else {}
                ranked.append(self._scored(nodes[int(hit.id)], hit.relevance, facts))
        return ranked

    def _scored(self, one: NodeWithScore, score: float, facts: dict[str, Any]) -> NodeWithScore:
        if self.keep_retrieval_score:
            facts = {**facts, "retrieval_score": one.score}
        return NodeWithScore(node=with_facts(_copy(one.node), facts), score=score)


def _make_again(kind: type[LFM2ColBERTRerank], options: dict[str, Any]) -> LFM2ColBERTRerank:
    return kind(**options)


def _copy(node: BaseNode) -> BaseNode:
    """Copy what callers write into; not an object that an ``IndexNode`` points to."""
    return node.model_copy(
        update={
            "metadata": deepcopy(node.metadata),
            "relationships": dict(node.relationships),
            "excluded_llm_metadata_keys": list(node.excluded_llm_metadata_keys),
            "excluded_embed_metadata_keys": list(node.excluded_embed_metadata_keys),
        }
    )
