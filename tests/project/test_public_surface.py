"""What users see of the package, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import lfm2_colbert_rag


def run(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_public_names_are_these_and_sorted():
    assert lfm2_colbert_rag.__all__ == [
        "Encoder",
        "Hit",
        "LFM2ColBERTError",
        "Match",
        "Passage",
        "Retriever",
        "__version__",
        "encode_stream",
        "export_model",
        "load_encoder",
        "maxsim",
        "maxsim_pairwise",
    ]


def test_every_public_name_exists_and_nothing_else_shows():
    for name in lfm2_colbert_rag.__all__:
        assert getattr(lfm2_colbert_rag, name) is not None
    assert dir(lfm2_colbert_rag) == sorted(lfm2_colbert_rag.__all__)


def test_unknown_attribute_is_an_attribute_error():
    assert not hasattr(lfm2_colbert_rag, "nothing")


def test_importing_the_root_loads_nothing_heavy():
    heavy = [
        "torch",
        "transformers",
        "onnxruntime",
        "numba",
        "tokenizers",
        "rich",
        "typer",
        "sqlite3",
        "numpy",
    ]
    code = f"import sys, lfm2_colbert_rag; print([m for m in {heavy} if m in sys.modules])"
    assert run(code).strip() == "[]"


def test_a_retriever_without_a_model_run_loads_no_torch():
    code = (
        "import sys\nfrom lfm2_colbert_rag import Retriever\n"
        "r = Retriever.from_texts(['one text'], model='hash')\n"
        "r.search('text')\nprint('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    assert run(code).strip() == "False False"
