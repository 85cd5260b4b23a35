"""A small model with random weights, and questions about a few passages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder
from lfm2_colbert_rag.training import Example

from ..encoder.checkpoints import write_checkpoint

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
