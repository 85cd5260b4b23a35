"""Train the student: the angle to the teacher's vectors, contrast of translated pairs, or both."""

from __future__ import annotations

import argparse
import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    word_features,
)
from .targets import FRAME, vectors_of
from .tokens import Tokens

LOG = logging.getLogger(__name__)

Taught = tuple[list[np.ndarray], list[bool], list[np.ndarray]]


class TaughtTexts:
    """Texts with the teacher's vectors, as endless batches of like length.

    Args:
        folder: of ``targets.K.npz``; the parts present when an epoch begins are used.
        rng: source of the order.
    """

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        self._folder, self._rng = folder, rng
        self._texts: list[np.ndarray] = []
        self._is_query: list[bool] = []
        self._vectors: list[np.ndarray] = []
        self._read: set[Path] = set()

    def _refresh(self) -> None:
        for path in sorted(set(self._folder.glob("targets.*.npz")) - self._read):
            part = np.load(path)
            sizes, vectors = part["sizes"], np.load(vectors_of(path), mmap_mode="r")
            self._texts.extend(np.split(part["ids"], np.cumsum(sizes)[:-1]))
            self._vectors.extend(np.split(vectors, np.cumsum(sizes + FRAME)[:-1]))
            self._is_query.extend(part["is_query"].tolist())
            self._read.add(path)

    def batches(self, token_budget: int) -> Iterator[Taught]:
        """Yield ``(texts, is_query, vectors)`` of about ``token_budget`` tokens, for ever."""
        while True:
            self._refresh()
            sizes = np.array([len(rows) for rows in self._vectors])
            order = self._rng.permutation(len(sizes))
            batches: list[np.ndarray] = []
            for start in range(0, len(order), 2048):
                pool = order[start : start + 2048]
                pool = pool[np.argsort(sizes[pool], kind="stable")]
                marks = np.cumsum(sizes[pool]) // token_budget
                batches.extend(np.split(pool, np.flatnonzero(np.diff(marks)) + 1))
            for place in self._rng.permutation(len(batches)):
                chosen = batches[place]
                yield (
                    [self._texts[i] for i in chosen],
                    [self._is_query[i] for i in chosen],
                    [self._vectors[i] for i in chosen],
                )


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

    def distillation(self, taught: Taught) -> Tensor:
        """Mean angle to the teacher's vectors."""
        texts, is_query, vectors = taught
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


def schedule(progress: float, step: int, decay: float, warm_up: int = 100) -> float:
    """Warm up by steps, stay, and fall linearly over the last share ``decay`` of the time."""
    falling = min(1.0, (1 - progress) / decay) if decay else 1.0
    return min(1.0, (step + 1) / warm_up) * (0.02 + 0.98 * max(falling, 0.0))


def optimisers_for(
    student: Student, rate: float, embedding_rate: float
) -> list[torch.optim.Optimizer]:
    """Return AdamW for the layers, and for the embeddings Adagrad over the rows of each batch.

    A rare piece's row so moves as far in its few steps as a frequent one's in its first few.
    """
    table = student.backbone.embed_tokens.weight
    student.backbone.embed_tokens.sparse = True
    layers = [p for n, p in student.named_parameters() if p.dim() == 2 and "embed_tokens" not in n]
    rest = [p for p in student.parameters() if p.dim() != 2]
    groups = [
        {"params": layers, "base": rate, "weight_decay": 0.01},
        {"params": rest, "base": rate, "weight_decay": 0.0},
    ]
    rows = [{"params": [table], "base": embedding_rate}]
    return [
        torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True),
        torch.optim.Adagrad(rows, lr=embedding_rate, initial_accumulator_value=1e-10),
    ]


@dataclass
class Meter:
    """Running means of what a worker logs."""

    means: np.ndarray
    tokens: int = 0

    def add(self, step: int, values: Sequence[float], tokens: int) -> None:
        """Take in the values of one step."""
        self.means += (np.array(values) - self.means) / min(step + 1, 50)
        self.tokens += tokens


def train(rank: int, student: Student, args: argparse.Namespace) -> None:
    """Train for ``args.minutes`` of processor time; the first worker logs and writes checkpoints.

    Workers share the weights and step on their own, without waiting for one another: on a busy
    machine two workers of one thread get twice as far as one worker of two.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(max(1, args.threads // args.workers))
    rng = np.random.default_rng(args.seed + 100 * rank)
    tokenizer = Tokenizer.from_file(str(args.vocabulary / "tokenizer.json"))
    losses = Losses(student, skiplist_ids(tokenizer), args.temperature, args.memory)
    taught = TaughtTexts(args.targets, rng).batches(args.taught)
    pairs = pair_batches(args, rng)
    optimisers = optimisers_for(student, args.rate, args.embedding_rate)
    dense = [p for p in student.parameters() if p is not student.backbone.embed_tokens.weight]
    saved, step, meter = time.monotonic(), 0, Meter(np.zeros(3))
    while (progress := time.process_time() / (60 * args.minutes)) < 1:
        for group in (group for o in optimisers for group in o.param_groups):
            group["lr"] = group["base"] * schedule(progress, step, args.decay)
        values, tokens = one_step(losses, taught, pairs, args)
        torch.nn.utils.clip_grad_norm_(dense, 5.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
        meter.add(step, values, tokens)
        if rank == 0 and step % 50 == 0:
            LOG.info(
                "%d %.0f%% angle %.4f contrast %.4f right %.3f, %d tokens, %.0f/s",
                step, 100 * progress, *meter.means, meter.tokens,
                meter.tokens / time.process_time(),
            )  # fmt: skip
        if rank == 0 and time.monotonic() - saved > 60 * args.save_every:
            save_checkpoint(student, args.out)
            saved = time.monotonic()
        step += 1


def pair_batches(args: argparse.Namespace, rng: np.random.Generator) -> Iterator[PairBatch]:
    """Return the batches of translated pairs; none when they have no weight."""
    if not args.contrast_weight:
        return iter(())
    tokens = Tokens.load(args.data / "tokens.npz")
    return PairSampler(tokens, rng, args.english_documents).batches(args.pairs)


def one_step(
    losses: Losses, taught: Iterator[Taught], pairs: Iterator[PairBatch], args: argparse.Namespace
) -> tuple[list[float], int]:
    """Add up the gradients of a step; return angle, contrast and share right, and the tokens."""
    values, tokens = [0.0, 0.0, 0.0], 0
    if args.angle_weight:
        texts = next(taught)
        near = losses.distillation(texts)
        (args.angle_weight * near).backward()
        tokens += sum(map(len, texts[2]))
        values[0] = near.item()
    if args.contrast_weight:
        batch = next(pairs)
        apart, values[2] = losses.pairs(batch)
        (args.contrast_weight * apart).backward()
        tokens += sum(map(len, batch.queries + batch.documents))
        values[1] = apart.item()
    return values, tokens


def new_student(args: argparse.Namespace) -> Student:
    """Return a student that starts from word vectors: the teacher's, or a ``static.npy``."""
    teacher_ids = np.load(args.vocabulary / "teacher_ids.npy")
    if args.static:
        table = np.load(args.static) * 16.0
    else:
        table = word_features(args.teacher, teacher_ids, len(teacher_ids) + 2, 256)
    student = Student(configuration(len(table), args.layers, args.feed_forward))
    ids, vectors = [], []
    for path in sorted(args.targets.glob("targets.*.npz"))[:12]:
        part, taught = np.load(path), np.load(vectors_of(path))
        own = np.ones(len(taught), dtype=bool)
        starts = np.concatenate([[0], np.cumsum(part["sizes"] + FRAME)[:-1]])
        own[starts], own[starts + 1] = False, False
        ids.append(part["ids"])
        vectors.append(taught[own])
    initialise(student, table, np.concatenate(ids), np.concatenate(vectors))
    return student


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=Path, required=True, help="folder of targets.K.npz")
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="of tokens.npz, for the contrast")
    parser.add_argument("--teacher", type=Path, help="Hugging Face folder, to start from")
    parser.add_argument("--static", type=Path, help="static.npy, to start from instead")
    parser.add_argument("--resume", type=Path, help="checkpoint, to start from instead")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30.0, help="processor time of a worker")
    parser.add_argument("--decay", type=float, default=0.3, help="last share, of falling rates")
    parser.add_argument("--save-every", type=float, default=2.0, help="minutes")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--feed-forward", type=int, default=768)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--embedding-rate", type=float, default=0.03)
    parser.add_argument("--taught", type=int, default=2048, help="taught tokens of a step")
    parser.add_argument("--pairs", type=int, default=3600, help="tokens of pairs of a step")
    parser.add_argument("--temperature", type=float, default=0.03)
    parser.add_argument("--memory", type=int, default=4, help="earlier batches as negatives")
    parser.add_argument("--angle-weight", type=float, default=1.0)
    parser.add_argument("--contrast-weight", type=float, default=0.0)
    parser.add_argument("--english-documents", type=float, default=0.6)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2, help="of all workers")
    return parser.parse_args()


def main() -> None:
    """Train a student from word vectors, or go on from a checkpoint."""
    args = parse_arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.manual_seed(args.seed)
    student = load_checkpoint(args.resume) if args.resume else new_student(args)
    student.share_memory()
    torch.multiprocessing.spawn(train, (student, args), nprocs=args.workers)
    save_checkpoint(student, args.out)


if __name__ == "__main__":
    main()
