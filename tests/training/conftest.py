"""A small model with random weights and questions about a few passages; an index and labels."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import torch

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder
from lfm2_colbert_rag.training import Example

from ..encoder.checkpoints import write_checkpoint

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


CANARY = "zanzibarquokka"
TEXTS = {
    "doc-reset": f"Hold the reset key of the router for ten seconds {CANARY}.",
    "doc-coffee": "The coffee machine is cleaned every month.",
    "doc-library": "The library opens at nine and closes at six.",
    "doc-unused": "Nobody asks for this one.",
}
EXAMPLES = (
    Example(f"how do I restart it {CANARY}", ("doc-reset",), ("doc-coffee",)),
    Example("when can I borrow books", ("doc-library",)),
    Example("the machine tastes of lime", ("doc-coffee",), ("doc-library",)),
)


@pytest.fixture(scope="package", autouse=True)
def _one_torch_thread() -> Iterator[None]:
    """The models are so small that threads would only wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A model in float32; not to be changed."""
    folder = tmp_path_factory.mktemp("model") / "base"
    return Checkpoint.read(write_checkpoint(folder, bidirectional=True))


@pytest.fixture(scope="package")
def encoder(checkpoint: Checkpoint) -> TorchEncoder:
    return TorchEncoder(checkpoint)
