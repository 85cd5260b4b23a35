"""Cross-lingual late-interaction retrieval for LlamaIndex.

Example:
    >>> from llama_index.core.schema import TextNode
    >>> from llama_index.retrievers.lfm2_colbert import LFM2ColBERTRetriever
    >>> nodes = [TextNode(text="The library opens at nine."), TextNode(text="The pool is closed.")]
    >>> retriever = LFM2ColBERTRetriever.from_nodes(nodes, model="hash", similarity_top_k=1)
    >>> retriever.retrieve("When does the library open?")[0].node.get_content()
    'The library opens at nine.'
"""

from __future__ import annotations

from .base import LFM2ColBERTRetriever
from .index import LFM2ColBERTIndex
from .postprocessor import LFM2ColBERTRerank
from .tools import create_search_tool
from .vector_stores import LFM2ColBERTPlaceholder, LFM2ColBERTVectorStore

__all__ = [
    "LFM2ColBERTIndex",
    "LFM2ColBERTPlaceholder",
    "LFM2ColBERTRerank",
    "LFM2ColBERTRetriever",
    "LFM2ColBERTVectorStore",
    "create_search_tool",
]
