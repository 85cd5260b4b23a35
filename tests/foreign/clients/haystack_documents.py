"""Texts as Haystack has them."""

from haystack import Document


def rank(ranker, query, documents, top_n):
    given = [Document(id=str(place), content=text) for place, text in enumerate(documents)]
    found = ranker.run(query=query, documents=given, top_k=top_n or len(documents))
    return [[int(one.id), one.score] for one in found["documents"]]
