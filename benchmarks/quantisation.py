"""Choose how the matrices of a model are rounded: accuracy and speed of each way that was tried.

::

    python -m benchmarks.quantisation --data DIR --scratch DIR

Accuracy is that of the bundled model on real text in five languages (``--data`` holds XQuAD)
against its own float32: cosines of single vectors and, for the way that is shipped, nDCG@10 of
every language pair. Speed is that of four layers of the 350M model's width with random weights,
all ways in turn, several rounds. Writes ``benchmarks/results/quantisation.json``, a case a way and
a pair, and prints the table.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from lfm2_colbert_rag import TokenVectors, load_encoder
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.hub import NANO_FOLDER
from lfm2_colbert_rag.encoder.onnx.layers import ATTENTION_MASK, INPUT_IDS
from lfm2_colbert_rag.encoder.onnx.onnx_engine import OnnxEncoder, open_session
from lfm2_colbert_rag.evaluation import evaluate, load_family

from .encode.checkpoints import Shape, write_checkpoints
from .harness import Clock, Results, command, in_turn, say
from .quality.sets import TRAINED
from .remembering import Remembering
from .roundings import WAYS, write

LENGTHS = (32, 256)
ROUNDS = 7

Figures = dict[str, Any]


def encode(graph: Path, checkpoint: Checkpoint, texts: Sequence[str]) -> list[TokenVectors]:
    """Encode texts with a graph of one's own."""
    return OnnxEncoder(checkpoint, graph=graph, threads=2).encode_document(texts)


def cosines(found: Sequence[TokenVectors], exact: Sequence[TokenVectors]) -> dict[str, float]:
    """Compare vectors with those of float32."""
    values = np.concatenate(
        [(a.vectors * b.vectors).sum(axis=1) for a, b in zip(found, exact, strict=True)]
    )
    return {
        "mean": round(float(values.mean()), 6),
        "worst percent": round(float(np.quantile(values, 0.01)), 6),
    }


def real_texts(data: Path) -> list[str]:
    """Take every eighth XQuAD passage in each of the languages that the model was trained on."""
    family = load_family(data / "xquad")
    return [
        passage.text
        for language in TRAINED
        for passage in list(family.dataset(language, language).corpus or ())[::8]
    ]


def speeds(graphs: dict[str, Path], vocabulary: int) -> dict[str, dict[str, float]]:
    """Time all graphs in turn; positions a second, medians over the rounds."""
    ids = np.random.default_rng(0).integers(10, vocabulary, (1, max(LENGTHS)))
    inputs = {
        size: {INPUT_IDS: ids[:, :size], ATTENTION_MASK: np.ones((1, size), dtype=bool)}
        for size in LENGTHS
    }
    sessions = {name: open_session(path, 2) for name, path in graphs.items()}
    times: dict[tuple[str, int], list[float]] = {}
    for turn, name in in_turn(list(graphs), ROUNDS + 1):
        for size in LENGTHS:
            with Clock() as clock:
                sessions[name].run(None, inputs[size])
            if turn:  # the first is for warming up
                times.setdefault((name, size), []).append(clock.seconds)
    return {
        name: {str(size): round(size / statistics.median(times[name, size])) for size in LENGTHS}
        for name in graphs
    }


def quality(data: Path) -> Iterator[tuple[str, Figures]]:
    """Yield nDCG@10 of the bundled model in float32 and as shipped, for every language pair."""
    dtypes = ("float32", "int8")
    encoders = {dtype: Remembering(load_encoder("nano", dtype=dtype)) for dtype in dtypes}
    for passages in TRAINED:
        for queries in TRAINED:
            dataset = load_family(data / "xquad").dataset(queries, passages)
            found = {
                dtype: evaluate(
                    dataset=dataset, retriever=None, measures=["nDCG@10"], model=encoder,
                    storage="exact", worst=0,
                ).mean("nDCG@10")
                for dtype, encoder in encoders.items()
            }  # fmt: skip
            rounded = {dtype: round(value, 4) for dtype, value in found.items()}
            difference = round(rounded["int8"] - rounded["float32"], 4)
            yield f"{queries} → {passages}", rounded | {"difference": difference}


def show(cases: dict[str, Figures]) -> None:
    """Print the results as tables."""
    table = Table("matrices", "mean cosine", "worst percent", *(f"{n} rows, /s" for n in LENGTHS))
    for name in WAYS:
        rates = (f"{rate:,}" for rate in cases[name]["positions a second"].values())
        near = cases[name]["cosine to float32"]
        table.add_row(name, f"{near['mean']:.5f}", f"{near['worst percent']:.5f}", *rates)
    worst = max((one.get("difference", 0.0) for one in cases.values()), key=abs)
    Console().print(table, f"largest change of nDCG@10 over the language pairs: {worst:+.4f}")


def main() -> None:
    """Run the benchmark."""
    args = command(__doc__, "quantisation", "data", "scratch").parse_args()
    results = Results(args.out)
    nano, texts = Checkpoint.read(NANO_FOLDER), real_texts(args.data)
    shape = Shape(layers=("conv", "conv", "full_attention", "conv"))
    wide = Checkpoint.read(write_checkpoints(args.scratch / "wide", shape, None)["pylate"])
    exact: list[TokenVectors] = []
    ways: dict[str, Figures] = {}
    graphs: dict[str, Path] = {}
    for number, (name, precision) in enumerate(WAYS.items()):
        say(f"writing {name}")
        found = encode(write(nano, precision, args.scratch / f"nano-{number}"), nano, texts)
        exact = exact or found
        ways[name] = {"cosine to float32": cosines(found, exact)}
        graphs[name] = write(wide, precision, args.scratch / f"wide-{number}")
    for name, rates in speeds(graphs, wide.backbone.vocab_size).items():
        results.put(name, ways[name] | {"positions a second": rates})
    for pair, figures in quality(args.data):
        results.put(f"nDCG@10, {pair}", figures)
    show(results.cases)


if __name__ == "__main__":
    main()
