"""Train the student by contrast on translated pairs.

The angle to cached teacher vectors can be added; in the time there was, it did harm (see README).
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from .losses import angle, contrast, mean_max_similarity, pad_rows
from .sampling import PairBatch, PairSampler
from .student import (
    Student,
    configuration,
    initialise,
    load_checkpoint,
    save_checkpoint,
    skiplist_ids,
)
from .tokens import Tokens

LOG = logging.getLogger(__name__)

Labelled = tuple[list[np.ndarray], list[bool], list[np.ndarray]]


class LabelledTexts:
    """Texts with teacher vectors, as endless batches of like length.

    Args:
        units: ``units.npz``.
        labels: folder of ``labels.K.npy``; the parts present when an epoch begins are used.
        rng: source of the order.
    """

    def __init__(self, units: Path, labels: Path, rng: np.random.Generator) -> None:
        saved = np.load(units)
        self._ids, self._offsets = saved["ids"], saved["offsets"]
        self._is_query, self._labels, self._rng = saved["is_query"], labels, rng
        self._rows: list[np.ndarray] = []
        self._parts = 0

    def _refresh(self) -> None:
        while (path := self._labels / f"labels.{self._parts:05d}.npy").exists():
            vectors = np.load(path)
            first = len(self._rows)
            count = min(256, len(self._offsets) - 1 - first)
            sizes = np.diff(self._offsets)[first : first + count] + 2
            self._rows.extend(np.split(vectors, np.cumsum(sizes)[:-1]))
            self._parts += 1

    def batches(self, token_budget: int) -> Iterator[Labelled]:
        """Yield ``(texts, is_query, vectors)`` of about ``token_budget`` tokens, for ever."""
        while True:
            self._refresh()
            sizes = np.array([len(rows) for rows in self._rows])
            order = self._rng.permutation(len(sizes))
            pools = [order[i : i + 1024] for i in range(0, len(order), 1024)]
            batches: list[list[int]] = []
            for pool in pools:
                batch: list[int] = []
                for index in pool[np.argsort(sizes[pool])]:
                    batch.append(int(index))
                    if sum(sizes[batch]) >= token_budget:
                        batches.append(batch)
                        batch = []
            for place in self._rng.permutation(len(batches)):
                chosen = batches[place]
                texts = [self._ids[self._offsets[i] : self._offsets[i + 1]] for i in chosen]
                queries = [bool(self._is_query[i]) for i in chosen]
                yield texts, queries, [self._rows[i] for i in chosen]


def labelled_tokens(units: Path, labels: Path, parts: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and teacher vectors of the pieces in the first parts of the labels."""
    saved = np.load(units)
    vectors = [np.load(labels / f"labels.{part:05d}.npy") for part in range(parts)]
    sizes = np.diff(saved["offsets"])[: 256 * parts]
    keep = np.concatenate([np.arange(size + 2) >= 2 for size in sizes])
    return saved["ids"][: sizes.sum()], np.concatenate(vectors)[keep]


class Losses:
    """The two losses of a step, with recent documents as further negatives.

    Args:
        student: the model in training.
        skipped: ids without a vector in documents.
        temperature: of the contrast.
        memory: how many earlier batches of documents stay as negatives.
    """

    def __init__(
        self, student: Student, skipped: Tensor, temperature: float, memory: int = 4
    ) -> None:
        self._student, self._skipped, self._temperature = student, skipped, temperature
        self._memory: deque[tuple[Tensor, Tensor]] = deque(maxlen=memory)

    def distillation(self, labelled: Labelled) -> Tensor:
        """Mean angle to the teacher's vectors."""
        texts, is_query, vectors = labelled
        rows = [self._student.frame(t, is_query=q) for t, q in zip(texts, is_query, strict=True)]
        target = torch.from_numpy(np.concatenate(vectors).astype(np.float32))
        return angle(torch.cat(self._student(rows)), target)

    def pairs(self, batch: PairBatch) -> tuple[Tensor, float]:
        """Contrast of translated pairs, and how often the right document came first."""
        queries = [self._student.frame(q, is_query=True) for q in batch.queries]
        documents = [self._student.frame(d, is_query=False) for d in batch.documents]
        vectors = self._student(queries + documents)
        lengths = [len(q) for q in queries]
        packed = torch.cat(vectors[: len(queries)])
        padded, mask = pad_rows(torch.cat(vectors[len(queries) :]), [len(d) for d in documents])
        ids = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(d) for d in documents], batch_first=True
        )
        mask &= ~torch.isin(ids, self._skipped)
        scores = mean_max_similarity(packed, lengths, padded, mask)
        right = (scores.argmax(1) == torch.arange(len(lengths))).float().mean().item()
        loss = contrast(scores, self._temperature)
        if self._memory:
            more = [mean_max_similarity(packed, lengths, d, m) for d, m in self._memory]
            logits = torch.cat([scores, *more], dim=1) / self._temperature
            wide = torch.nn.functional.cross_entropy(logits, torch.arange(len(lengths)))
            loss = 0.5 * (loss + wide)
        self._memory.append((padded.detach(), mask))
        return loss, right


def schedule(progress: float, step: int, warm_up: int = 60) -> float:
    """Warm up by steps, then a cosine over the share of the time that has passed."""
    return min(1.0, (step + 1) / warm_up) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def optimiser_for(student: Student, rate: float, embedding_rate: float) -> torch.optim.Optimizer:
    """Return AdamW with weight decay on the matrices of the layers alone."""
    table = student.backbone.embed_tokens.weight
    layers = [p for n, p in student.named_parameters() if p.dim() == 2 and "embed_tokens" not in n]
    rest = [p for p in student.parameters() if p.dim() != 2]
    groups = [
        {"params": [table], "base": embedding_rate, "weight_decay": 0.0},
        {"params": layers, "base": rate, "weight_decay": 0.01},
        {"params": rest, "base": rate, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)


def train(rank: int, student: Student, args: argparse.Namespace, begun: float) -> None:
    """Train for ``args.minutes`` from ``begun``; the first worker logs and writes checkpoints.

    Workers share the weights and step on their own, without waiting for one another: on a busy
    machine two workers of one thread get twice as far as one worker of two.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(max(1, args.threads // args.workers))
    rng = np.random.default_rng(args.seed + 100 * rank)
    tokenizer = Tokenizer.from_file(str(args.vocabulary / "tokenizer.json"))
    losses = Losses(student, skiplist_ids(tokenizer), args.temperature)
    labelled = LabelledTexts(args.data / "units.npz", args.labels, rng).batches(args.labelled)
    sampler = PairSampler(Tokens.load(args.data / "tokens.npz"), rng, args.english_documents)
    optimiser = optimiser_for(student, args.rate, args.embedding_rate)
    saved, seen = time.monotonic(), 0
    averages = np.zeros(3)
    for step, pairs in enumerate(sampler.batches(args.pairs)):
        elapsed = time.monotonic() - begun
        progress = elapsed / (60 * args.minutes)
        if progress >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = group["base"] * schedule(progress, step)
        near, labels_seen = torch.zeros(()), 0
        if args.angle_weight:
            texts = next(labelled)
            near = losses.distillation(texts)
            (args.angle_weight * near).backward()
            labels_seen = sum(map(len, texts[0]))
        apart, right = losses.pairs(pairs)
        (args.contrast_weight * apart).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        optimiser.step()
        optimiser.zero_grad()
        seen += labels_seen + sum(map(len, pairs.queries + pairs.documents))
        averages += (np.array([near.item(), apart.item(), right]) - averages) / min(step + 1, 25)
        if rank:
            continue
        if step % 25 == 0:
            LOG.info(
                "%d %.0f%% angle %.4f contrast %.4f right %.3f, %d tokens, %.0f/s",
                step, 100 * progress, *averages, seen, seen / (elapsed + 1e-9),
            )  # fmt: skip
        if time.monotonic() - saved > 120:
            save_checkpoint(student, args.out)
            saved = time.monotonic()


def main() -> None:
    """Train a student from static vectors, or go on from a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="of tokens.npz and units.npz")
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--static", type=Path, help="static.npy, to start from")
    parser.add_argument("--resume", type=Path, help="checkpoint, to start from instead")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--feed-forward", type=int, default=512)
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--embedding-rate", type=float, default=4e-4)
    parser.add_argument("--labelled", type=int, default=1500, help="labelled tokens of a step")
    parser.add_argument("--pairs", type=int, default=3600, help="tokens of pairs of a step")
    parser.add_argument("--temperature", type=float, default=0.03)
    parser.add_argument("--angle-weight", type=float, default=0.0)
    parser.add_argument("--contrast-weight", type=float, default=1.0)
    parser.add_argument("--english-documents", type=float, default=0.75)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2, help="of all workers")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.manual_seed(args.seed)
    if args.resume:
        student = load_checkpoint(args.resume)
    else:
        table = np.load(args.static)
        student = Student(configuration(len(table), args.layers, args.feed_forward))
        initialise(student, table, *labelled_tokens(args.data / "units.npz", args.labels))
    student.share_memory()
    torch.multiprocessing.spawn(train, (student, args, time.monotonic()), nprocs=args.workers)
    save_checkpoint(student, args.out)


if __name__ == "__main__":
    main()
