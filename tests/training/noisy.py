"""Questions that are mostly noise, which a query adapter learns to look past."""

from __future__ import annotations

import random

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.training import TrainingSettings

SIZE = 200
NOISE = "zz0 zz1 zz2 zz3"
TEXT, QUESTION, ID = "canarytext", "canaryquestion", "canaryid"

LEARNS = TrainingSettings(learning_rate=0.004, steps=60)
"""Learns to look past the noise, and forgets nothing."""
FORGETS = TrainingSettings(learning_rate=0.02, steps=120)
"""Learns more, and turns all other words as well."""


def passage(number: int) -> str:
    """Words of its own; every fourth has the noise too, and is found by all questions at first."""
    rng = random.Random(number)
    words = [f"own{number} also{number}", *(f"w{rng.randrange(400)}" for _ in range(6)), TEXT]
    return " ".join([*words, NOISE] if number % 4 == 0 else words)


def question(number: int) -> str:
    other = random.Random(number + 999).randrange(400)
    return f"{NOISE} own{number} also{number} w{other} {QUESTION}{number}"


def name(number: int) -> str:
    return f"{ID}-{number}"


def labels(size: int = SIZE) -> list[tuple[str, str]]:
    return [(question(number), name(number)) for number in range(size)]


def shuffled(seed: int) -> list[tuple[str, str]]:
    """Return labels of which hardly one is true."""
    ids = [id for _, id in labels()]
    random.Random(seed).shuffle(ids)
    return [(question, id) for (question, _), id in zip(labels(), ids, strict=True)]


def fill(retriever: Retriever, size: int = SIZE) -> Retriever:
    retriever.add([passage(n) for n in range(size)], ids=[name(n) for n in range(size)])
    return retriever
