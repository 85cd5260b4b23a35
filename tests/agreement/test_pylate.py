"""Ids, vectors and MaxSim are those of PyLate 1.6, for what PyLate saves.

Run by ``make agreement``, in an environment that has PyLate; skipped where it is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.engine import CheckpointEncoder
from lfm2_colbert_rag.encoder.onnx.onnx_engine import OnnxEncoder
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder

from ..encoder.checkpoints import DIM, write_checkpoint
from ..encoder.foreign import FOREIGN, HIDDEN, write_backbone
from .texts import SCORES, TEXTS, VECTORS, difference, scores

pytestmark = pytest.mark.filterwarnings("ignore")

# name: backbone, heads, options of PyLate's ColBERT, options of its Transformer
CASES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    **{kind: (kind, "plain", {}, {}) for kind in ("lfm2", *FOREIGN)},
    "bert, rich heads": ("bert", "rich", {}, {}),
    "bert, attended": ("bert", "plain", {"attend_to_expansion_tokens": True}, {}),
    "xlm-roberta, attended": ("xlm-roberta", "plain", {"attend_to_expansion_tokens": True}, {}),
    "xlm-roberta, no expansion": ("xlm-roberta", "rich", {"do_query_expansion": False}, {}),
    "modernbert, other markers": (
        "modernbert",
        "rich",
        {"query_prefix": "query: ", "document_prefix": "", "skiplist_words": ["the", "!"]},
        {},
    ),
    "modernbert, lower case": ("modernbert", "plain", {}, {"do_lower_case": True}),
    "bert, long query": ("bert", "plain", {"query_length": 64, "document_length": 40}, {}),
    # Farther than the 32 positions on either side that a sliding layer of it sees.
    "modernbert, long query": ("modernbert", "plain", {"query_length": 100}, {}),
    "lfm2, rich heads": ("lfm2", "rich", {}, {}),
}


@pytest.fixture(scope="module")
def pylate() -> Any:
    return pytest.importorskip("pylate.models", reason="run by make agreement")


@pytest.fixture(scope="module", params=CASES)
def saved(request: pytest.FixtureRequest, pylate: Any, tmp_path_factory: Any) -> Any:
    """A model of PyLate's, and the folder it saved itself in."""
    kind, heads, options, more = CASES[request.param]
    place = tmp_path_factory.mktemp("pylate")
    models = pytest.importorskip("sentence_transformers.models")
    torch.manual_seed(5)
    if kind == "lfm2":
        write_checkpoint(place / "bare", markers_in_tokenizer=False)
    else:
        write_backbone(place / "bare", kind, markers=False)
    modules = [models.Transformer(str(place / "bare"), **more), *make_heads(pylate.Dense, heads)]
    options = {"query_length": 16, "document_length": 64, **options}
    model = pylate.ColBERT(modules=modules, device="cpu", **options)
    model.save_pretrained(str(place / "saved"))
    return pylate.ColBERT(str(place / "saved"), device="cpu").eval(), place / "saved"


def make_heads(dense: Callable[..., nn.Module], kind: str) -> list[nn.Module]:
    if kind == "plain":
        return [dense(HIDDEN, DIM, bias=False)]
    return [
        dense(HIDDEN, 2 * HIDDEN, bias=True, activation_function=nn.GELU()),
        dense(2 * HIDDEN, HIDDEN, bias=False, activation_function=nn.Tanh(), use_residual=True),
        dense(HIDDEN, HIDDEN, bias=True, use_residual=True),
        dense(HIDDEN, DIM, bias=False, activation_function=nn.Identity()),
    ]


def load(folder: Path, engine: str = "torch", masked: Any = "kept") -> CheckpointEncoder:
    checkpoint = Checkpoint.read(folder, masked_positions=masked)
    if engine == "torch":
        return TorchEncoder(checkpoint)
    return OnnxEncoder(checkpoint, dtype="float32")


@pytest.mark.parametrize("kind", ["query", "document"])
def test_ids_and_masks_are_equal(saved: Any, kind: str) -> None:
    theirs, folder = saved
    framed = getattr(load(folder)._framing, kind)(TEXTS)
    for text, ours in zip(TEXTS, framed, strict=True):
        features = theirs.tokenize([text], is_query=kind == "query")
        assert ours.input_ids.tolist() == features["input_ids"][0].tolist()
        assert ours.attention_mask.tolist() == features["attention_mask"][0].bool().tolist()


# PyLate's transformers blank masked positions at the convolutions of LFM2 in batches only; other
# backbones have none.
@pytest.mark.parametrize("engine", ["torch", "onnx"])
@pytest.mark.parametrize(("batch", "masked"), [(1, "kept"), (32, "zeroed")])
def test_vectors_and_scores_are_equal(
    saved: Any,
    batch: int,
    masked: str,
    engine: str,
    record_property: Callable[[str, object], None],
) -> None:
    theirs, folder = saved
    ours = load(folder, engine, masked)
    queries, documents = ours.encode_query(TEXTS), ours.encode_document(TEXTS)
    their_queries = theirs.encode(TEXTS, batch_size=batch, is_query=True)
    their_documents = theirs.encode(TEXTS, batch_size=batch, is_query=False)
    of_queries = difference(queries, their_queries)
    of_documents = difference(documents, their_documents)
    record_property("largest difference of a query's vector", of_queries)
    record_property("largest difference of a document's vector", of_documents)
    assert max(of_queries, of_documents) <= VECTORS
    colbert_scores = pytest.importorskip("pylate.scores").colbert_scores
    expected = [
        [float(colbert_scores(q[None], d[None])) for d in their_documents] for q in their_queries
    ]
    np.testing.assert_allclose(scores(queries, documents), expected, atol=SCORES)
