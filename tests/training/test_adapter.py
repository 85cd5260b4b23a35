"""The matrix on questions: its gradient, what it finds, and that it begins as none."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.index.maxsim import maxsim
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.training import Example, TrainingSettings, fit_adapter
from lfm2_colbert_rag.training.adapter import fit, loss_and_gradient, vectors_of
from lfm2_colbert_rag.training.batches import Batches

DIM = 6


def unit(rng, count, dim=DIM):
    rows = rng.standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def drawn():
    """Questions, passages and a batch in which one question has two answers."""
    rng = np.random.default_rng(3)
    examples = [
        Example("a", ("p", "q"), ("r",)),
        Example("b", ("q",)),
        Example("c", ("s",), ("p",)),
    ]
    questions = [unit(rng, count) for count in (3, 1, 4)]
    passages = {name: unit(rng, count) for name, count in zip("pqrs", (2, 5, 1, 3), strict=True)}
    (batch,) = Batches(examples, 3, 0).in_order(9)
    assert batch.others.sum() == 1
    return vectors_of(questions, passages), batch


def plain_loss(vectors, batch, matrix, temperature):
    """The definition, one question and one passage at a time, in float64."""
    losses = []
    for row, number in enumerate(batch.questions):
        asked = vectors.questions[number].astype(np.float64) @ matrix.T.astype(np.float64)
        asked /= np.linalg.norm(asked, axis=1, keepdims=True)
        logits = {}
        for place, name in enumerate(batch.passages):
            if not batch.others[row, place]:
                cosines = asked @ vectors.passages[name].T.astype(np.float64)
                logits[place] = cosines.max(axis=1).mean() / temperature
        found = logits[int(batch.targets[row])]
        losses.append(np.log(sum(np.exp(one - found) for one in logits.values())))
    return float(np.mean(losses))


def test_the_loss_is_its_definition_and_the_gradient_its_slope(drawn):
    vectors, batch = drawn
    matrix = np.eye(DIM, dtype=np.float32) + 0.3 * np.random.default_rng(1).standard_normal(
        (DIM, DIM)
    ).astype(np.float32)
    loss, gradient = loss_and_gradient(vectors, batch, matrix, 0.5)
    assert loss == pytest.approx(plain_loss(vectors, batch, matrix, 0.5), rel=1e-5)
    step = 1e-6
    for place in np.ndindex(DIM, DIM):
        nudge = np.zeros((DIM, DIM))
        nudge[place] = step
        wide = matrix.astype(np.float64)
        slope = plain_loss(vectors, batch, wide + nudge, 0.5)
        slope = (slope - plain_loss(vectors, batch, wide - nudge, 0.5)) / (2 * step)
        assert gradient[place] == pytest.approx(slope, abs=2e-5)


def test_without_a_step_it_is_the_identity(drawn):
    vectors, _ = drawn
    found = fit_adapter(
        vectors.questions,
        [[one] for one in list(vectors.passages.values())[:3]],
        [[], [], []],
        TrainingSettings(steps=0),
    )
    assert np.array_equal(found, np.eye(DIM, dtype=np.float32))


def test_a_turn_of_the_questions_is_found():
    """Words have the same vectors in questions and passages, but for a rotation."""
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(60)]
    encoder = HashEncoder()
    skew = 0.12 * rng.standard_normal((encoder.dim, encoder.dim))
    half, identity = skew - skew.T, np.eye(encoder.dim)
    turn = np.linalg.solve(identity - half, identity + half).astype(np.float32)  # Cayley's
    texts = [" ".join(rng.choice(words, 6, replace=False)) for _ in range(120)]
    passages = [one.vectors for one in encoder.encode_document(texts)]
    asked = [vectors[rng.permutation(6)[:3]] @ turn.T for vectors in passages]

    def first(questions, numbers) -> float:
        scores = maxsim([questions[n] for n in numbers], passages)
        return float(np.mean(scores.argmax(axis=1) == numbers))

    learned, unseen = np.arange(80), np.arange(80, 120)
    settings = TrainingSettings(steps=150, learning_rate=0.02)
    positives = [[passages[number]] for number in learned]
    matrix = fit_adapter([asked[n] for n in learned], positives, [[] for _ in learned], settings)
    turned = [vectors @ matrix.T for vectors in asked]
    turned = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in turned]
    assert first(asked, unseen) < 0.6
    assert first(turned, unseen) > 0.9


def test_shares_of_right_answers_are_those_of_a_search(drawn):
    vectors, _ = drawn
    examples = [Example("a", ("p",)), Example("b", ("q",)), Example("c", ("s",))]
    batches = Batches(examples, 3, 0)
    measured = list(batches.in_order(9))
    settings = TrainingSettings(steps=40, learning_rate=0.05)
    found = fit(vectors.questions, vectors.passages, batches, settings, measured=measured)

    def share(matrix) -> float:
        turned = [one @ matrix.T for one in vectors.questions]
        turned = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in turned]
        scores = maxsim(turned, [vectors.passages[name] for name in "pqs"])
        return float(np.mean(scores.argmax(axis=1) == np.arange(3)))

    assert found.right_before == pytest.approx(share(np.eye(DIM)))
    assert found.right_after == pytest.approx(share(found.matrix))
    assert len(found.losses) == 40
    assert found.losses[-1] < found.losses[0]


def test_what_cannot_be_compared_is_refused():
    rows = np.eye(4, dtype=np.float32)
    with pytest.raises(InputError, match="2 questions come with 1 lists"):
        fit_adapter([rows, rows], [[rows]], [[], []])
    with pytest.raises(InputError, match="one width"):
        fit_adapter([rows], [[rows[:, :3]]], [[rows]])
    with pytest.raises(InputError, match="names no passage"):
        fit_adapter([rows], [[]], [[rows]])
    with pytest.raises(InputError, match="has no vectors"):
        fit_adapter([rows], [[rows[:0]]], [[rows]])
    with pytest.raises(InputError, match="not finite"):
        fit_adapter([rows * np.nan], [[rows]], [[rows[:1]]])
