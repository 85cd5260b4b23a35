"""A reranker: other retrievers' documents, ordered by late interaction."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Self

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field

from lfm2_colbert_rag import Encoder, Hit, Passage, Retriever

from ._core import Core
from ._documents import Shape, facts_of, listed
from ._questions import Threshold, TopN, above, asks_nothing


class LFM2ColBERTReranker(BaseDocumentCompressor):
    """Orders documents by how well they answer a question, and keeps the best.

    Goes into a ``ContextualCompressionRetriever``. The documents that come back are copies, with
    their relevance in the metadata. ``acompress_documents`` never blocks the event loop.

    Attributes:
        retriever: the opened :class:`lfm2_colbert_rag.Retriever` whose model is used, or a
            :class:`lfm2_colbert_rag.Client`; its index is not. :meth:`from_model` makes one.
        top_n: how many documents to keep; all of them when ``None``.
        score_threshold: drop documents whose relevance (0 to 1) is below this.
        score_key: metadata key under which the relevance (0 to 1) is returned; ``None`` adds none.
        evidence: list under ``"evidence"`` in the metadata which words matched, as
            :class:`~langchain_lfm2_colbert.LFM2ColBERTRetriever` does.

    Example:
        >>> documents = [Document("The library opens at nine."), Document("The pool is closed.")]
        >>> reranker = LFM2ColBERTReranker.from_model("hash", top_n=1)
        >>> reranker.compress_documents(documents, "Is the pool open?")[0].page_content
        'The pool is closed.'
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    retriever: Core = Field(exclude=True, repr=False)
    top_n: TopN = Field(default=3, gt=0)
    score_threshold: Threshold = Field(default=None, ge=0, le=1)
    score_key: str | None = "relevance_score"
    evidence: bool = False

    @classmethod
    def from_model(cls, model: str | Path | Encoder | None = None, **options: Any) -> Self:
        """Rerank with a model of one's own choice.

        Args:
            model: ``"nano"``, a hub id, a local folder or an encoder; the core's default when
                left out.
            **options: fields of this class, such as ``top_n``.
        """
        return cls(retriever=Retriever.from_texts([], model=model), **options)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks = None
    ) -> Sequence[Document]:
        """Order documents.

        Args:
            documents: what was found elsewhere; they are left alone. One without text is of no
                relevance.
            query: the question. To a blank one no document is of any relevance, so that their
                order stays.
            callbacks: not used.

        Returns:
            Copies of the best, best first; equal ones keep their order.
        """
        documents = listed(documents, "documents")
        if not documents:
            return []
        ranked = self._rank(query, documents)[: self.top_n]
        shape = Shape(score_key=self.score_key, evidence=self.evidence)
        return [
            _copy(documents[int(hit.id)], facts_of(query, hit, shape))
            for hit in above(ranked, self.score_threshold)
        ]

    def _rank(self, query: str, documents: Sequence[Document]) -> list[Hit]:
        passages = [Passage(str(n), document.page_content) for n, document in enumerate(documents)]
        if asks_nothing(query, None):
            return [Hit(one.id, 0.0, 0.0, one.text, {}) for one in passages]
        return self.retriever.rerank(query, passages)


def _copy(document: Document, facts: dict[str, Any]) -> Document:
    return document.model_copy(update={"metadata": deepcopy(document.metadata) | facts})
