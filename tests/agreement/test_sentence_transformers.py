"""Ids, vectors, MaxSim and the loss of training are those of sentence-transformers 6.

Run by ``make agreement``, in an environment that has it; skipped where it is missing.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from torch import nn

from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.engine import CheckpointEncoder
from lfm2_colbert_rag.encoder.framing import Framing
from lfm2_colbert_rag.encoder.onnx.onnx_engine import OnnxEncoder
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder, load_embedder
from lfm2_colbert_rag.training import Example, TrainingSettings, train
from lfm2_colbert_rag.training.batches import Batches
from lfm2_colbert_rag.training.loop import Runner, Texts
from lfm2_colbert_rag.training.parameters import Training

from ..encoder.checkpoints import DIM, MARKERS, edit_json, write_checkpoint
from ..encoder.foreign import (
    FOREIGN,
    HIDDEN,
    PLAIN_HEADS,
    RICH_HEADS,
    foreign_tokenizer,
    write_backbone,
    write_foreign,
)
from .texts import SCORES, TEXTS, VECTORS, difference, scores

pytestmark = pytest.mark.filterwarnings("ignore")

TEMPERATURE = 0.1

CASES = [
    *(f"{kind}, {layout}" for kind in ("lfm2", *FOREIGN) for layout in ("pylate", "multi_vector")),
    *(f"{kind}, {how}" for kind in FOREIGN for how in ("rich heads", "made there", "attended")),
    "bert, prompts of words",
    "xlm-roberta, prompts of words",
]


@pytest.fixture(scope="module")
def peer() -> Any:
    """The library, version 6 or newer: older ones know no late interaction."""
    return pytest.importorskip("sentence_transformers", minversion="6.0")


@pytest.fixture(scope="module", params=CASES)
def saved(request: pytest.FixtureRequest, peer: Any, tmp_path_factory: Any) -> Any:
    """A model of the peer's, the folder it was read from, and the one it saved itself in."""
    kind, _, how = request.param.partition(", ")
    place: Path = tmp_path_factory.mktemp("st")
    if how == "made there":
        model = make(peer, write_backbone(place / "first", kind))
        model.save_pretrained(str(place / "first"))
    else:
        write(place / "first", kind, how)
    model = peer.MultiVectorEncoder(str(place / "first"), device="cpu")
    model.save_pretrained(str(place / "again"))
    return model, place / "first", place / "again"


def write(folder: Path, kind: str, how: str) -> None:
    if kind == "lfm2":
        write_checkpoint(folder, layout=how)
    elif how in ("pylate", "rich heads"):
        # With a word that the tokenizer lacks, PyLate skips unknown tokens and this peer does not;
        # this library does as the one that wrote the folder.
        tokenizer = Tokenizer.from_str(foreign_tokenizer(kind))
        known = [c for c in string.punctuation if tokenizer.token_to_id(c) is not None]
        heads = PLAIN_HEADS if how == "pylate" else RICH_HEADS
        write_foreign(folder, kind, heads=heads, skiplist_words=known)
    elif how == "attended":
        expansion = {"strategy": "fixed", "attend": True, "token": None, "length": 16}
        write_foreign(folder, kind, layout="multi_vector", query_expansion=expansion)
    elif how == "prompts of words":
        write_foreign(folder, kind, layout="multi_vector", markers=False)
        prompts = {"query": "query: ", "document": "passage: "}
        edit_json(folder / "config_sentence_transformers.json", prompts=prompts)
    else:
        write_foreign(folder, kind, layout=how)


def make(peer: Any, bare: Path) -> Any:
    """Build a model from the peer's own modules, with a head of two Dense."""
    modules = pytest.importorskip("sentence_transformers.multi_vector_encoder.modules")
    base = pytest.importorskip("sentence_transformers.base.modules")
    torch.manual_seed(5)
    on_tokens = {"module_input_name": "token_embeddings"}
    transformer = base.Transformer(
        str(bare),
        document_length=64,
        query_expansion={"strategy": "fixed", "attend": False, "token": None, "length": 20},
    )
    parts = [
        transformer,
        base.Dense(HIDDEN, HIDDEN, activation_function=nn.ReLU(), use_residual=True, **on_tokens),
        base.Dense(HIDDEN, DIM, bias=False, activation_function=nn.Identity(), **on_tokens),
        modules.MultiVectorMask(skiplist_words=list(string.punctuation)),
        base.Normalize(**on_tokens),
    ]
    prompts = dict(zip(("query", "document"), MARKERS, strict=True))
    return peer.MultiVectorEncoder(modules=parts, prompts=prompts, device="cpu")


def load(folder: Path, engine: str = "torch") -> CheckpointEncoder:
    # Recent transformers blank masked positions at the convolutions of LFM2.
    checkpoint = Checkpoint.read(folder, masked_positions="zeroed")
    if engine == "torch":
        return TorchEncoder(checkpoint)
    return OnnxEncoder(checkpoint, dtype="float32")


@pytest.mark.parametrize("kind", ["query", "document"])
def test_ids_are_equal(saved: Any, kind: str) -> None:
    theirs, *folders = saved
    for folder in folders:
        framed = getattr(load(folder)._framing, kind)(TEXTS)
        for text, ours in zip(TEXTS, framed, strict=True):
            features = theirs.preprocess([text], prompt=theirs.prompts[kind], task=kind)
            assert ours.input_ids.tolist() == features["input_ids"][0].tolist()
            assert ours.attention_mask.tolist() == features["attention_mask"][0].bool().tolist()


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_vectors_and_scores_are_equal(
    saved: Any, engine: str, record_property: Callable[[str, object], None]
) -> None:
    """Also of what the peer saves again, always in its own layout."""
    theirs, *folders = saved
    their_queries, their_documents = theirs.encode_query(TEXTS), theirs.encode_document(TEXTS)
    for folder in folders:
        ours = load(folder, engine)
        queries, documents = ours.encode_query(TEXTS), ours.encode_document(TEXTS)
        of_queries = difference(queries, their_queries)
        of_documents = difference(documents, their_documents)
        record_property("largest difference of a query's vector", of_queries)
        record_property("largest difference of a document's vector", of_documents)
        assert max(of_queries, of_documents) <= VECTORS
        expected = np.asarray(theirs.similarity(their_queries, their_documents))
        np.testing.assert_allclose(scores(queries, documents), expected, atol=SCORES)
    assert Checkpoint.read(folders[-1]).layout == "sentence-transformers"


@pytest.mark.parametrize("layout", ["pylate", "multi_vector"])
def test_the_loss_of_training_and_its_gradient_are_equal(
    peer: Any, layout: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """With a causal model, the only kind of LFM2 that the peer runs as it is."""
    losses = pytest.importorskip("sentence_transformers.multi_vector_encoder.losses")
    scoring = pytest.importorskip("sentence_transformers.multi_vector_encoder.scoring")
    folder = write_checkpoint(tmp_path / "model", layout=layout)
    columns = TEXTS[:3], TEXTS[3:6], TEXTS[6:9]
    theirs = peer.MultiVectorEncoder(str(folder), device="cpu")
    loss = losses.MultiVectorMultipleNegativesRankingLoss(
        theirs, scale=1 / TEMPERATURE, similarity_fct=scoring.mean_colbert_scores
    )
    tasks = ("query", "document", "document")
    features = [
        {**theirs.preprocess(list(texts), prompt=theirs.prompts[task], task=task), "task": task}
        for texts, task in zip(columns, tasks, strict=True)
    ]
    their_loss = loss(features)
    their_loss.backward()
    run, training = _runner(folder, *columns)
    (batch,) = Batches(_examples(*columns), 3, 0).in_order(3)
    assert run.backward(batch) == pytest.approx(their_loss.item(), rel=1e-5)
    their_gradients = {name: one.grad for name, one in theirs.named_parameters()}
    ours = {name: one.grad for name, one in training.model.named_parameters() if one.requires_grad}
    largest = 0.0
    for name, gradient in ours.items():
        ending = name.removeprefix("backbone.").removeprefix("heads.0.")
        (match,) = (one for one in their_gradients if one.endswith(f".{ending}"))
        difference = (gradient - their_gradients[match]).norm() / their_gradients[match].norm()
        largest = max(largest, float(difference))
    record_property("largest relative difference of a tensor's gradient", largest)
    assert largest < 1e-4


def _examples(*columns: Sequence[str]) -> list[Example]:
    """Make examples of questions, answers and negatives, whose texts are their ids."""
    return [
        Example(question, (right,), (wrong,))
        for question, right, wrong in zip(*columns, strict=True)
    ]


def _runner(folder: Path, *columns: Sequence[str]) -> tuple[Runner, Training]:
    checkpoint, device = Checkpoint.read(folder, masked_positions="zeroed"), torch.device("cpu")
    training = Training.of(load_embedder(checkpoint, device=device, dtype="float32"), "layers", 0)
    framing, passages = Framing.from_checkpoint(checkpoint), [*columns[1], *columns[2]]
    framed = dict(zip(passages, framing.document(passages), strict=True))
    texts = Texts(framing.query(list(columns[0])), framed)
    run = Runner(training.model, device, texts, 10_000, TEMPERATURE, torch.float32, True)
    return run, training


@pytest.mark.parametrize("layout", ["pylate", "multi_vector"])
def test_an_adapted_model_is_loaded_with_the_same_vectors(
    peer: Any, layout: str, tmp_path: Path
) -> None:
    base = load(write_checkpoint(tmp_path / "base", layout=layout))
    examples = _examples(TEXTS[:3], TEXTS[3:6], TEXTS[6:9])
    settings = TrainingSettings(method="layers", steps=3, learning_rate=0.01)
    folder = train(base, examples, dict(zip(TEXTS, TEXTS, strict=True)), tmp_path / "new", settings)
    theirs, ours = peer.MultiVectorEncoder(str(folder.folder), device="cpu"), load(folder.folder)
    assert difference(ours.encode_query(TEXTS), theirs.encode_query(TEXTS)) <= VECTORS
    assert difference(ours.encode_document(TEXTS), theirs.encode_document(TEXTS)) <= VECTORS
    assert ours.fingerprint["weights"] != base.fingerprint["weights"]
