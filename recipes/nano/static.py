"""Train one 128-d vector per piece, no context, by late-interaction contrast across languages.

The cheapest cross-lingual signal: tens of thousands of tokens a second. The table starts from the
teacher's output for each piece read alone and stays near it.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .losses import angle, contrast, mean_max_similarity, pad_rows
from .sampling import PairBatch, PairSampler
from .student import word_features
from .tokens import Tokens

LOG = logging.getLogger(__name__)


def initial_table(teacher: Path, teacher_ids: Path, width: int) -> Tensor:
    """Return unit vectors from the teacher's word embeddings, for the pieces and two markers."""
    ids = np.load(teacher_ids)
    table = torch.from_numpy(word_features(teacher, ids, len(ids) + 2, width)).float()
    table[-2:] = table[:1]
    return F.normalize(table, dim=-1)


def static_scores(table: Tensor, batch: PairBatch) -> tuple[Tensor, Tensor]:
    """Score a batch with the bare table; also return the ids that it used."""
    query_ids = torch.from_numpy(np.concatenate(batch.queries).astype(np.int64))
    document_ids = torch.from_numpy(np.concatenate(batch.documents).astype(np.int64))
    queries = F.normalize(F.embedding(query_ids, table), dim=-1)
    documents, mask = pad_rows(
        F.normalize(F.embedding(document_ids, table), dim=-1), [len(d) for d in batch.documents]
    )
    lengths = [len(q) for q in batch.queries]
    scores = mean_max_similarity(queries, lengths, documents, mask)
    return scores, torch.cat([query_ids, document_ids]).unique()


def main() -> None:
    """Train the table for a given time and write ``static.npy``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of tokens.npz")
    parser.add_argument("--teacher", type=Path, required=True, help="Hugging Face folder")
    parser.add_argument("--teacher-ids", type=Path, required=True)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--out", type=Path, required=True, help="static.npy")
    parser.add_argument("--start", type=Path, help="a static.npy to go on from")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--tokens", type=int, default=12_000, help="tokens of a batch")
    parser.add_argument("--temperature", type=float, default=0.03)
    parser.add_argument("--anchor", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(args.threads)
    anchor = initial_table(args.teacher, args.teacher_ids, args.width)
    start = torch.from_numpy(np.load(args.start)) if args.start else anchor.clone()
    table = torch.nn.Parameter(start)
    optimiser = torch.optim.Adam([table], lr=args.rate, betas=(0.9, 0.99))
    sampler = PairSampler(Tokens.load(args.data / "tokens.npz"), np.random.default_rng(args.seed))
    begun, seen = time.monotonic(), 0
    for step, batch in enumerate(sampler.batches(args.tokens)):
        progress = (time.monotonic() - begun) / (60 * args.minutes)
        if progress >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = args.rate * min(1.0, (step + 1) / 50) * (1 - 0.95 * progress)
        scores, used = static_scores(table, batch)
        near = angle(F.normalize(table[used], dim=-1), anchor[used])
        loss = contrast(scores, args.temperature) + args.anchor * near
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen += sum(map(len, batch.queries)) + sum(map(len, batch.documents))
        if step % 50 == 0:
            LOG.info(
                "%d %.0f%% loss %.3f near %.3f, %d documents, %.0f tokens/s", step,
                100 * progress, loss.item(), near.item(), len(batch.documents),
                seen / (time.monotonic() - begun),
            )  # fmt: skip
            np.save(args.out, F.normalize(table.detach(), dim=-1).numpy())
    np.save(args.out, F.normalize(table.detach(), dim=-1).numpy())


if __name__ == "__main__":
    main()
