"""Measures one contender; runs in that contender's own environment.

``python -I child.py JOB`` reads what to do from a file (:mod:`benchmarks.harness.children`). It
imports nothing but numpy and the library that is measured.
"""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "harness"))
from inside import memory_mb, serve

_PACKAGES = (
    "lfm2-colbert-rag", "pylate", "sentence-transformers", "transformers", "torch", "tokenizers",
    "onnxruntime", "onnx", "optimum", "optimum-onnx", "optimum-intel", "openvino", "numpy",
)  # fmt: skip

Job = dict[str, Any]


class Library(ABC):
    """One library's way to load a model and to encode.

    Args:
        job: the job.
    """

    def __init__(self, job: Job) -> None:
        self.job = job

    @abstractmethod
    def load(self, batch: int | None) -> None:
        """Load the model; ``batch`` is the setting of :meth:`documents` to come."""

    @abstractmethod
    def queries(self, texts: Sequence[str], batch: int | None = None) -> list[Any]:
        """Encode questions in one call."""

    @abstractmethod
    def documents(self, texts: Sequence[str], batch: int | None) -> list[Any]:
        """Encode documents in one call; ``batch`` is None for the library's default."""


class Ours(Library):
    """This library; ``batch`` is its ``batch_tokens``, fixed when the model is loaded."""

    def load(self, batch: int | None) -> None:
        """Load the model."""
        from lfm2_colbert_rag.encoder import load_encoder

        job = self.job
        # Every question is a new one, so a cache of questions would not help, but be safe.
        options: dict[str, Any] = {"engine": job["backend"], "dtype": job["dtype"]}
        options["query_cache"] = 0
        options |= {"threads": job["threads"]} if job["device"] == "cpu" else {}
        options |= {"batch_tokens": batch} if batch else {}
        self.encoder = load_encoder(job["model"], device=job["device"], **options)

    def queries(self, texts: Sequence[str], batch: int | None = None) -> list[Any]:
        """Encode questions in one call."""
        return [encoded.vectors for encoded in self.encoder.encode_query(texts)]

    def documents(self, texts: Sequence[str], batch: int | None) -> list[Any]:
        """Encode documents in one call."""
        return [encoded.vectors for encoded in self.encoder.encode_document(texts)]


class PyLate(Library):
    """PyLate's ``models.ColBERT``."""

    def load(self, batch: int | None) -> None:
        """Load the model."""
        import torch
        from pylate import models

        torch.set_num_threads(self.job["threads"])
        self.model = models.ColBERT(
            self.job["model"],
            device=self.job["device"],
            model_kwargs={"torch_dtype": getattr(torch, self.job["dtype"])},
        )

    def queries(self, texts: Sequence[str], batch: int | None = None) -> list[Any]:
        """Encode questions in one call."""
        return self._encode(texts, batch, is_query=True)

    def documents(self, texts: Sequence[str], batch: int | None) -> list[Any]:
        """Encode documents in one call."""
        return self._encode(texts, batch, is_query=False)

    def _encode(self, texts: Sequence[str], batch: int | None, *, is_query: bool) -> list[Any]:
        options = {"batch_size": batch} if batch else {}
        return self.model.encode(list(texts), is_query=is_query, show_progress_bar=False, **options)


class SentenceTransformers(Library):
    """sentence-transformers' ``MultiVectorEncoder`` on any of its backends."""

    def load(self, batch: int | None) -> None:
        """Load the model, which the first time is exported if the backend needs that."""
        import torch

        torch.set_num_threads(self.job["threads"])
        if self.job["backend"] == "torch":
            self.model = self._open(self.job["model"], {"dtype": self.job["dtype"]})
            return
        exported = Path(self.job["exported"])
        name = {"onnx": "model.onnx", "openvino": "openvino_model.xml"}[self.job["backend"]]
        if not (exported / self.job["backend"] / name).exists():
            self._open(self.job["model"], self._options()).save_pretrained(str(exported))
        if self.job["dtype"] == "int8":
            name = self._quantized(exported, name)
        self.model = self._open(str(exported), self._options() | {"file_name": name})

    def _open(self, model: str, options: dict[str, Any]) -> Any:
        from sentence_transformers import MultiVectorEncoder

        device, backend = self.job["device"], self.job["backend"]
        return MultiVectorEncoder(model, device=device, backend=backend, model_kwargs=options)

    def _options(self) -> dict[str, Any]:
        threads = self.job["threads"]
        if self.job["backend"] == "openvino":
            return {"ov_config": {"INFERENCE_NUM_THREADS": threads}}
        import onnxruntime

        session = onnxruntime.SessionOptions()
        session.intra_op_num_threads = threads
        return {"session_options": session, "provider": "CPUExecutionProvider"}

    def _quantized(self, exported: Path, name: str) -> str:
        """Return the name of the int8 model that suits this processor; made the first time."""
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        kinds = {"avx512_vnni": "avx512_vnni", "avx512f": "avx512"}
        kind = next((kind for flag, kind in kinds.items() if flag in flags), "avx2")
        if not list(exported.glob(f"onnx/*_{kind}.onnx")):
            from sentence_transformers.backend import export_dynamic_quantized_onnx_model

            model = self._open(str(exported), self._options() | {"file_name": name})
            export_dynamic_quantized_onnx_model(model, kind, str(exported))
        return next(exported.glob(f"onnx/*_{kind}.onnx")).name

    def queries(self, texts: Sequence[str], batch: int | None = None) -> list[Any]:
        """Encode questions in one call."""
        options = {"batch_size": batch} if batch else {}
        return self.model.encode_query(
            list(texts), convert_to_numpy=True, show_progress_bar=False, **options
        )

    def documents(self, texts: Sequence[str], batch: int | None) -> list[Any]:
        """Encode documents in one call."""
        options = {"batch_size": batch} if batch else {}
        return self.model.encode_document(
            list(texts), convert_to_numpy=True, show_progress_bar=False, **options
        )


_LIBRARIES: dict[str, type[Library]] = {
    "ours": Ours,
    "pylate": PyLate,
    "sentence-transformers": SentenceTransformers,
}


def _seconds(function: Any, *arguments: Any) -> float:
    begun = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begun


def _start(library: Library, job: Job, batch: int | None) -> dict[str, Any]:
    """Load the model and ask the first question."""
    library.load(batch)
    library.queries(job["warm_up"][:1])
    # Both processes read the same clock, which counts from the machine's start.
    return {
        "start_seconds": time.monotonic() - job["spawned"],
        "memory_after_start_mb": memory_mb(),
    }


def measure(library: Library, job: Job) -> dict[str, Any]:
    """Measure everything, with the one batch size that the job names.

    Processor seconds are kept beside the clock's: they say more where the machine was not quiet.
    """
    batch = job["batches"][0]
    result = _start(library, job, batch)
    for text in job["warm_up"][1:]:
        library.queries([text])
    cpu = time.process_time()
    result["query_seconds"] = [_seconds(library.queries, [text]) for text in job["queries"]]
    result["query_cpu_seconds"] = time.process_time() - cpu
    result["memory_after_queries_mb"] = memory_mb()
    if job["bulk_queries"]:
        result["bulk_query_seconds"] = _seconds(library.queries, job["bulk_queries"], batch)
    library.documents(job["documents"][:2], batch)
    cpu = time.process_time()
    result["document_seconds"] = _seconds(library.documents, job["documents"], batch)
    result["document_cpu_seconds"] = time.process_time() - cpu
    result["peak_memory_mb"] = memory_mb()
    return result


def probe(library: Library, job: Job) -> dict[str, Any]:
    """Load the model, filling all caches, and time documents in every batch size."""
    result = _start(library, job, job["batches"][0])
    times: dict[str, float] = {}
    for batch in job["batches"]:
        if job["library"] == "ours" and batch != job["batches"][0]:
            library.load(batch)
        library.documents(job["documents"][:2], batch)
        times[str(batch)] = _seconds(library.documents, job["documents"], batch)
    vectors = library.documents(job["documents"][:3], None)
    _save(vectors, Path(job["vectors"]))
    return result | {"document_seconds": times}


def _save(vectors: Sequence[Any], file: Path) -> None:
    """Keep some vectors, to see that contenders compute the same thing."""
    import numpy as np

    np.savez(file, *[np.asarray(text, dtype=np.float32) for text in vectors])


def _accelerator(job: Job) -> dict[str, Any]:
    if not job["device"].startswith("cuda"):
        return {}
    import torch

    return {
        "device_name": torch.cuda.get_device_name(),
        "device_peak_memory_mb": round(torch.cuda.max_memory_allocated() / 2**20, 1),
    }


def work(job: Job) -> dict[str, Any]:
    """Do what the job says."""
    library = _LIBRARIES[job["library"]](job)
    return {"probe": probe, "measure": measure}[job["task"]](library, job) | _accelerator(job)


if __name__ == "__main__":
    serve(work, _PACKAGES)
