"""What several test modules share: a small multilingual corpus, retrievers without weights."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag._support.cache_folder import CACHE_VARIABLE, cache_folder

from .windows import sitecustomize as windows_rules

# `make test-windows-rules`: also for the processes that tests start.
if os.environ.get(windows_rules.VARIABLE):
    windows_rules.install()

# Where a law does not say how many examples it needs: 30; fewer in `make test-fast`, and as many as
# Hypothesis takes by itself with `--hypothesis-profile full`.
with suppress(ModuleNotFoundError):  # the environments of tests/agreement do without
    from hypothesis import settings

    settings.register_profile("full", deadline=None)
    settings.register_profile("plain", deadline=None, max_examples=30)
    settings.register_profile("fast", deadline=None, max_examples=20)
    settings.load_profile("plain")

CORPUS = {
    "reset": "Hold the reset key of the router for ten seconds.",
    "reinicio": "Mantenga pulsado el botón de reinicio del router.",
    "kaffee": "Die Kaffeemaschine muss jeden Monat entkalkt werden.",
    "linge": "Le lave-linge ne vide plus : nettoyez le filtre.",
    "library": "The library opens at nine and closes at six.",
}
METADATA = {
    "reset": {"product": "router", "year": 2024, "lang": "en"},
    "reinicio": {"product": "router", "year": 2022, "lang": "es"},
    "kaffee": {"product": "coffee", "year": 2023, "lang": "de"},
    "linge": {"product": "laundry", "lang": "fr", "tags": ["home", "water"]},
    "library": {"lang": "en", "maker": {"country": "ie", "open": True}},
}


def fill(retriever: Retriever) -> Retriever:
    """Add the corpus in one commit."""
    retriever.add(list(CORPUS.values()), ids=list(CORPUS), metadata=list(METADATA.values()))
    return retriever


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    """Convert models into a folder of the tests' own, not into the user's cache.

    Kernels are kept there, beside the user's own: to compile them takes half a minute a process.
    Tests wait for them, so that all scores come from the same ones.
    """
    before = os.environ.get(CACHE_VARIABLE)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "kernels"))
    os.environ.setdefault("LFM2_COLBERT_KERNELS", "wait")
    os.environ[CACHE_VARIABLE] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ[CACHE_VARIABLE]
    else:
        os.environ[CACHE_VARIABLE] = before


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where an index may be made."""
    return tmp_path / "support.index"


@pytest.fixture
def retriever(folder: Path):
    """Return a filled retriever on the disk."""
    with Retriever.open(folder, model="hash") as opened:
        yield fill(opened)


@pytest.fixture
def state():
    """Return a function that tells everything an index answers, to compare before and after."""

    def describe(retriever: Retriever) -> object:
        hits = retriever.search("the router of the library", k=100)
        stats = retriever.stats()
        return (
            [(h.id, h.score, h.text, h.metadata) for h in hits],
            (stats.generation, stats.passages, stats.vectors, stats.deleted, stats.segments),
            sorted(str(p) for p in retriever.path.glob("segments/*")),
        )

    return describe
