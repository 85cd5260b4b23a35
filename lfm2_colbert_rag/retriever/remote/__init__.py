"""A retriever over an engine: the parts that ask a :class:`~lfm2_colbert_rag.cluster.Backend`.

What a folder's retriever does with rows of segments is done here with points: windows, pooling,
fusion, relevance and evidence are the same parts in both.
"""
