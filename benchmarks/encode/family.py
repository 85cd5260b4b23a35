"""Models of the BERT family: questions and documents with and without torch, side by side.

::

    python -m benchmarks.encode.family --scratch DIR

Random weights in the shapes of late-interaction models that are much used (the first and the last
are those of answerai-colbert-small-v1 and GTE-ModernColBERT-v1), but with a vocabulary of bytes,
whose size takes no time. All engines are in one process and are asked in turns. Processor seconds
are kept beside the clock's: they say more where the machine was not quiet. Writes
``benchmarks/results/encode_family.json``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer

from lfm2_colbert_rag.encoder import Encoder, load_encoder
from lfm2_colbert_rag.encoder.transformers_config import TransformersConfig
from tests.encoder.layouts import MARKERS, write_head, write_json, write_tokenizer_config

from ..harness import Busy, Clock, Results, command, in_turn, say
from .checkpoints import BOS, EOS, LENGTHS, byte_tokenizer
from .texts import Texts, make_texts
from .weights import write_random

DIM = 128
_BERT = {"model_type": "bert", "max_position_embeddings": 514, "pad_token_id": 0}
_XLM_R = {"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 0}
SHAPES: dict[str, dict[str, Any]] = {
    "BERT, 12 layers of 384": _BERT
    | {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 12},
    "XLM-RoBERTa, 12 layers of 768": _XLM_R
    | {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12},
    "ModernBERT, 22 layers of 768": {
        "model_type": "modernbert", "hidden_size": 768, "intermediate_size": 1152,
        "num_hidden_layers": 22, "pad_token_id": 0,
    },
}  # fmt: skip
TINY = {"hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 2}
ENGINES = (("onnx", "int8"), ("onnx", "float32"), ("torch", "float32"))


def write_model(folder: Path, config: dict[str, Any]) -> Tokenizer:
    """Write a checkpoint of PyLate's layout with random weights; return its tokenizer."""
    from lfm2_colbert_rag.encoder.bert_config import BertConfig
    from lfm2_colbert_rag.encoder.onnx.bert_graph import bert_shapes
    from lfm2_colbert_rag.encoder.onnx.modernbert_graph import modernbert_shapes

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = byte_tokenizer()
    rows = tokenizer.get_vocab_size() + len(MARKERS)
    config = config | {"vocab_size": rows, "num_attention_heads": 12}
    write_json(folder / "config.json", config)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_tokenizer_config(folder, BOS, EOS)
    write_head(folder, "pylate", (config["hidden_size"], DIM), LENGTHS)
    shape = TransformersConfig.from_dict(folder, config).shape
    assert shape is not None
    shapes = bert_shapes(shape) if isinstance(shape, BertConfig) else modernbert_shapes(shape)
    write_random(folder / "model.safetensors", shapes, 0)
    head = {"linear.weight": (DIM, config["hidden_size"])}
    write_random(folder / "1_Dense" / "model.safetensors", head, 1)
    return tokenizer


def measure(encoders: dict[str, Encoder], texts: Texts, rounds: int) -> dict[str, Any]:
    """Ask all encoders in turns; return the medians of the rounds."""
    documents: dict[str, list[Clock]] = {name: [] for name in encoders}
    questions: dict[str, list[Clock]] = {name: [] for name in encoders}
    for turn, name in in_turn(list(encoders), rounds + 1):
        asked = texts.queries if turn else texts.warm_up  # the first round is for warming up
        clocks = [_timed(encoders[name].encode_query, [one]) for one in asked]
        read = _timed(encoders[name].encode_document, texts.documents)
        if turn:
            questions[name] += clocks
            documents[name].append(read)
    return {
        name: {
            "query_ms": _median([1e3 * one.seconds for one in questions[name]]),
            "query_cpu_ms": _median([1e3 * one.cpu_seconds for one in questions[name]]),
            "tokens_a_second": _median([texts.tokens / one.seconds for one in documents[name]]),
            "tokens_a_cpu_second": _median(
                [texts.tokens / one.cpu_seconds for one in documents[name]]
            ),
        }
        for name in encoders
    }


def _timed(encode: Any, texts: Sequence[str]) -> Clock:
    with Clock() as clock:
        encode(texts)
    return clock


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 1)


def main() -> None:
    """Measure, print, and write the results."""
    parser = command(
        __doc__, "encode_family", "scratch", threads=2, rounds=3, queries=8, tiny=False
    )
    parser.add_argument("--documents", type=int, default=8, help="number of documents")
    args = parser.parse_args()
    busy, begun = Busy.now(), time.process_time()
    results = Results(args.out, **{k: v for k, v in vars(args).items() if k not in _PATHS})
    table = Table("model", "engine", "question, ms", "of them CPU", "tokens/s", "per CPU second")
    for number, (label, config) in enumerate(SHAPES.items()):
        folder = args.scratch / f"family-{number}{'-tiny' if args.tiny else ''}"
        tokenizer = write_model(folder, config | TINY if args.tiny else config)
        with Clock() as clock:
            encoders = {
                f"{engine}, {dtype}": load_encoder(
                    folder, engine=engine, dtype=dtype, threads=args.threads, query_cache=0
                )
                for engine, dtype in ENGINES
            }
        say(f"{label}: loaded in {clock.seconds:.0f} s")
        texts = make_texts(
            lambda text, t=tokenizer: 1 + len(t.encode(text).ids), args.queries, 0, args.documents
        )
        for engine, figures in measure(encoders, texts, args.rounds).items():
            results.run["foreign_cores"] = busy.foreign(time.process_time() - begun)
            results.put(f"{label}: {engine}", figures)
            table.add_row(label, engine, *map(str, figures.values()))
    Console().print(table)


_PATHS = ("out", "scratch")


if __name__ == "__main__":
    main()
