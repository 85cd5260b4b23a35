"""The backbone equals transformers' Lfm2Model, and a second implementation in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lfm2_colbert_rag.encoder.config import Lfm2Config
from lfm2_colbert_rag.encoder.lfm2 import Lfm2Backbone, PackedBatch

from .checkpoints import hf_config, random_backbone, small_config
from .plain import plain_hidden_states

LENGTHS = (1, 2, 3, 9, 17, 32)


def random_ids(config: Lfm2Config, length: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(100 * seed + length)
    return torch.randint(0, config.vocab_size, (length,), generator=generator).tolist()


def transformers_model(backbone: Lfm2Backbone) -> Any:
    transformers = pytest.importorskip("transformers")
    config = transformers.Lfm2Config(**hf_config(backbone.config))
    with torch.device("meta"):
        model = transformers.Lfm2Model(config)
    # Rotary frequencies are a buffer that no checkpoint holds: made again off the meta device.
    model.rotary_emb = type(model.rotary_emb)(config)
    model.load_state_dict(backbone.state_dict(), assign=True)
    return model.eval()


@torch.inference_mode()
def worst_difference(backbone: Lfm2Backbone, lengths: tuple[int, ...]) -> tuple[float, float]:
    """Smallest cosine and largest difference over all positions of padded batches."""
    model = transformers_model(backbone)
    texts = [random_ids(backbone.config, length) for length in lengths]
    width = max(lengths)
    padded = torch.tensor([ids + [0] * (width - len(ids)) for ids in texts])
    mask = torch.tensor([[1] * n + [0] * (width - n) for n in lengths])
    theirs = model(input_ids=padded, attention_mask=mask, use_cache=False).last_hidden_state
    theirs = theirs[mask.bool()]
    ours = backbone(PackedBatch.from_lists(texts))
    cosine = torch.nn.functional.cosine_similarity(ours, theirs, dim=-1).min().item()
    return cosine, (ours - theirs).abs().max().item()


def weights_of(backbone: Lfm2Backbone) -> dict[str, Any]:
    return {name: tensor.double().numpy() for name, tensor in backbone.state_dict().items()}


@pytest.mark.long
def test_causal_backbone_equals_transformers() -> None:
    """On a padded batch of unequal texts, at every position."""
    cosine, difference = worst_difference(random_backbone(small_config()), LENGTHS)
    assert cosine >= 0.99999
    assert difference <= 2e-5


@pytest.mark.slow
def test_causal_backbone_equals_transformers_at_full_size() -> None:
    """With the shapes of the 350M model."""
    attention = {2, 5, 8, 10, 12, 14}
    config = Lfm2Config(
        vocab_size=64_402,
        hidden_size=1024,
        feed_forward_size=4608,
        layer_types=tuple("full_attention" if i in attention else "conv" for i in range(16)),
        num_attention_heads=16,
        num_key_value_heads=8,
    )
    cosine, difference = worst_difference(random_backbone(config), (3, 32, 180))
    assert cosine >= 0.99999
    assert difference <= 1e-3


@torch.inference_mode()
def test_zeroed_expansion_equals_transformers() -> None:
    """transformers >= 5.16 blanks masked positions at the convolutions, in every batch."""
    backbone = random_backbone(small_config())
    ids = random_ids(backbone.config, 16)
    mask = torch.tensor([[1] * 7 + [0] * 9])
    theirs = transformers_model(backbone)(
        input_ids=torch.tensor([ids]), attention_mask=mask, use_cache=False
    ).last_hidden_state[0]
    batch = PackedBatch.from_lists([ids], mask.tolist())
    ours = backbone(batch, zero_masked_positions=True)
    # Rows of masked positions too: they are query expansion, and they are scored.
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=0)
    assert (backbone(batch) - ours)[7:].abs().max() > 1e-2


@pytest.mark.parametrize("zeroed", [False, True], ids=["kept", "zeroed"])
@pytest.mark.parametrize("both_ways", [False, True], ids=["causal", "bidirectional"])
@torch.inference_mode()
def test_backbone_equals_a_second_implementation(both_ways: bool, zeroed: bool) -> None:
    """Packed float32 against loops in float64, with query expansion in some of the texts."""
    backbone = random_backbone(small_config(bidirectional=both_ways), seed=3)
    texts = [random_ids(backbone.config, length, seed=1) for length in LENGTHS]
    masks = [[True] * len(ids) for ids in texts]
    masks[3][4:] = [False] * 5
    masks[5][11:] = [False] * 21
    ours = backbone(PackedBatch.from_lists(texts, masks), zero_masked_positions=zeroed)
    weights = weights_of(backbone)
    plain = np.concatenate(
        [
            plain_hidden_states(weights, backbone.config, ids, mask, zeroed=zeroed)
            for ids, mask in zip(texts, masks, strict=True)
        ]
    )
    np.testing.assert_allclose(ours.numpy(), plain, atol=5e-5)


@torch.inference_mode()
def test_the_directions_differ() -> None:
    """The same tensors mean another model: only the last position of a causal one sees all."""
    ids = [random_ids(small_config(), 9)]
    causal = random_backbone(small_config())
    both = random_backbone(small_config(bidirectional=True))
    batch = PackedBatch.from_lists(ids)
    assert (causal(batch) - both(batch)).abs().max() > 0.1


@torch.inference_mode()
def test_a_causal_position_does_not_see_what_follows() -> None:
    backbone = random_backbone(small_config())
    ids = random_ids(backbone.config, 20)
    whole = backbone(PackedBatch.from_lists([ids]))
    head = backbone(PackedBatch.from_lists([ids[:8]]))
    torch.testing.assert_close(whole[:8], head, atol=2e-5, rtol=0)


@torch.inference_mode()
def test_convolution_biases_are_applied() -> None:
    """No published model has them; the configuration can."""
    backbone = random_backbone(small_config(conv_bias=True))
    model = transformers_model(backbone)
    ids = random_ids(backbone.config, 9)
    theirs = model(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0]
    ours = backbone(PackedBatch.from_lists([ids]))
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=0)
