"""Label texts with the teacher: one 128-d unit vector per student token, cached as float16.

The student reads ``<s> [Q] t1 .. tn`` and the teacher ``<s> query : t1 .. tn </s>``, over the same
pieces. The student's marker is aligned to the teacher's colon; ``</s>`` is dropped.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

LOG = logging.getLogger(__name__)

START, PAD, END = 0, 1, 2
VECTOR_SIZE = 128


def export_onnx(checkpoint: Path, target: Path) -> None:
    """Write the teacher as ONNX: ids and mask to last hidden states. It runs 1.5x as fast."""
    from transformers import AutoModel

    class LastHidden(torch.nn.Module):
        """The model with positional inputs and one output."""

        def __init__(self, model: torch.nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            """Return the last hidden states."""
            return self.model(input_ids=ids, attention_mask=mask).last_hidden_state

    model = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()
    example = torch.ones(2, 7, dtype=torch.long)
    names = ["ids", "mask"]
    axes = {name: {0: "batch", 1: "length"} for name in (*names, "states")}
    torch.onnx.export(
        LastHidden(model), (example, example), str(target), input_names=names,
        output_names=["states"], dynamic_axes=axes, opset_version=17, dynamo=False,
    )  # fmt: skip


class Teacher:
    """The teacher in ONNX Runtime over lists of its own ids.

    Args:
        model: the ONNX file of :func:`export_onnx`.
        tokenizer: the teacher's ``tokenizer.json``, for the ids of its two prefixes.
        threads: processor threads.
    """

    def __init__(self, model: Path, tokenizer: Path, threads: int = 2) -> None:
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        reader = Tokenizer.from_file(str(tokenizer))
        self.prefixes = {
            kind: reader.encode(text, add_special_tokens=False).ids
            for kind, text in (("query", "query:"), ("document", "passage:"))
        }

    def states(self, texts: Sequence[np.ndarray], kinds: Sequence[str]) -> list[np.ndarray]:
        """Return ``(2 + n, 384)`` per text: start, marker, and its n pieces."""
        rows = [
            [START, *self.prefixes[kind], *ids.tolist(), END]
            for ids, kind in zip(texts, kinds, strict=True)
        ]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        results: list[np.ndarray] = [np.empty(0)] * len(rows)
        start = 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and (stop + 1 - start) * len(rows[order[stop]]) <= 3072:
                stop += 1
            batch = order[start:stop]
            width = len(rows[batch[-1]])
            ids = np.full((len(batch), width), PAD, dtype=np.int64)
            for place, index in enumerate(batch):
                ids[place, : len(rows[index])] = rows[index]
            mask = (ids != PAD).astype(np.int64)
            states = self._session.run(None, {"ids": ids, "mask": mask})[0]
            for place, index in enumerate(batch):
                skipped = len(self.prefixes[kinds[index]]) - 1
                own = states[place, : len(rows[index]) - 1]
                results[index] = np.delete(own, np.arange(1, 1 + skipped), axis=0)
            start = stop
        return results


def fit_projection(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean ``(384,)`` and the first principal directions ``(384, 128)``."""
    mean = states.mean(0)
    _, _, directions = np.linalg.svd(states - mean, full_matrices=False)
    return mean, directions[:VECTOR_SIZE].T


def project(states: np.ndarray, projection: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Map teacher states ``(n, 384)`` to unit vectors ``(n, 128)``."""
    vectors = (states - projection[0]) @ projection[1]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def label_units(
    teacher: Teacher, teacher_ids: np.ndarray, data: Path, out: Path, parts: int
) -> None:
    """Label the first texts of ``units.npz``, in parts that a later run continues.

    Part ``labels.K.npy`` holds the float16 vectors of texts ``256 K`` to ``256 (K + 1)``.
    """
    units = np.load(data)
    ids, offsets, is_query = units["ids"], units["offsets"], units["is_query"]
    chunk, begun, done = 256, time.monotonic(), 0
    starts = list(range(0, len(offsets) - 1, chunk))
    for part, start in enumerate(starts[:parts]):
        target = out / f"labels.{part:05d}.npy"
        if target.exists():
            continue
        rows = range(start, min(start + chunk, len(offsets) - 1))
        texts = [teacher_ids[ids[offsets[i] : offsets[i + 1]]] for i in rows]
        kinds = ["query" if is_query[i] else "document" for i in rows]
        states = np.concatenate(teacher.states(texts, kinds))
        if not (out / "projection.npz").exists():
            mean, directions = fit_projection(states)
            np.savez(out / "projection.npz", mean=mean, directions=directions)
        saved = np.load(out / "projection.npz")
        vectors = project(states, (saved["mean"], saved["directions"]))
        np.save(target, vectors.astype(np.float16))
        done += len(states)
        LOG.info("part %d: %d tokens, %.0f/s", part, done, done / (time.monotonic() - begun))


def main() -> None:
    """Label training texts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True, help="Hugging Face folder")
    parser.add_argument("--teacher-ids", type=Path, required=True)
    parser.add_argument("--units", type=Path, required=True, help="units.npz")
    parser.add_argument("--parts", type=int, default=6, help="of 256 texts, some 16,000 tokens")
    parser.add_argument("--out", type=Path, required=True, help="folder of the labels")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args.out.mkdir(parents=True, exist_ok=True)
    onnx_file = args.out / "teacher.onnx"
    if not onnx_file.exists():
        export_onnx(args.teacher, onnx_file)
    teacher = Teacher(onnx_file, args.teacher / "tokenizer.json")
    teacher_ids = np.load(args.teacher_ids)
    label_units(teacher, teacher_ids, args.units, args.out, args.parts)


if __name__ == "__main__":
    main()
