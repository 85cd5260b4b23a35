"""What the tests of intake share."""

from __future__ import annotations

import pytest

from lfm2_colbert_rag import Retriever


@pytest.fixture(scope="package")
def shared():
    """Return one retriever for all tests, since it takes some time to make one."""
    with Retriever.from_texts([], model="hash") as retriever:
        yield retriever


@pytest.fixture
def empty(shared: Retriever) -> Retriever:
    """Return it without a passage."""
    shared.delete(all=True)
    return shared
