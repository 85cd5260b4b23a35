"""Small checkpoints and the encoders made of them, one of each kind a session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.framing import Framing
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder

from .checkpoints import write_checkpoint


@pytest.fixture(scope="module", autouse=True)
def _one_torch_thread() -> Iterator[None]:
    """The models are so small that threads would only wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal PyLate checkpoint; not to be changed."""
    return write_checkpoint(tmp_path_factory.mktemp("models") / "causal")


@pytest.fixture(scope="session")
def framing(folder: Path) -> Framing:
    return Framing.from_checkpoint(Checkpoint.read(folder))


@pytest.fixture(scope="session")
def causal(folder: Path) -> TorchEncoder:
    return TorchEncoder(Checkpoint.read(folder))


@pytest.fixture(scope="session")
def bidirectional(tmp_path_factory: pytest.TempPathFactory) -> TorchEncoder:
    folder = write_checkpoint(tmp_path_factory.mktemp("models") / "both", bidirectional=True)
    return TorchEncoder(Checkpoint.read(folder))


@pytest.fixture(scope="session", params=["causal", "bidirectional"])
def encoder(request: pytest.FixtureRequest) -> TorchEncoder:
    """An encoder of each direction."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def reference_folder() -> Path:
    """Published tokenizer and reference values, which are not part of the project."""
    default = Path(__file__).parents[3] / "shared"
    found = Path(os.environ.get("LFM2_SHARED", default)) / "data" / "lfm2_reference"
    if not found.is_dir():
        pytest.skip(f"no reference material in {found}; set LFM2_SHARED to its parent's parent")
    return found
