"""Texts as LlamaIndex has them."""

from llama_index.core.schema import NodeWithScore, TextNode


def rerank(postprocessor, query, documents, top_n):
    postprocessor.top_n = len(documents) if top_n is None else top_n
    nodes = [
        NodeWithScore(node=TextNode(text=text, id_=str(place)), score=0.5)
        for place, text in enumerate(documents)
    ]
    found = postprocessor.postprocess_nodes(nodes, query_str=query)
    return [[int(one.node.node_id), one.score] for one in found]
