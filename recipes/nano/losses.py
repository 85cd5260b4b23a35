"""Losses of the student: late-interaction contrast, and the angle to the teacher's vectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pad_rows(vectors: Tensor, lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Lay packed ``(T, d)`` vectors out as ``(B, S, d)``, with the mask ``(B, S)`` of real ones."""
    parts = vectors.split(lengths)
    padded = torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True)
    sizes = torch.tensor(lengths)
    return padded, torch.arange(padded.shape[1])[None] < sizes[:, None]


def mean_max_similarity(
    queries: Tensor, query_lengths: list[int], documents: Tensor, document_mask: Tensor
) -> Tensor:
    """Score all queries against all documents.

    Args:
        queries: packed ``(T, d)`` unit vectors.
        query_lengths: tokens of each of the Q queries.
        documents: ``(D, S, d)`` unit vectors.
        document_mask: ``(D, S)``, False where a document has no vector.

    Returns:
        ``(Q, D)``: mean over a query's tokens of the best similarity in the document.
    """
    count, size, width = documents.shape
    similarity = queries @ documents.reshape(-1, width).T  # (T, D * S)
    bias = torch.where(document_mask, 0.0, -2.0).reshape(-1)
    best = (similarity + bias).view(-1, count, size).amax(-1)  # (T, D)
    owner = torch.arange(len(query_lengths)).repeat_interleave(torch.tensor(query_lengths))
    sums = best.new_zeros(len(query_lengths), count).index_add(0, owner, best)
    return sums / torch.tensor(query_lengths)[:, None]


def contrast(scores: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of picking document i for query i, and query i for document i."""
    logits = scores / temperature
    target = torch.arange(scores.shape[0])
    return 0.5 * (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target))


def angle(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of one minus the cosine, over unit vectors ``(T, d)``."""
    return 1 - (student * teacher).sum(-1).mean()
