"""Adam is torch's own, which is not used because of what is imported with it."""

from __future__ import annotations

import pytest
import torch

from lfm2_colbert_rag.training.optimiser import Adam


def parameters() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 4), (5,))]


def follow(given, step) -> None:
    """Take steps down a bowl whose sides are of different height."""
    for pace in (0.1, 0.05, 0.2, 0.01):
        sum((n + 1) * (one**4).sum() for n, one in enumerate(given)).backward()
        step(pace)


def test_a_step_goes_against_the_gradient_and_forgets_it():
    mine = parameters()
    before = [one.detach().clone() for one in mine]
    follow(mine, Adam(mine).step)
    assert all(one.grad is None for one in mine)
    assert all(
        bool((one.abs() <= was.abs() + 0.4).all()) for one, was in zip(mine, before, strict=True)
    )
    assert sum((one**4).sum() for one in mine) < sum((one**4).sum() for one in before)


@pytest.mark.slow
def test_it_is_torchs_own():
    mine, theirs = parameters(), parameters()
    follow(mine, Adam(mine).step)
    optimiser = torch.optim.AdamW(theirs, weight_decay=0.0)

    def step(pace: float) -> None:
        optimiser.param_groups[0]["lr"] = pace
        optimiser.step()
        optimiser.zero_grad()

    follow(theirs, step)
    for one, other in zip(mine, theirs, strict=True):
        assert (one - other).abs().max() < 1e-6
