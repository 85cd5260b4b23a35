"""An index that a model without meaning can learn about, and labels in many forms."""

from __future__ import annotations

import random

import pytest

from lfm2_colbert_rag import Retriever

SIZE = 120
_COMMON = [*"bcdfghjklmnpqrstvwxz"]


def passage(number: int) -> str:
    """A title, and a text with words of its own and words of others."""
    rng = random.Random(number)
    words = [f"own{number}", f"shared{number % 30}", *rng.sample(_COMMON, 8)]
    rng.shuffle(words)
    return f"Matter {number} of chapter {number % 7}\n" + " ".join(words) + "."


def question(number: int) -> str:
    """A question that words of its passage answer, among words of any."""
    rng = random.Random(1000 + number)
    return f"what{number} is shared{number % 30} and {' '.join(rng.sample(_COMMON, 3))} own{number}"


def labels(size: int = SIZE) -> list[tuple[str, str]]:
    return [(question(number), f"p{number}") for number in range(size)]


def fill(retriever: Retriever, size: int = SIZE) -> Retriever:
    retriever.add([passage(n) for n in range(size)], ids=[f"p{n}" for n in range(size)])
    return retriever


@pytest.fixture(scope="module")
def index():
    """Return an index in memory that no test changes."""
    with Retriever.from_texts([], model="hash") as made:
        yield fill(made)
