"""Opens one library's index of a small collection, and searches it whenever it is its turn.

``python -I small_peers.py JOB`` reads from a file what to open (see ``harness/standing.py``). It
imports nothing but numpy and the library that is measured. A passage's identifier is its place.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent))
from peers import ENGINES, PACKAGES, TOP, Engine, Options, Passages, Query, Result, build

sys.path.append(str(Path(__file__).resolve().parents[1] / "harness"))
from inside import memory_mb, serve_turns

_WARM_UP = 3


class Whole(Engine):
    """This library as its users have it: a question in words goes in, hits with texts come out."""

    def build(self, passages: Passages, options: Options) -> None:
        """Write the index."""
        from lfm2_colbert_rag import Retriever

        folder = Path(options["vectors"])
        texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))[: len(passages)]
        ids = np.split(passages.token_ids, passages.offsets[1:-1])
        names = [str(place) for place in range(len(passages))]
        with Retriever.open(self.index, model=options["model"], storage="exact") as retriever:
            retriever.add_vectors(passages, texts, ids=names, token_ids=ids, progress=False)

    def open(self) -> None:
        """Open the index that is there."""
        from lfm2_colbert_rag import Retriever

        os.environ["LFM2_COLBERT_THREADS"] = str(self.threads)
        self.retriever = Retriever.open(self.index, read_only=True)

    def search(self, query: Any, options: Options) -> list[int]:
        """Return the places of the best passages, best first."""
        return [int(hit.id) for hit in self.retriever.search(query, TOP, **options)]

    def search_many(self, queries: Sequence[Any], options: Options) -> list[list[int]]:
        """Search with many questions."""
        found = self.retriever.search_many(queries, TOP, **options)
        return [[int(hit.id) for hit in hits] for hits in found]


class InTorch(Engine):
    """A library that keeps no index: the vectors are held in memory as tensors of float32.

    Each is asked in the way that its documentation shows for a whole collection; what can be done
    once, such as padding, is done when it is opened.
    """

    def build(self, passages: Passages, options: Options) -> None:
        """Remember whose vectors they are."""
        self.index.mkdir(parents=True)
        told = json.dumps({"vectors": options["vectors"], "size": len(passages)})
        (self.index / "passages.json").write_text(told, encoding="utf-8")

    def open(self) -> None:
        """Read the vectors."""
        import torch

        torch.set_num_threads(self.threads)
        torch.set_grad_enabled(False)
        told = json.loads((self.index / "passages.json").read_text(encoding="utf-8"))
        passages = Passages(Path(told["vectors"]), told["size"])
        self.documents = [torch.from_numpy(np.asarray(one, np.float32)) for one in passages]
        self.places = list(range(len(passages)))
        self.ready()

    def ready(self) -> None:
        """Do what is done once."""

    def padded(self) -> None:
        """Hold documents of one length, and where they have vectors, in place of the list."""
        import torch

        self.lengths = torch.tensor([len(one) for one in self.documents])
        self.documents = torch.nn.utils.rnn.pad_sequence(self.documents, batch_first=True)
        self.mask = torch.arange(self.documents.shape[1])[None] < self.lengths[:, None]

    def search_many(self, queries: Sequence[Query], options: Options) -> list[list[int]]:
        """Search with one query after the other."""
        return [self.search(query, options) for query in queries]


class PyLateRank(InTorch):
    """PyLate's ``rank.rerank``, with all passages as candidates."""

    def search(self, query: Query, options: Options) -> list[int]:
        """Return the places of the best passages, best first."""
        import torch
        from pylate import rank

        (ranked,) = rank.rerank(
            documents_ids=[self.places],
            queries_embeddings=[torch.from_numpy(query)],
            documents_embeddings=[self.documents],
        )
        return [one["id"] for one in ranked[:TOP]]


class PyLateScores(InTorch):
    """PyLate's ``scores.colbert_scores`` over passages that were padded once."""

    def ready(self) -> None:
        """Pad the passages."""
        self.padded()

    def search(self, query: Query, options: Options) -> list[int]:
        """Return the places of the best passages, best first."""
        import torch
        from pylate import scores

        found = scores.colbert_scores(
            torch.from_numpy(query)[None], self.documents, documents_mask=self.mask
        )
        return torch.topk(found[0], min(TOP, len(self.places))).indices.tolist()


class SentenceTransformers(InTorch):
    """sentence-transformers' ``util.maxsim`` over passages that were padded once."""

    def ready(self) -> None:
        """Pad the passages."""
        self.padded()

    def search(self, query: Query, options: Options) -> list[int]:
        """Return the places of the best passages, best first."""
        import torch
        from sentence_transformers.util import maxsim

        found = maxsim(torch.from_numpy(query)[None], self.documents, b_mask=self.mask)
        return torch.topk(found[0], min(TOP, len(self.places))).indices.tolist()


ENGINES |= {
    "whole": Whole,
    "pylate-rank": PyLateRank,
    "pylate-scores": PyLateScores,
    "sentence-transformers": SentenceTransformers,
}


def open_(job: Options) -> Callable[[Options], Result]:
    """Build the index if it is not there, open it, and return what searches it."""
    threads = job["threads"]
    os.environ["LFM2_COLBERT_KERNELS"] = "wait"  # nothing is compiled beside what is measured
    if hasattr(os, "sched_setaffinity"):  # whatever threads the library starts
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    engine = ENGINES[job["engine"]](Path(job["index"]), threads)
    passages = Passages(Path(job["vectors"]), job["size"], all_questions=True)
    if not engine.index.exists():
        build(engine, passages, job["build"])
    engine.open()
    asked = passages.questions if isinstance(engine, Whole) else passages.queries
    for query in asked[-_WARM_UP:]:
        engine.search(query, job["options"])
    return lambda task: _turn(engine, asked[task["first"] : task["last"]], job["options"])


def _turn(engine: Engine, queries: Sequence[Any], options: Options) -> Result:
    seconds: list[float] = []
    ids: list[list[int]] = []
    cpu = time.process_time()
    for query in queries:
        begun = time.perf_counter()
        found = engine.search(query, options)
        seconds.append(time.perf_counter() - begun)
        ids.append(found)
    return {
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu,
        "ids": ids,
        "resident_mb": memory_mb("VmRSS"),
        "own_memory_mb": memory_mb("RssAnon"),
    }


if __name__ == "__main__":
    serve_turns(open_, (*PACKAGES, "pylate", "sentence-transformers"))
