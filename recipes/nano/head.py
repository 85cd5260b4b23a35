"""Train the head alone, by contrast on translated pairs whose hidden states are computed once.

The backbone stays as it is, so thousands of pairs cost one pass, and batches can be large: every
query meets many wrong documents, of its own language too. The head learns which directions tell
languages apart rather than meanings, and turns away from them.
"""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from lfm2_colbert_rag.encoder.lfm2 import PackedBatch

from .losses import contrast, mean_max_similarity, pad_rows
from .sampling import PairSampler
from .student import SHORT, Student, load_checkpoint, save_checkpoint, skiplist_ids
from .tokens import Tokens

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class HiddenBatch:
    """Hidden states of a batch of pairs.

    Attributes:
        queries: ``(T, hidden)`` float16, packed.
        query_lengths: tokens of each query.
        documents: ``(S, hidden)`` float16, packed, without skipped tokens.
        document_lengths: tokens of each document.
    """

    queries: Tensor
    query_lengths: list[int]
    documents: Tensor
    document_lengths: list[int]


def hidden_states(student: Student, rows: list[list[int]]) -> list[Tensor]:
    """Return the backbone's output for each framed text, ``(n, hidden)`` float16."""
    results: list[Tensor] = [torch.empty(0)] * len(rows)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    short = sum(len(row) <= SHORT for row in rows)
    for group in filter(None, (order[:short], order[short:])):
        batch = PackedBatch.from_lists([rows[i] for i in group])
        states = student.backbone(batch).half()
        for i, part in zip(group, states.split(list(batch.lengths)), strict=True):
            results[i] = part
    return results


def cache_batches(
    student: Student, sampler: PairSampler, skipped: Tensor, tokens: int, minutes: float
) -> list[HiddenBatch]:
    """Encode batches of about ``tokens`` tokens for a while."""
    batches: list[HiddenBatch] = []
    end = time.monotonic() + 60 * minutes
    with torch.inference_mode():
        for pairs in sampler.batches(tokens):
            queries = [student.frame(q, is_query=True) for q in pairs.queries]
            documents = [student.frame(d, is_query=False) for d in pairs.documents]
            states = hidden_states(student, queries + documents)
            kept = [
                state[~torch.isin(torch.tensor(row), skipped)]
                for row, state in zip(documents, states[len(queries) :], strict=True)
            ]
            batches.append(
                HiddenBatch(
                    torch.cat(states[: len(queries)]),
                    [len(q) for q in queries],
                    torch.cat(kept),
                    [len(d) for d in kept],
                )
            )
            if time.monotonic() > end:
                return batches
    return batches


def batch_loss(head: nn.Linear, batch: HiddenBatch, temperature: float) -> tuple[Tensor, float]:
    """Contrast of one batch, and how often the right document came first."""
    queries = F.normalize(head(batch.queries.float()), dim=-1)
    documents = F.normalize(head(batch.documents.float()), dim=-1)
    padded, mask = pad_rows(documents, batch.document_lengths)
    scores = mean_max_similarity(queries, batch.query_lengths, padded, mask)
    right = (scores.argmax(1) == torch.arange(len(scores))).float().mean().item()
    return contrast(scores, temperature), right


def train_head(
    student: Student, batches: list[HiddenBatch], args: argparse.Namespace
) -> tuple[float, float]:
    """Train for ``args.epochs``; the last tenth of the batches is held out.

    Returns:
        How often the right document came first in the held-out batches, before and after.
    """
    held = max(1, len(batches) // 10)
    fresh = [
        HiddenBatch(b.queries.clone(), b.query_lengths, b.documents.clone(), b.document_lengths)
        for b in batches
    ]
    head = student.head
    optimiser = torch.optim.AdamW(head.parameters(), lr=args.rate, weight_decay=0.0)
    steps = args.epochs * (len(fresh) - held)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.rate, total_steps=steps + 1)
    rng = np.random.default_rng(args.seed)

    def accuracy() -> float:
        with torch.no_grad():
            return float(np.mean([batch_loss(head, b, args.temperature)[1] for b in fresh[-held:]]))

    before = accuracy()
    for epoch in range(args.epochs):
        for place in rng.permutation(len(fresh) - held):
            loss, _ = batch_loss(head, fresh[place], args.temperature)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            plan.step()
        LOG.info("epoch %d: loss %.3f, held-out right %.3f", epoch, loss.item(), accuracy())
    return before, accuracy()


def main() -> None:
    """Train a checkpoint's head and write the checkpoint anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="of tokens.npz")
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=3.0, help="of encoding")
    parser.add_argument("--tokens", type=int, default=12_000, help="of a batch")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--temperature", type=float, default=0.03)
    parser.add_argument("--english-documents", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    student = load_checkpoint(args.checkpoint)
    sampler = PairSampler(Tokens.load(args.data / "tokens.npz"), rng, args.english_documents)
    tokenizer = Tokenizer.from_file(str(args.vocabulary / "tokenizer.json"))
    batches = cache_batches(student, sampler, skiplist_ids(tokenizer), args.tokens, args.minutes)
    LOG.info("%d batches, %d pairs", len(batches), sum(len(b.query_lengths) for b in batches))
    before, after = train_head(student, batches, args)
    LOG.info("held-out right: %.3f before, %.3f after", before, after)
    save_checkpoint(student, args.out)


if __name__ == "__main__":
    main()
