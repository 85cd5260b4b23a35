"""What the tests of intake share."""

from __future__ import annotations

import pytest

from lfm2_colbert_rag import Retriever


@pytest.fixture
def empty():
    """Return a retriever without a passage."""
    with Retriever.from_texts([], model="hash") as retriever:
        yield retriever
