"""Ours and the peers: how each one's index is built, and with which settings it is searched.

PyLate is not among them: its ``PLAID`` index is fast-plaid (its default ``n_full_scores`` is 8192,
which for recall@10 makes no difference to 4096), and its ``WARP`` index is xtr-warp-rs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from lfm2_colbert_rag.index.settings import PRESETS

from ..harness.environments import OURS as OWN
from ..harness.environments import Environment

# Both wheels are compiled for this torch; beside 2.13 fast-plaid ends with a segmentation fault.
# xtr-warp-rs needs libc10_cuda.so, which torch for CPUs lacks.
TORCH = "torch==2.11.0"


@dataclass(frozen=True)
class Setting:
    """A point on a contender's curve: its name, and options of a search as the library has them."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Contender:
    """One library with one kind of index.

    Attributes:
        name: in the results and of its index's folder.
        label: for people.
        engine: which adapter of ``peers.py`` runs it.
        environment: name of its environment.
        settings: of searches; the library's default comes first.
        build: options of the build.
    """

    name: str
    label: str
    engine: str
    environment: str
    settings: tuple[Setting, ...]
    build: dict[str, Any] = field(default_factory=dict)


ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        OWN,
        Environment(
            "plaid-warp",
            (("fast-plaid==1.7.0.2110", "xtr-warp-rs==2.1.0.2110"),),
            note="fast-plaid and xtr-warp-rs are compiled for torch 2.11, which pip has only with "
            "CUDA: an environment of 5 GB.",
        ),
        Environment("lancedb", (("lancedb==0.40.0",),), torch=False),
    )
}


def _plaid(probe: int, full: int, remark: str = "") -> Setting:
    options = {"n_ivf_probe": probe, "n_full_scores": full}
    return Setting(f"probe {probe}, full scores {full}{remark}", options)


def _warp(probe: int, t_prime: int, remark: str = "", **options: Any) -> Setting:
    """Search more than the library chooses by itself: by default no query token is left out."""
    chosen = {"nprobe": probe, "bound": 16 * probe, "t_prime": t_prime}
    chosen |= {"centroid_score_threshold": 0.0} | options
    return Setting(f"nprobe {probe}, t' {t_prime}{remark}", chosen)


def _lance(**options: Any) -> Setting:
    said = ", ".join(f"{name} {value}" for name, value in options.items())
    return Setting(said or "default", options)


def _lancedb(name: str, label: str, build: dict[str, Any]) -> Contender:
    """Make a contender of one of LanceDB's indexes.

    A search takes as many hits of each query vector as passages are wanted, times the factor, and
    guesses the rest of a passage's score; only with a factor is it computed from the vectors.
    """
    settings = (
        _lance(),
        _lance(refine_factor=3),
        _lance(refine_factor=10),
        _lance(refine_factor=50),
        _lance(nprobes=50, refine_factor=50),
    )
    build = build | {"vectors_per_partition": 8192}
    full = f"LanceDB 0.40 · {label}"
    return Contender(f"lancedb-{name}", full, "lancedb", "lancedb", settings, build)


def _ours(nbits: int) -> Contender:
    presets = tuple(
        Setting(f"preset {number}{' (default)' if not number - 4 else ''}", asdict(settings))
        for number, settings in enumerate(PRESETS[:5], start=1)
    )
    build = {"storage": "compressed", "nbits": nbits}
    label = f"lfm2-colbert-rag · {nbits} bits"
    return Contender(
        f"ours-{nbits}", label, "ours", "ours", presets[3:4] + presets[:3] + presets[4:], build
    )


OURS = (
    _ours(4),
    _ours(2),
    Contender("exact", "lfm2-colbert-rag · exact", "ours", "ours", (Setting("every vector"),),
              {"storage": "exact"}),
)  # fmt: skip
PEERS = (
    Contender(
        "fast-plaid",
        "fast-plaid 1.7.0",
        "fast-plaid",
        "plaid-warp",
        (
            _plaid(8, 4096, " (default)"), _plaid(8, 1024), _plaid(8, 512), _plaid(4, 256),
            _plaid(16, 4096), _plaid(32, 4096),
        ),
        {"nbits": 4},
    ),
    Contender(
        "xtr-warp",
        "xtr-warp-rs 2.1.0",
        "xtr-warp",
        "plaid-warp",
        (
            Setting("automatic (default)"),
            _warp(8, 5_000, " (its README)", centroid_score_threshold=0.5, max_candidates=64_000),
            _warp(32, 20_000), _warp(32, 100_000), _warp(64, 20_000), _warp(128, 20_000),
            _warp(256, 50_000),
        ),
        {"nbits": 4},
    ),
    _lancedb("rq", "IVF_RQ, 4 bits", {"kind": "IvfRq", "num_bits": 4}),
    _lancedb("pq", "IVF_PQ, 16 bytes", {"kind": "IvfPq", "num_sub_vectors": 16}),
    _lancedb("hnsw", "IVF_HNSW_SQ", {"kind": "HnswSq"}),
)  # fmt: skip
