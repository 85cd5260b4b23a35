"""What somebody else lets serve the index is asked at the next question."""

from __future__ import annotations

from langchain_lfm2_colbert import LFM2ColBERTRetriever

from lfm2_colbert_rag import Retriever

QUESTION = "Where is the reset key?"


def scores(retriever: LFM2ColBERTRetriever) -> dict[str, float]:
    return {one.id or "": one.metadata["score"] for one in retriever.invoke(QUESTION)}


def test_a_retriever_follows_another_model_and_back(tmp_path):
    folder = tmp_path / "an.index"
    with Retriever.open(folder, model="hash") as other:
        other.add(["Hold the reset key.", "The door opens at nine."], ids=["key", "door"])
        retriever = LFM2ColBERTRetriever.open(folder, model="hash", score_key="score")
        before = scores(retriever)
        other.migrate("hash:7", progress=False)
        after = scores(retriever)
        assert after.keys() == before.keys()
        assert after != before
        for model in ("hash", "hash:7", None):  # whichever of its models is named
            again = LFM2ColBERTRetriever.open(folder, model=model, score_key="score")
            assert scores(again) == after
        other.rollback(progress=False)
        assert scores(retriever) == before
