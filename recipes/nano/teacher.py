"""Label texts with the teacher: its last hidden states, cached as float16.

The teacher reads ``<s> query : t1 .. tn </s>`` in its whole vocabulary; the signs that each piece
covers are kept, so that :mod:`targets` can give a student of any vocabulary its vectors. The
student's marker is aligned to the teacher's colon; ``</s>`` is dropped.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

LOG = logging.getLogger(__name__)

START, PAD, END = 0, 1, 2
CHUNK = 512
MOST = 400


class Teacher:
    """The teacher over lists of its own ids.

    Args:
        folder: a Hugging Face folder with ``tokenizer.json``.
        dtype: of the weights; bfloat16 is three times as fast where the processor multiplies it.
    """

    def __init__(self, folder: Path, dtype: torch.dtype = torch.bfloat16) -> None:
        from transformers import AutoModel

        self._model = AutoModel.from_pretrained(folder, dtype=dtype).eval()
        reader = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.prefixes = {
            kind: reader.encode(text, add_special_tokens=False).ids
            for kind, text in (("query", "query:"), ("document", "passage:"))
        }

    @torch.inference_mode()
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
            states = self._model(
                input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)
            ).last_hidden_state.float().numpy()  # fmt: skip
            for place, index in enumerate(batch):
                skipped = len(self.prefixes[kinds[index]]) - 1
                own = states[place, : len(rows[index]) - 1]
                results[index] = np.delete(own, np.arange(1, 1 + skipped), axis=0)
            start = stop
        return results


def label_texts(
    teacher: Teacher, tokenizer: Tokenizer, texts: Path, out: Path, mine: range
) -> None:
    """Label the texts of some parts, all but those that are there already.

    Part ``states.K.npz`` belongs to lines ``512 K`` to ``512 (K + 1)`` of ``texts.jsonl``:
    ``states`` is ``(n, 384)`` float16, the texts end to end, each with its start and marker;
    ``spans`` is ``(n, 2)``, the signs of the text that each piece covers; ``sizes`` the number
    of rows of each text.
    """
    rows = [json.loads(line) for line in texts.read_text(encoding="utf-8").splitlines()]
    begun, done = time.monotonic(), 0
    for part in mine:
        target = out / f"states.{part:05d}.npz"
        chunk = rows[CHUNK * part : CHUNK * (part + 1)]
        if target.exists() or not chunk:
            continue
        encodings = tokenizer.encode_batch([r["text"] for r in chunk], add_special_tokens=False)
        kinds = ["query" if row["is_query"] else "document" for row in chunk]
        states = teacher.states([np.array(e.ids[:MOST]) for e in encodings], kinds)
        spans = [[(0, 0), (0, 0), *e.offsets[:MOST]] for e in encodings]
        partial = target.with_suffix(".tmp.npz")
        np.savez(
            partial,
            states=np.concatenate(states).astype(np.float16),
            spans=np.concatenate([np.array(s, dtype=np.int32) for s in spans]),
            sizes=np.array([len(s) for s in states]),
        )
        partial.rename(target)
        done += sum(map(len, states))
        LOG.info("part %d: %d tokens, %.0f/s", part, done, done / (time.monotonic() - begun))


def main() -> None:
    """Label training texts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True, help="Hugging Face folder")
    parser.add_argument("--texts", type=Path, required=True, help="texts.jsonl")
    parser.add_argument("--parts", type=int, default=1000, help="of 512 texts")
    parser.add_argument("--worker", type=int, default=0, help="label part N, N + workers, ...")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--out", type=Path, required=True, help="folder of the labels")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    reader = args.teacher / "tokenizer.json"
    teacher = Teacher(args.teacher, getattr(torch, args.dtype))
    mine = range(args.worker, args.parts, args.workers)
    label_texts(teacher, Tokenizer.from_file(str(reader)), args.texts, args.out, mine)


if __name__ == "__main__":
    main()
