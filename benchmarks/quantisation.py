"""Choose how the matrices of a model are rounded: accuracy and speed of each way that was tried.

::

    python -m benchmarks.quantisation --data DIR --scratch DIR

Accuracy is that of the bundled model on real text in five languages (``--data`` holds the XQuAD
collection, as ``benchmarks/exhaustive.py`` reads it) against its own float32: cosines of single
vectors and, for the way that is shipped, nDCG@10 of every language pair. Speed is that of four
layers of the 350M model's width with random weights, all ways in turn, several rounds. Writes
``benchmarks/results/quantisation.json`` and prints the table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.encode.checkpoints import Shape, write_checkpoints
from benchmarks.encode.machine import describe
from benchmarks.exhaustive import TRAINED, Collection, evaluate
from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.hub import NANO_FOLDER
from lfm2_colbert_rag.encoder.onnx.converted import DATA_FILE, GRAPH_FILE
from lfm2_colbert_rag.encoder.onnx.graph import MICROSOFT, Graph
from lfm2_colbert_rag.encoder.onnx.lfm2_graph import (
    ATTENTION_MASK,
    INPUT_IDS,
    VECTORS,
    Lfm2Graph,
    Precision,
)
from lfm2_colbert_rag.encoder.onnx.linear import (
    FloatLinear,
    Linear,
    Matrix,
    RowInt8Linear,
    quantize_rows,
)
from lfm2_colbert_rag.encoder.onnx.onnx_engine import OnnxEncoder, open_session
from lfm2_colbert_rag.types import TokenVectors

RESULT = Path(__file__).parent / "results" / "quantisation.json"
LENGTHS = (32, 256)
ROUNDS = 7
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BatchInt8Linear:
    """Activations with one scale for the whole batch: ONNX Runtime's own dynamic quantisation."""

    weight_range: int = 63

    def multiply(self, graph: Graph, x: str, name: str, weight: Matrix) -> str:
        """Multiply rows by a matrix."""
        integers, scale = quantize_rows(weight, self.weight_range)
        return graph.node(
            "DynamicQuantizeMatMul",
            x,
            graph.weight(name, np.ascontiguousarray(integers.T)),
            graph.weight(f"{name}.scale", scale),
            graph.constant(np.zeros(len(scale), dtype=np.int8)),
            domain=MICROSOFT,
        )


@dataclass(frozen=True)
class UnsignedInt8Linear:
    """All 8 bits of the weights, stored unsigned, which cannot saturate but is slower."""

    def multiply(self, graph: Graph, x: str, name: str, weight: Matrix) -> str:
        """Multiply rows by a matrix."""
        largest = graph.node(
            "ReduceMax", graph.node("Abs", x), graph.constant(np.array([-1])), keepdims=1
        )
        steps = graph.node("Div", graph.constant(np.float32(127)), largest)
        one, zero = graph.constant(np.float32(1)), graph.constant(np.uint8(128))
        integers, scale = quantize_rows(weight, 127)
        unsigned = (integers.T.astype(np.int16) + 128).astype(np.uint8)
        product = graph.node(
            "MatMulIntegerToFloat",
            graph.node("QuantizeLinear", graph.node("Mul", x, steps), one, zero),
            graph.weight(name, np.ascontiguousarray(unsigned)),
            one,
            graph.weight(f"{name}.scale", scale),
            zero,
            graph.constant(np.full(len(scale), 128, dtype=np.uint8)),
            domain=MICROSOFT,
        )
        return graph.node("Div", product, steps)


@dataclass(frozen=True)
class BlockLinear:
    """A scale for each block of a weight's row: ``MatMulNBits``, integer arithmetic."""

    bits: int
    block: int

    def multiply(self, graph: Graph, x: str, name: str, weight: Matrix) -> str:
        """Multiply rows by a matrix."""
        rows, columns = weight.shape
        blocks = weight.reshape(rows, columns // self.block, self.block)
        half = 2 ** (self.bits - 1)
        scale = np.abs(blocks).max(axis=-1) / np.float32(half - 1)
        scale[scale == 0] = 1
        packed = (np.rint(blocks / scale[..., None]) + half).astype(np.uint8)
        if self.bits == 4:
            packed = packed[..., 0::2] | (packed[..., 1::2] << 4)
        return graph.node(
            "MatMulNBits",
            x,
            graph.weight(name, packed),
            graph.weight(f"{name}.scale", scale.astype(np.float32)),
            domain=MICROSOFT,
            K=columns,
            N=rows,
            bits=self.bits,
            block_size=self.block,
            accuracy_level=4,
        )


@dataclass(frozen=True)
class FloatDownLinear:
    """One way for all matrices but the feed-forward's last, which stays in float."""

    other: Linear

    def multiply(self, graph: Graph, x: str, name: str, weight: Matrix) -> str:
        """Multiply rows by a matrix."""
        chosen = FloatLinear() if name.endswith("w2") else self.other
        return chosen.multiply(graph, x, name, weight)


SHIPPED = "int8, a scale a row (shipped)"
WAYS: dict[str, Precision] = {
    "float32": Precision(FloatLinear()),
    SHIPPED: Precision(RowInt8Linear(), int8_embeddings=True),
    "int8, a scale a row, weights of 8 bits unsigned": Precision(
        UnsignedInt8Linear(), int8_embeddings=True
    ),
    "int8, a scale a batch": Precision(BatchInt8Linear(), int8_embeddings=True),
    "int8, a scale a row, last matrix of each layer float": Precision(
        FloatDownLinear(RowInt8Linear()), int8_embeddings=True
    ),
    "8 bits in blocks of 32": Precision(BlockLinear(8, 32), int8_embeddings=True),
    "8 bits in blocks of 128": Precision(BlockLinear(8, 128), int8_embeddings=True),
    "4 bits in blocks of 32": Precision(BlockLinear(4, 32), int8_embeddings=True),
}


def write(checkpoint: Checkpoint, precision: Precision, folder: Path) -> Path:
    """Write one graph; it stays there for the next run."""
    folder.mkdir(parents=True, exist_ok=True)
    with Graph(folder / DATA_FILE) as graph:
        Lfm2Graph(graph, checkpoint, precision).build(lambda finished: None)
        shape = ("batch", "length")
        graph.save(
            folder / GRAPH_FILE,
            inputs=[(INPUT_IDS, "int64", shape), (ATTENTION_MASK, "bool", shape)],
            output=(VECTORS, "float32", (*shape, checkpoint.dim)),
        )
    return folder / GRAPH_FILE


def encode(graph: Path, checkpoint: Checkpoint, texts: Sequence[str]) -> list[TokenVectors]:
    """Encode texts with a graph of one's own."""
    encoder = OnnxEncoder(checkpoint, dtype="float32", threads=2)
    encoder._session = open_session(graph, 2)
    return encoder.encode_document(texts)


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
    collection = Collection(data / "xquad", 1)
    return [row[lang] for lang in TRAINED for row in collection.passages[::8]]


def speeds(graphs: dict[str, Path], vocabulary: int) -> dict[str, dict[str, float]]:
    """Time all graphs in turn; positions a second, medians over the rounds."""
    ids = np.random.default_rng(0).integers(10, vocabulary, (1, max(LENGTHS)))
    inputs = {
        size: {INPUT_IDS: ids[:, :size], ATTENTION_MASK: np.ones((1, size), dtype=bool)}
        for size in LENGTHS
    }
    sessions = {name: open_session(path, 2) for name, path in graphs.items()}
    times: dict[tuple[str, int], list[float]] = {}
    for turn in range(ROUNDS + 1):
        for name, session in sessions.items():
            for size in LENGTHS:
                started = time.perf_counter()
                session.run(None, inputs[size])
                if turn:  # the first is for warming up
                    times.setdefault((name, size), []).append(time.perf_counter() - started)
    return {
        name: {str(size): round(size / statistics.median(times[name, size])) for size in LENGTHS}
        for name in graphs
    }


def quality(data: Path, console: Console) -> dict[str, Any]:
    """Measure nDCG@10 of the bundled model in float32 and as shipped, for every language pair."""
    pairs = [(query, passage) for passage in TRAINED for query in TRAINED]
    collection = Collection(data / "xquad", 0)
    exact, rounded = (
        evaluate(load_encoder("nano", dtype=dtype), collection, pairs, console)
        for dtype in ("float32", "int8")
    )
    return {
        pair: {
            "float32": exact[pair]["ndcg@10"],
            "int8": rounded[pair]["ndcg@10"],
            "difference": round(rounded[pair]["ndcg@10"] - exact[pair]["ndcg@10"], 4),
        }
        for pair in exact
    }


def show(report: dict[str, Any], console: Console) -> None:
    """Print the report as tables."""
    table = Table("matrices", "mean cosine", "worst percent", *(f"{n} rows, /s" for n in LENGTHS))
    for name, entry in report["ways"].items():
        rates = (f"{rate:,}" for rate in entry["positions a second"].values())
        near = entry["cosine to float32"]
        table.add_row(name, f"{near['mean']:.5f}", f"{near['worst percent']:.5f}", *rates)
    console.print(table)
    worst = max(report["nDCG@10"].values(), key=lambda entry: abs(entry["difference"]))
    console.print(f"largest change of nDCG@10 over the language pairs: {worst['difference']:+.4f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--scratch", type=Path, required=True, help="for graphs and weights")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    console = Console()
    nano, texts = Checkpoint.read(NANO_FOLDER), real_texts(args.data)
    shape = Shape(layers=("conv", "conv", "full_attention", "conv"))
    wide = Checkpoint.read(write_checkpoints(args.scratch / "wide", shape, None)["pylate"])
    exact: list[TokenVectors] = []
    ways: dict[str, dict[str, Any]] = {}
    graphs: dict[str, Path] = {}
    for number, (name, precision) in enumerate(WAYS.items()):
        console.print(f"writing {name}")
        found = encode(write(nano, precision, args.scratch / f"nano-{number}"), nano, texts)
        exact = exact or found
        ways[name] = {"cosine to float32": cosines(found, exact)}
        graphs[name] = write(wide, precision, args.scratch / f"wide-{number}")
    for name, rates in speeds(graphs, wide.backbone.vocab_size).items():
        ways[name]["positions a second"] = rates
    report = {"machine": describe(), "ways": ways, "nDCG@10": quality(args.data, console)}
    args.out.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    show(report, console)


if __name__ == "__main__":
    main()
