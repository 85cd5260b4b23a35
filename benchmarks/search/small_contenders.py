"""Who searches small collections: ours, whole and its index alone, and what people use instead."""

from __future__ import annotations

from ..encode.contenders import ENVIRONMENTS as ENCODERS
from ..encode.contenders import TORCH as ENCODERS_TORCH
from ..harness.environments import Environment
from .contenders import ENVIRONMENTS, TORCH, Contender, Setting

# The torch of each environment that has one.
TORCHES: dict[str, tuple[str, tuple[Environment, ...]]] = {
    "encoders": (ENCODERS_TORCH, (ENCODERS["pylate"], ENCODERS["st-torch"])),
    "search": (TORCH, tuple(ENVIRONMENTS.values())),
}
_ONCE = (Setting("every vector"),)


def _whole(mode: str) -> Contender:
    label = f"lfm2-colbert-rag · Retriever.search, {mode}"
    return Contender(f"ours-{mode}", label, "whole", "ours", (Setting(mode, {"mode": mode}),))


OURS = (
    Contender("ours-index", "lfm2-colbert-rag · index alone", "ours", "ours", _ONCE,
              {"storage": "exact"}),
    _whole("late"),
    _whole("hybrid"),
)  # fmt: skip
PEERS = (
    Contender("fast-plaid", "fast-plaid 1.7.0 · 4 bits", "fast-plaid", "plaid-warp",
              (Setting("default"),), {"nbits": 4}),
    Contender("lancedb", "LanceDB 0.40 · no index", "lancedb", "lancedb", _ONCE),
    Contender("lancedb-rq", "LanceDB 0.40 · IVF_RQ, 4 bits, refine_factor 10", "lancedb", "lancedb",
              (Setting("refine_factor 10", {"refine_factor": 10}),),
              {"kind": "IvfRq", "num_bits": 4, "vectors_per_partition": 8192}),
    Contender("pylate-rank", "PyLate 1.6 · rank.rerank", "pylate-rank", "pylate", _ONCE),
    Contender("pylate-scores", "PyLate 1.6 · scores.colbert_scores", "pylate-scores", "pylate",
              _ONCE),
    Contender("sentence-transformers", "sentence-transformers 6.2 · util.maxsim",
              "sentence-transformers", "st-torch", _ONCE),
)  # fmt: skip
