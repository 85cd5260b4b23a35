"""Vectors that were encoded before, in place of an encoder of documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lfm2_colbert_rag import Passage
from lfm2_colbert_rag.evaluation import Dataset

from .remembering import Remembering
from .search.corpus import questions_about
from .search.vectors import VectorSet

LIKE = 0.05  # coordinates of one text's vectors, encoded twice: int8 depends on the batch


class Given(Remembering):
    """Vectors that were encoded before, as an encoder; each text is a window of its own."""

    def __init__(self, encoder: Any, vectors: VectorSet) -> None:
        super().__init__(encoder)
        encoded = map(vectors.encoded, range(len(vectors.texts)))
        self.documents = dict(zip(vectors.texts, encoded, strict=True))

    def token_spans(self, texts: Sequence[str]) -> list[Any]:
        """Return the spans of the vectors, which are no more than there is room for."""
        return [self.documents[text].spans[: self.document_room] for text in texts]


def given_dataset(evaluation: Path, vectors: VectorSet, encoder: Given, limit: int) -> Dataset:
    """Return the judged questions about passages whose vectors are given.

    Raises:
        SystemExit: the vectors are of another model than the encoder.
    """
    stored = vectors.queries[0].astype(np.float32)
    encoded = encoder.encode_query(vectors.questions[:1])[0].vectors
    if encoded.shape != stored.shape or np.abs(encoded - stored).max() > LIKE:
        raise SystemExit("the vectors are of another model; encode their passages again.")
    about = questions_about(evaluation, vectors.texts, limit)
    corpus = [Passage(str(place), text, {}) for place, text in enumerate(vectors.texts)]
    queries = {str(number): question for number, (question, _) in enumerate(about)}
    qrels = {str(n): {str(place): 1 for place in places} for n, (_, places) in enumerate(about)}
    return Dataset(corpus, queries, qrels, name=f"{len(corpus):,} passages")
