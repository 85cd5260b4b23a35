"""Cross-lingual late-interaction retrieval for LangChain.

Example:
    >>> from langchain_lfm2_colbert import LFM2ColBERTRetriever
    >>> retriever = LFM2ColBERTRetriever.from_texts(
    ...     ["The library opens at nine.", "The pool closes at noon."], model="hash", k=1
    ... )
    >>> retriever.invoke("When does the library open?")[0].page_content
    'The library opens at nine.'
"""

from __future__ import annotations

from .document_compressors import LFM2ColBERTReranker
from .query_constructors import LFM2ColBERTTranslator
from .retrievers import LFM2ColBERTRetriever
from .tools import create_search_tool
from .vectorstores import LFM2ColBERTVectorStore

__all__ = [
    "LFM2ColBERTReranker",
    "LFM2ColBERTRetriever",
    "LFM2ColBERTTranslator",
    "LFM2ColBERTVectorStore",
    "create_search_tool",
]
