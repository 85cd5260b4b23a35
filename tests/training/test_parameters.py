"""What is trained, what is added and merged, and the way back to the original."""

from __future__ import annotations

import pytest
import torch

from lfm2_colbert_rag.encoder.lfm2 import PackedBatch
from lfm2_colbert_rag.encoder.torch_engine import load_embedder
from lfm2_colbert_rag.training.parameters import LowRank, Training

IDS = PackedBatch.from_lists([[1, 5, 9, 40, 7], [1, 30, 31]])
KEEP = torch.ones(8, dtype=torch.bool)


def prepared(checkpoint, method: str, seed: int = 0) -> Training:
    model = load_embedder(checkpoint, device=torch.device("cpu"), dtype="float32")
    return Training.of(model, method, seed)


def vectors(training: Training) -> torch.Tensor:
    with torch.no_grad():
        return training.model(IDS, KEEP)


def nudge(training: Training, seed: int = 1) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for one in training.parameters:
            one += 0.1 * torch.randn(one.shape, generator=generator)


def test_each_method_trains_what_it_says(checkpoint):
    names = {
        method: set(prepared(checkpoint, method).originals) for method in ("head", "lora", "layers")
    }
    assert names["head"] == {"heads.0.linear.weight"}
    assert names["head"] < names["layers"]
    assert names["lora"] < names["layers"] - names["head"]
    every = set(prepared(checkpoint, "head").model.state_dict())
    assert every - names["layers"] == {"backbone.embed_tokens.weight"}


def test_low_rank_begins_as_the_model_and_is_the_same_once_merged(checkpoint):
    plain, training = prepared(checkpoint, "head"), prepared(checkpoint, "lora")
    assert torch.equal(vectors(training), vectors(plain))
    nudge(training)
    adapted = vectors(training)
    assert (adapted - vectors(plain)).abs().max() > 0.01
    training.finish(1.0)
    assert not any(isinstance(one, LowRank) for one in training.model.modules())
    assert set(training.model.state_dict()) == set(plain.model.state_dict())
    assert (vectors(training) - adapted).abs().max() <= 1e-5


def test_what_is_drawn_follows_the_seed(checkpoint):
    def drawn(seed: int) -> torch.Tensor:
        return torch.cat([one.flatten() for one in prepared(checkpoint, "lora", seed).parameters])

    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))


@pytest.mark.parametrize("method", ["head", "lora", "layers"])
@pytest.mark.parametrize("mix", [0.25, 1.0])
def test_a_mix_lies_so_far_on_the_way(checkpoint, method, mix):
    whole, part = prepared(checkpoint, method), prepared(checkpoint, method)
    nudge(whole)
    nudge(part)
    trained, mixed = whole.finish(1.0), part.finish(mix)
    for name, original in part.originals.items():
        assert (mixed[name] - original - mix * (trained[name] - original)).abs().max() < 1e-5
        assert torch.equal(part.model.state_dict()[name], mixed[name])
