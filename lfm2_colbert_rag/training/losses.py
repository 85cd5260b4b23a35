"""What training makes small, in torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .batches import Batch


def mean_similarities(
    questions: Tensor,
    question_lengths: Sequence[int],
    passages: Tensor,
    passage_lengths: Sequence[int],
) -> Tensor:
    """Score all passages for all questions.

    The mean does not depend on how long a question is, as the sum of MaxSim does, so that one
    temperature fits all.

    Args:
        questions: ``(T, dim)`` unit vectors of Q questions, one after another.
        question_lengths: vectors of each; they sum to T.
        passages: ``(K, dim)`` unit vectors of D passages.
        passage_lengths: vectors of each, all positive; they sum to K.

    Returns:
        ``(Q, D)``: the mean over a question's vectors of the best cosine in the passage.
    """
    similar = torch.split(questions @ passages.T, list(passage_lengths), dim=1)
    # The gradient goes to one vector of those that are equally near, as in a search.
    best = torch.stack([one.max(dim=1).values for one in similar], dim=1)
    return torch.stack([one.mean(dim=0) for one in torch.split(best, list(question_lengths))])


def contrast(scores: Tensor, batch: Batch, temperature: float) -> Tensor:
    """Return the mean cross-entropy of finding each question's answer among the passages.

    Args:
        scores: ``(Q, D)`` mean cosines.
        batch: what is to be found, and what is neither right nor wrong.
        temperature: what cosines are divided by.
    """
    others = torch.from_numpy(batch.others).to(scores.device)
    targets = torch.from_numpy(batch.targets).to(scores.device)
    return F.cross_entropy((scores / temperature).masked_fill(others, -torch.inf), targets)


def count_right(scores: Tensor, batch: Batch) -> int:
    """Return how many questions put their answer first."""
    others = torch.from_numpy(batch.others).to(scores.device)
    first = scores.masked_fill(others, -torch.inf).argmax(dim=1)
    return int((first.cpu().numpy() == batch.targets).sum())
