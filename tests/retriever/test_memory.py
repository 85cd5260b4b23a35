"""Too little memory is told as what it is."""

from __future__ import annotations

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import IndexUnavailableError
from lfm2_colbert_rag.testing import HashEncoder


class Starved(HashEncoder):
    """A model that needs more memory than there is."""

    starving = False

    def encode_query(self, texts):
        if self.starving:
            raise MemoryError
        return super().encode_query(texts)

    def encode_document(self, texts, **options):
        if self.starving:
            raise MemoryError
        return super().encode_document(texts, **options)


def test_a_model_without_memory(folder):
    model = Starved()
    with Retriever.open(folder, model=model) as retriever:
        retriever.add(["one"])
        model.starving = True
        with pytest.raises(IndexUnavailableError, match="not enough memory"):
            retriever.search("one")
        with pytest.raises(IndexUnavailableError, match="not enough memory"):
            retriever.add(["two"])
        model.starving = False
        assert len(retriever.search("one")) == 1
