"""The loss is its definition, its gradient its slope, and groups give the whole batch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lfm2_colbert_rag.encoder.framing import Framing
from lfm2_colbert_rag.encoder.torch_engine import load_embedder
from lfm2_colbert_rag.training import Example
from lfm2_colbert_rag.training.adapter import vectors_of
from lfm2_colbert_rag.training.batches import Batches
from lfm2_colbert_rag.training.loop import Runner, Texts
from lfm2_colbert_rag.training.losses import contrast, count_right, mean_similarities
from lfm2_colbert_rag.training.parameters import Training

from .conftest import EXAMPLES, TEXTS
from .test_adapter import plain_loss
from .test_adapter import unit as unit_rows

ASKED, FOUND = (3, 1, 4), (2, 5, 1, 3)


@pytest.fixture
def batch():
    """Three questions, of which the first has a second answer in the batch."""
    examples = [Example("a", ("p", "q"), ("r",)), Example("b", ("q",)), Example("c", ("s",))]
    (one,) = Batches(examples, 3, 0).in_order(9)
    assert (len(one.passages), one.others.sum()) == (4, 1)
    return one


def packed(rng: np.random.Generator, counts: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(unit_rows(rng, sum(counts))).double()


def test_the_loss_is_that_of_the_definition(batch):
    rng = np.random.default_rng(4)
    asked, found = packed(rng, ASKED), packed(rng, FOUND)
    loss = contrast(mean_similarities(asked, ASKED, found, FOUND), batch, 0.1)
    questions = [one.float().numpy() for one in asked.split(ASKED)]
    passages = {
        n: v.float().numpy() for n, v in zip(batch.passages, found.split(FOUND), strict=True)
    }
    expected = plain_loss(vectors_of(questions, passages), batch, np.eye(6), 0.1)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_gradient_is_the_slope(batch):
    rng, step = np.random.default_rng(5), 1e-6
    sides = packed(rng, ASKED).requires_grad_(), packed(rng, FOUND).requires_grad_()

    def loss() -> torch.Tensor:
        return contrast(mean_similarities(sides[0], ASKED, sides[1], FOUND), batch, 0.5)

    for vectors, gradient in zip(sides, torch.autograd.grad(loss(), sides), strict=True):
        numbers = vectors.detach().view(-1)  # the same memory
        for place, slope in enumerate(gradient.flatten().tolist()):
            values = []
            for change in (step, -2 * step, step):
                numbers[place] += change
                values.append(loss().item())
            assert (values[0] - values[1]) / (2 * step) == pytest.approx(slope, abs=1e-6)


def test_another_answer_is_not_told_from_the_one_to_be_found(batch):
    scores = torch.zeros(3, 4)
    scores[0, 1] = 0.9  # the first question's second answer
    assert batch.others[0, 1]
    before = contrast(scores, batch, 0.1)
    scores[0, 1] = -0.9
    assert contrast(scores, batch, 0.1) == before
    scores[0, 1] = 0.9
    scores[0, batch.targets[0]] = 0.1
    scores[1, batch.targets[1]] = 0.1
    scores[2, batch.targets[2]] = -0.1
    assert count_right(scores, batch) == 2


def runner(checkpoint, tokens: int, dtype=torch.float32) -> tuple[Runner, Training]:
    device = torch.device("cpu")
    training = Training.of(load_embedder(checkpoint, device=device, dtype="float32"), "layers", 0)
    framing = Framing.from_checkpoint(checkpoint)
    questions = framing.query([example.question for example in EXAMPLES])
    passages = dict(zip(TEXTS, framing.document(list(TEXTS.values())), strict=True))
    texts = Texts(questions, passages)
    return Runner(training.model, device, texts, tokens, 0.1, dtype, False), training


def gradient(checkpoint, tokens: int, dtype=torch.float32) -> tuple[float, torch.Tensor]:
    run, training = runner(checkpoint, tokens, dtype)
    (batch,) = Batches(EXAMPLES, 3, 0).in_order(9)
    loss = run.backward(batch)
    return loss, torch.cat([one.grad.flatten() for one in training.parameters])


def test_groups_that_fit_the_memory_give_the_gradient_of_the_whole(checkpoint):
    loss, whole = gradient(checkpoint, 10_000)
    for tokens in (1, 40):
        again, parts = gradient(checkpoint, tokens)
        assert again == pytest.approx(loss, rel=1e-5)
        assert (parts - whole).norm() < 1e-4 * whole.norm()


def test_half_precision_gives_about_the_same_gradient(checkpoint):
    loss, exact = gradient(checkpoint, 10_000)
    again, rough = gradient(checkpoint, 10_000, torch.bfloat16)
    assert again == pytest.approx(loss, rel=0.05)
    assert rough.dtype is torch.float32
    assert (rough @ exact) / (rough.norm() * exact.norm()) > 0.9


def test_the_models_gradient_is_the_slope_of_its_loss(checkpoint):
    run, training = runner(checkpoint, 10_000)
    (batch,) = Batches(EXAMPLES, 3, 0).in_order(9)
    run.backward(batch)
    gradients = [one.grad.clone() for one in training.parameters]
    length = float(torch.cat([one.flatten() for one in gradients]).norm())
    step, losses = 3e-4, []
    for sign in (1, -2):
        with torch.no_grad():
            for one, along in zip(training.parameters, gradients, strict=True):
                one += sign * step * along / length
        losses.append(run.backward(batch))
    assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(length, rel=0.02)
