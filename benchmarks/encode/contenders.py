"""Who is measured, and how each one's environment is made."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..harness.environments import OURS, REPOSITORY, Environment

TORCH = "torch==2.13.0"


@dataclass(frozen=True)
class Contender:
    """One library in one configuration.

    Attributes:
        name: in the results.
        label: for people.
        library: which adapter of ``child.py`` runs it.
        environment: name of its environment.
        backend: engine of the library.
        dtype: of weights and arithmetic.
        cuda: whether it is measured on an accelerator, too.
    """

    name: str
    label: str
    library: str
    environment: str
    backend: str
    dtype: str
    cuda: bool = False
    batches: dict[str, tuple[int | None, ...]] = field(default_factory=dict)

    def batches_on(self, device: str) -> tuple[int | None, ...]:
        """Return the batch sizes to try, the library's default first; None is the default."""
        kind = device.partition(":")[0]
        return self.batches.get(kind, (None,))

    @property
    def layout(self) -> str:
        """Layout of the checkpoint that it loads."""
        third_party = self.library == "sentence-transformers"
        return "sentence-transformers" if third_party else "pylate"


# 32 is the default of both libraries.
_PEER_BATCHES: dict[str, tuple[int | None, ...]] = {"cpu": (32, 8, 1), "cuda": (32, 128, 256)}
# Positions, not texts. On a processor the default is taken as it is.
_OUR_BATCHES: dict[str, tuple[int | None, ...]] = {"cpu": (None,), "cuda": (None, 16384, 65536)}

ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        OURS,
        Environment("ours-torch", ((f"{REPOSITORY}[torch]",),)),
        Environment(
            "pylate",
            (
                ("--no-deps", "pylate==1.6.0", "fast-plaid==1.4.6.2110"),
                (
                    "sentence-transformers==5.3.0", "transformers==5.3.0", "datasets>=2.20.0",
                    "accelerate>=0.31.0", "pandas>=2.2.1", "ujson==5.12.0", "ninja==1.11.1.4",
                    "fastkmeans==0.5.0", "usearch>=2.21.0", "maturin>=1.8.6", "joblib>=1.5.1",
                ),
            ),
            note="fast-plaid pins torch==2.11.0; installed without that pin, so that every "
            "contender runs on the same torch for CPUs. A plain `pip install pylate` brings "
            "torch for CUDA and weighs 5.6 GB.",
        ),
        Environment("st-torch", (("sentence-transformers==6.2.0",),)),
        Environment(
            "st-onnx",
            (
                (
                    "sentence-transformers==6.2.0", "optimum~=2.1.0", "onnx", "onnxruntime",
                    "requests",
                ),
                ("--no-deps", "optimum-onnx==0.1.0"),
            ),
            note="sentence-transformers[onnx]==6.2.0 cannot be installed by pip: it needs "
            "transformers>=5, and its optimum-onnx needs transformers<4.58. Tried without that "
            "bound; optimum-onnx 0.1.0 has no export of LFM2 either.",
        ),
        Environment(
            "st-openvino",
            (("sentence-transformers[openvino]==6.2.0",),),
            remove=("torchvision",),
            note="sentence-transformers[openvino] brings a torchvision built for CUDA, which does "
            "not load beside torch for CPUs; it is not needed for text and was removed.",
        ),
    )
}  # fmt: skip


def _ours(backend: str, dtype: str, label: str, *, cuda: bool = False) -> Contender:
    environment = "ours" if backend == "onnx" else "ours-torch"
    name = f"ours-{backend}-{dtype}"
    return Contender(name, label, "ours", environment, backend, dtype, cuda, _OUR_BATCHES)


def _pylate(dtype: str) -> Contender:
    name, label = f"pylate-{dtype}", f"PyLate 1.6.0 · torch {dtype}"
    return Contender(name, label, "pylate", "pylate", "torch", dtype, True, _PEER_BATCHES)


def _sentence_transformers(backend: str, dtype: str, label: str) -> Contender:
    name, environment = f"st-{backend}-{dtype}", f"st-{backend}"
    library, full = "sentence-transformers", f"sentence-transformers 6.2 · {label}"
    cuda = backend == "torch"
    return Contender(name, full, library, environment, backend, dtype, cuda, _PEER_BATCHES)


CONTENDERS = (
    _ours("onnx", "int8", "lfm2-colbert-rag · ONNX int8"),
    _ours("onnx", "float32", "lfm2-colbert-rag · ONNX float32"),
    _ours("torch", "float32", "lfm2-colbert-rag · torch float32", cuda=True),
    _ours("torch", "bfloat16", "lfm2-colbert-rag · torch bfloat16", cuda=True),
    _pylate("float32"),
    _pylate("bfloat16"),
    _sentence_transformers("torch", "float32", "torch float32"),
    _sentence_transformers("torch", "bfloat16", "torch bfloat16"),
    _sentence_transformers("onnx", "float32", "ONNX float32"),
    _sentence_transformers("onnx", "int8", "ONNX int8"),
    _sentence_transformers("openvino", "float32", "OpenVINO"),
)
