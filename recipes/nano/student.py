"""The student: the library's LFM2 backbone with a linear head, started from static vectors."""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from lfm2_colbert_rag.encoder.config import Lfm2Config
from lfm2_colbert_rag.encoder.lfm2 import Lfm2Backbone, PackedBatch

START = 0
VECTOR_SIZE = 128
SHORT = 48


# Embeddings are stored in 4 bits: so many neighbouring columns share a scale, whole numbers go
# from -LEVELS to LEVELS.
GROUP, LEVELS = 64, 7


def configuration(vocab_size: int, layers: int = 6, feed_forward: int = 768) -> Lfm2Config:
    """Return the shape of the student: convolutions and attention taking turns."""
    kinds = tuple("full_attention" if i % 2 else "conv" for i in range(layers))
    return Lfm2Config(
        vocab_size=vocab_size, hidden_size=256, feed_forward_size=feed_forward, layer_types=kinds,
        num_attention_heads=4, num_key_value_heads=2, bidirectional=True,
    )  # fmt: skip


def round_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Round ``(n, width)`` to 4 bits.

    Returns:
        Whole numbers ``(n, groups, GROUP)`` as floats, and their float16 scales ``(n, groups, 1)``.
    """
    grouped = rows.unflatten(-1, (-1, GROUP))
    scales = (grouped.abs().amax(-1, keepdim=True) / LEVELS).half().clamp_min(1e-6)
    return (grouped / scales.float()).round().clamp(-LEVELS, LEVELS), scales


class RoundedEmbedding(nn.Embedding):
    """An embedding that answers what its 4-bit form would, and learns as if it had not rounded."""

    def forward(self, ids: Tensor) -> Tensor:
        """Look up ``(T, width)``."""
        rows = super().forward(ids)
        with torch.no_grad():
            numbers, scales = round_rows(rows)
            error = (numbers * scales.float()).flatten(-2) - rows
        return rows + error


class Student(nn.Module):
    """Backbone and head; texts go in as lists of ids, unit vectors come out packed.

    Args:
        config: shape of the backbone. Its vocabulary ends with the markers of queries and
            documents.
    """

    def __init__(self, config: Lfm2Config) -> None:
        super().__init__()
        self.config = config
        self.backbone = Lfm2Backbone(config)
        self.backbone.embed_tokens = RoundedEmbedding(config.vocab_size, config.hidden_size)
        self.head = nn.Linear(config.hidden_size, VECTOR_SIZE, bias=False)

    def frame(self, text: np.ndarray, *, is_query: bool) -> list[int]:
        """Return ``<s> marker t1 .. tn``."""
        marker = self.config.vocab_size - (2 if is_query else 1)
        return [START, marker, *text.tolist()]

    def forward(self, rows: Sequence[Sequence[int]]) -> list[Tensor]:
        """Encode framed texts to one ``(n, 128)`` tensor of unit vectors each."""
        results: list[Tensor] = [torch.empty(0)] * len(rows)
        groups = (
            [i for i, row in enumerate(rows) if len(row) <= SHORT],
            [i for i, row in enumerate(rows) if len(row) > SHORT],
        )
        for group in filter(None, groups):
            batch = PackedBatch.from_lists([rows[i] for i in group])
            # The fused attention of CPUs is slow in bfloat16: a step takes a quarter longer.
            with (
                torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.training),
                sdpa_kernel(SDPBackend.MATH),
            ):
                outputs = self.head(self.backbone(batch))
            vectors = F.normalize(outputs.float(), dim=-1)
            for i, part in zip(group, vectors.split(list(batch.lengths)), strict=True):
                results[i] = part
        return results


def initialise(student: Student, table: np.ndarray, ids: np.ndarray, vectors: np.ndarray) -> None:
    """Start from static vectors: residual branches closed, the head a regression to the teacher.

    Args:
        student: changed in place.
        table: ``(vocabulary, hidden)`` word vectors, of about unit variance.
        ids: ``(n,)`` ids of taught tokens.
        vectors: ``(n, 128)`` the teacher's vectors of these tokens.
    """
    rows = torch.from_numpy(table).float()
    with torch.no_grad():
        student.backbone.embed_tokens.weight.copy_(rows)
        for name, weight in student.backbone.named_parameters():
            if name.endswith(("out_proj.weight", "feed_forward.w2.weight")):
                weight.zero_()
            elif weight.dim() == 2 and not name.startswith("embed"):
                nn.init.normal_(weight, std=0.05)
        words = student.backbone.embedding_norm(rows[torch.from_numpy(ids.astype(np.int64))])
        target = torch.from_numpy(vectors.astype(np.float32))
        ridge = 0.01 * len(words) * torch.eye(rows.shape[1])
        weights = torch.linalg.solve(words.T @ words + ridge, words.T @ target)
        student.head.weight.copy_(weights.T)


def word_features(
    teacher: Path, teacher_ids: np.ndarray, size: int, width: int = VECTOR_SIZE
) -> np.ndarray:
    """Return the first principal components of the teacher's word embeddings, of unit variance."""
    from safetensors.torch import load_file

    table = load_file(teacher / "model.safetensors")["embeddings.word_embeddings.weight"]
    rows = table[torch.from_numpy(teacher_ids)].float()
    rows = rows - rows.mean(0)
    _, _, directions = torch.linalg.svd(rows[4:], full_matrices=False)
    features = rows @ directions[:width].T
    features = features / features.std()
    blank = torch.zeros(size - len(features), width)
    return torch.cat([features, blank]).numpy()


def skiplist_ids(tokenizer: Tokenizer) -> Tensor:
    """Return the ids of bare punctuation, which has no vector in a document."""
    ids = (tokenizer.token_to_id(mark) for mark in string.punctuation)
    return torch.tensor([i for i in ids if i is not None])


def save_checkpoint(student: Student, path: Path) -> None:
    """Write the weights and the shape of the student."""
    shape = {"layers": len(student.config.layer_types)}
    shape |= {"vocab_size": student.config.vocab_size}
    shape |= {"feed_forward": student.config.feed_forward_size}
    torch.save({"shape": json.dumps(shape), "weights": student.state_dict()}, path)


def load_checkpoint(path: Path) -> Student:
    """Read a student written by :func:`save_checkpoint`."""
    saved = torch.load(path, weights_only=True)
    student = Student(configuration(**json.loads(saved["shape"])))
    student.load_state_dict(saved["weights"])
    return student
