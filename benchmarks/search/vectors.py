"""Token vectors of a corpus, encoded once and kept, for every engine to read.

A folder holds ``vectors.npy`` (float16, end to end), ``token_ids.npy``, ``spans.npy``,
``lengths.npy`` and ``queries.npz``; questions and judgements lie beside them in ``corpus.json``,
the passages in ``texts.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.encoder import Encoder
from lfm2_colbert_rag.types import TokenVectors

from .corpus import Corpus

BLOCK = 512


@dataclass(frozen=True, eq=False)
class VectorSet:
    """Encoded passages and questions.

    Attributes:
        vectors: ``(vectors, dim)`` float16, mapped.
        token_ids: ``(vectors,)`` int32.
        spans: ``(vectors, 2)`` int32, the characters of each.
        lengths: ``(passages,)`` int64.
        queries: ``(query vectors, dim)`` float32 each.
        texts: of the passages.
        questions: texts.
        relevant: places of the passages that answer each question.
    """

    vectors: npt.NDArray[np.float16]
    token_ids: npt.NDArray[np.int32]
    spans: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    queries: list[npt.NDArray[np.float32]]
    texts: list[str]
    questions: list[str]
    relevant: list[list[int]]

    @cached_property
    def offsets(self) -> npt.NDArray[np.int64]:
        """``(passages + 1,)`` where each passage's vectors start."""
        return np.concatenate(([0], np.cumsum(self.lengths)))

    def encoded(self, place: int) -> TokenVectors:
        """Return the vectors of one passage in float32, as an encoder gives them."""
        part = slice(int(self.offsets[place]), int(self.offsets[place + 1]))
        vectors = np.asarray(self.vectors[part], np.float32)
        return TokenVectors(vectors, self.token_ids[part], self.spans[part])

    def first(self, size: int) -> VectorSet:
        """Return the set of the first passages, and the questions that they answer."""
        end = int(self.offsets[size])
        relevant = [[place for place in places if place < size] for places in self.relevant]
        kept = [number for number, places in enumerate(relevant) if places]
        return VectorSet(
            self.vectors[:end],
            self.token_ids[:end],
            self.spans[:end],
            self.lengths[:size],
            [self.queries[number] for number in kept],
            self.texts[:size],
            [self.questions[number] for number in kept],
            [relevant[number] for number in kept],
        )


def encode_corpus(corpus: Corpus, encoder: Encoder, folder: Path) -> None:
    """Encode a corpus into a new folder; texts are cut at the encoder's length."""
    folder.mkdir(parents=True, exist_ok=True)
    lengths: list[int] = []
    ids: list[npt.NDArray[np.int32]] = []
    spans: list[npt.NDArray[np.int32]] = []
    with (folder / "vectors.raw").open("wb") as out:
        for start in track(range(0, len(corpus.passages), BLOCK), "encoding"):
            for one in encoder.encode_document(corpus.passages[start : start + BLOCK]):
                out.write(one.vectors.astype(np.float16).tobytes())
                ids.append(one.token_ids)
                spans.append(one.spans)
                lengths.append(len(one))
    raw = np.memmap(folder / "vectors.raw", np.float16, "r").reshape(-1, encoder.dim)
    np.save(folder / "vectors.npy", raw)
    (folder / "vectors.raw").unlink()
    np.save(folder / "token_ids.npy", np.concatenate(ids))
    np.save(folder / "spans.npy", np.concatenate(spans))
    np.save(folder / "lengths.npy", np.array(lengths, dtype=np.int64))
    queries = [one.vectors for one in encoder.encode_query(corpus.questions)]
    np.savez(folder / "queries.npz", *queries)
    (folder / "texts.json").write_text(json.dumps(corpus.passages), encoding="utf-8")
    (folder / "corpus.json").write_text(
        json.dumps({"questions": corpus.questions, "relevant": corpus.relevant}), encoding="utf-8"
    )


def load_vectors(folder: Path) -> VectorSet:
    """Read what :func:`encode_corpus` wrote; the vectors stay on the disk."""
    with np.load(folder / "queries.npz") as stored:
        queries = [stored[f"arr_{number}"] for number in range(len(stored.files))]
    corpus = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
    return VectorSet(
        np.load(folder / "vectors.npy", mmap_mode="r"),
        np.load(folder / "token_ids.npy"),
        np.load(folder / "spans.npy", mmap_mode="r"),
        np.load(folder / "lengths.npy"),
        queries,
        json.loads((folder / "texts.json").read_text(encoding="utf-8")),
        corpus["questions"],
        corpus["relevant"],
    )


def add_places(
    retriever: Retriever, vectors: VectorSet, places: Iterable[int], *, texts: bool = False
) -> None:
    """Add passages whose vectors are given, by their place, which is their id.

    Args:
        retriever: an index of the vectors' width.
        vectors: the set.
        places: of the passages.
        texts: with their texts; otherwise the place stands for it, which costs next to nothing.
    """
    chosen = list(places)
    names = [str(place) for place in chosen]
    parts = [slice(*vectors.offsets[place : place + 2].tolist()) for place in chosen]
    retriever.add_vectors(
        (np.asarray(vectors.vectors[part], np.float32) for part in parts),
        [vectors.texts[place] for place in chosen] if texts else names,
        ids=names,
        token_ids=[vectors.token_ids[part] for part in parts],
        progress=False,
    )
