"""Give every token of the student's own segmentation the teacher's vector of the signs it covers.

The teacher read its whole vocabulary, the student has a cut of it: a piece that the student splits
gives all its parts the same vector, one that it joins the mean.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from .teacher import CHUNK

LOG = logging.getLogger(__name__)

VECTOR_SIZE = 128
FRAME = 2


def align(
    states: np.ndarray, spans: np.ndarray, pieces: Sequence[tuple[int, int]]
) -> tuple[np.ndarray, int]:
    """Return the mean teacher state of each piece of the student, start and marker first.

    Args:
        states: ``(2 + n, 384)`` of one text.
        spans: ``(2 + n, 2)`` signs that they cover; the first two rows are empty.
        pieces: signs that the student's pieces cover.

    Returns:
        ``(2 + m, 384)`` float32, and m: pieces beyond what the teacher read are left out.
    """
    words = states[FRAME:].astype(np.float32)
    starts, ends = spans[FRAME:, 0], spans[FRAME:, 1]
    mine = np.array([p for p in pieces if p[0] < ends[-1]]).reshape(-1, 2)
    low = np.minimum(np.searchsorted(ends, mine[:, 0], "right"), len(ends) - 1)
    high = np.maximum(np.searchsorted(starts, mine[:, 1], "left"), low + 1)
    sums = np.concatenate([np.zeros((1, words.shape[1]), np.float32), words.cumsum(0)])
    means = (sums[high] - sums[low]) / (high - low)[:, None]
    return np.concatenate([states[:FRAME].astype(np.float32), means]), len(mine)


def read_part(labels: Path, part: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the states and spans of each text of a part."""
    saved = np.load(labels / f"states.{part:05d}.npz")
    cuts = np.cumsum(saved["sizes"])[:-1]
    yield from zip(np.split(saved["states"], cuts), np.split(saved["spans"], cuts), strict=True)


def fit_projection(labels: Path, parts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean ``(384,)`` and the first principal directions ``(384, 128)``, half whitened.

    A few directions hold most of the teacher's variance and little of its meaning: scaled down to
    the square root of their spread, they let the others speak.
    """
    some = [np.load(labels / f"states.{p:05d}.npz")["states"] for p in parts[::8]]
    states = np.concatenate(some).astype(np.float32)
    mean = states.mean(0)
    variances, directions = np.linalg.eigh(np.cov(states - mean, rowvar=False))
    scaled = directions * variances**-0.25
    return mean, scaled[:, ::-1][:, :VECTOR_SIZE].astype(np.float32)


def project(states: np.ndarray, projection: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Map teacher states ``(n, 384)`` to unit vectors ``(n, 128)``."""
    vectors = (states - projection[0]) @ projection[1]
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def vectors_of(targets: Path) -> Path:
    """Name the file of vectors that belongs to a ``targets.K.npz``."""
    return targets.with_name(targets.name.replace("targets.", "vectors.")).with_suffix(".npy")


def write_targets(
    rows: list[dict[str, Any]], labels: Path, part: int, tokenizer: Tokenizer,
    projection: tuple[np.ndarray, np.ndarray], out: Path,
) -> int:  # fmt: skip
    """Write ``targets.K.npz``: ``ids``, ``sizes`` and ``is_query`` of texts, and ``vectors.K.npy``.

    Workers map the vectors, so that they share the pages.
    """
    target = out / f"targets.{part:05d}.npz"
    texts = rows[CHUNK * part : CHUNK * (part + 1)]
    encodings = tokenizer.encode_batch([r["text"] for r in texts], add_special_tokens=False)
    ids, vectors, sizes = [], [], []
    for encoding, (states, spans) in zip(encodings, read_part(labels, part), strict=True):
        if len(states) > FRAME:
            aligned, count = align(states, spans, encoding.offsets)
        else:
            aligned, count = states.astype(np.float32), 0
        ids.append(np.array(encoding.ids[:count], dtype=np.uint16))
        vectors.append(aligned)
        sizes.append(count)
    np.savez(
        target,
        ids=np.concatenate(ids),
        sizes=np.array(sizes),
        is_query=np.array([row["is_query"] for row in texts]),
    )
    projected = project(np.concatenate(vectors), projection).astype(np.float16)
    np.save(vectors_of(target), projected)
    return sum(sizes)


def main() -> None:
    """Write the targets of every labelled part that has none yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="texts.jsonl")
    parser.add_argument("--labels", type=Path, required=True, help="folder of states.K.npz")
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--projection", type=Path, help="projection.npz; made when missing")
    parser.add_argument("--out", type=Path, required=True, help="folder of the targets")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args.out.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in args.texts.read_text(encoding="utf-8").splitlines()]
    tokenizer = Tokenizer.from_file(str(args.vocabulary / "tokenizer.json"))
    parts = sorted(int(p.name.split(".")[1]) for p in args.labels.glob("states.*[0-9].npz"))
    file = args.projection or args.out / "projection.npz"
    if not file.exists():
        mean, directions = fit_projection(args.labels, parts)
        np.savez(file, mean=mean, directions=directions)
    saved = np.load(file)
    total = 0
    for part in parts:
        if not (args.out / f"targets.{part:05d}.npz").exists():
            projection = saved["mean"], saved["directions"]
            total += write_targets(rows, args.labels, part, tokenizer, projection, args.out)
    LOG.info("%d parts, %d tokens more", len(parts), total)


if __name__ == "__main__":
    main()
