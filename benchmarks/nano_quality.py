"""Measure the retrieval quality of a model folder, by default the bundled nano model.

Exhaustive MaxSim over XQuAD (any query language against any passage language) and four
monolingual question-answering collections::

    python benchmarks/nano_quality.py --data DIR

``DIR`` holds one folder a collection with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels.jsonl``.
Writes ``benchmarks/results/nano_quality.json`` and prints the table. ``--card`` measures nothing,
but writes what is there into the card of the model.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lfm2_colbert_rag.encoder import Encoder, load_encoder
from lfm2_colbert_rag.scoring import score_block
from lfm2_colbert_rag.types import TokenVectors

RESULT = Path(__file__).parent / "results" / "nano_quality.json"
CARD = Path(__file__).parents[1] / "lfm2_colbert_rag" / "models" / "nano" / "README.md"
TRAINED = ("en", "ar", "de", "es", "zh")
UNTRAINED = ("hi", "ro", "ru", "th", "tr", "vi")
MONOLINGUAL = {"piaf_fr": "fr", "jsquad_ja": "ja", "arcd_ar": "ar", "cmrc2018_zh": "zh"}
DEPTH = 10

Row = dict[str, Any]


def read_lines(path: Path) -> list[Row]:
    """Read a JSON-lines file."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


class Collection:
    """Passages, queries and the relevant passages of each query.

    Args:
        folder: holds ``corpus.jsonl``, ``queries.jsonl`` and ``qrels.jsonl``.
        most_queries: evenly spaced queries to use; all when 0.
    """

    def __init__(self, folder: Path, most_queries: int) -> None:
        self.name = folder.name
        self.passages = read_lines(folder / "corpus.jsonl")
        queries = read_lines(folder / "queries.jsonl")
        step = max(1, -(-len(queries) // most_queries)) if most_queries else 1
        self.queries = queries[::step]
        place = {row["id"]: number for number, row in enumerate(self.passages)}
        self.relevant: dict[str, set[int]] = {}
        for row in read_lines(folder / "qrels.jsonl"):
            if row.get("score", 1) > 0:
                self.relevant.setdefault(row["query"], set()).add(place[row["doc"]])

    def texts(self, rows: Sequence[Row], field: str) -> list[str]:
        """Return one field of passages or queries; a title joined by ``[SEP]`` gets its line."""
        return [row[field].replace(" [SEP] ", "\n") for row in rows]


class Passages:
    """Encoded passages, laid end to end."""

    def __init__(self, encoded: Sequence[TokenVectors]) -> None:
        self.vectors = np.concatenate([text.vectors for text in encoded])
        self.lengths = np.array([len(text) for text in encoded])

    def best(self, query: TokenVectors) -> list[int]:
        """Return the places of the best passages of a query, best first."""
        scores = score_block(query.vectors, self.vectors, self.lengths)
        return [int(place) for place in np.argsort(-scores, kind="stable")[:DEPTH]]


def measure(collection: Collection, runs: Sequence[Sequence[int]]) -> dict[str, float]:
    """Return the means of nDCG and recall over the queries."""
    gains = 1 / np.log2(np.arange(2, DEPTH + 2))
    ndcg, recall = [], []
    for query, run in zip(collection.queries, runs, strict=True):
        relevant = collection.relevant[query["id"]]
        hits = np.array([place in relevant for place in run], dtype=float)
        ndcg.append((hits * gains[: len(hits)]).sum() / gains[: len(relevant)].sum())
        recall.append(hits.sum() / min(len(relevant), DEPTH))
    return {
        "ndcg@10": round(float(np.mean(ndcg)), 4),
        "recall@10": round(float(np.mean(recall)), 4),
    }


def evaluate(
    encoder: Encoder, collection: Collection, pairs: Sequence[tuple[str, str]], console: Console
) -> dict[str, dict[str, float]]:
    """Measure (query field, passage field) pairs of a collection."""
    results: dict[str, dict[str, float]] = {}
    encoded: dict[str, Passages] = {}
    queries: dict[str, list[TokenVectors]] = {}
    for query_field, passage_field in pairs:
        if passage_field not in encoded:
            texts = collection.texts(collection.passages, passage_field)
            encoded[passage_field] = Passages(encoder.encode_document(texts))
        if query_field not in queries:
            texts = collection.texts(collection.queries, query_field)
            queries[query_field] = encoder.encode_query(texts)
        label = f"{query_field} → {passage_field}"
        runs = [
            encoded[passage_field].best(query)
            for query in track(
                queries[query_field], f"{collection.name} {label}", console=console, transient=True
            )
        ]
        results[label] = measure(collection, runs)
    return results


def show(report: Row, console: Console) -> None:
    """Print the report as a table."""
    table = Table("collection", "query → passages", "nDCG@10", "recall@10", title=report["model"])
    for name, entry in report["collections"].items():
        for label, values in entry["results"].items():
            table.add_row(name, label, f"{values['ndcg@10']:.3f}", f"{values['recall@10']:.3f}")
    console.print(table)


def card_tables(report: Row) -> dict[str, list[str]]:
    """Return the rows of the card's tables, by the name of their place."""
    xquad = report["collections"]["xquad"]["results"]
    across = [
        "| query language | English passages | passages in the same language |",
        "|---|---|---|",
    ]
    for language in (*TRAINED, *UNTRAINED):
        name = language if language in TRAINED else f"{language} (not trained)"
        pair = [_cell(xquad[f"{language} → {other}"]) for other in ("en", language)]
        across.append(f"| {name} | {pair[0]} | {pair[1]} |")
    alike = [
        "| collection | language | passages / queries | nDCG@10 / recall@10 |", "|---|---|---|---|"
    ]  # fmt: skip
    for name, language in MONOLINGUAL.items():
        one = report["collections"][name]
        size = f"{one['passages']:,} / {one['queries']:,}"
        alike.append(f"| {name} | {language} | {size} | {_cell(one['results']['text → text'])} |")
    return {"xquad": across, "mono": alike}


def _cell(values: dict[str, float]) -> str:
    return f"{values['ndcg@10']:.3f} / {values['recall@10']:.3f}"


def write_card(report: Row) -> None:
    """Write the report's tables between the marks of the card."""
    text = CARD.read_text(encoding="utf-8")
    for name, rows in card_tables(report).items():
        before, rest = text.split(f"<!-- {name} -->\n", 1)
        after = rest[rest.index("<!-- end -->") :]
        text = before + f"<!-- {name} -->\n" + "\n".join(rows) + "\n" + after
    CARD.write_text(text, encoding="utf-8")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of the collections")
    parser.add_argument("--model", default="nano", help="anything load_encoder takes")
    parser.add_argument(
        "--queries", type=int, default=1500,
        help="most queries of a collection; 0: all. XQuAD is always asked all of its own",
    )  # fmt: skip
    parser.add_argument("--only", nargs="*", help="names of the collections to measure")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--card", action="store_true", help="only write the card from the results")
    args = parser.parse_args()
    console = Console()
    if args.card:
        write_card(json.loads(args.out.read_text(encoding="utf-8")))
        return
    if args.data is None:
        parser.error("--data is wanted: the folder of the collections.")
    encoder = load_encoder(args.model)
    languages = (*TRAINED, *UNTRAINED)
    plan = {"xquad": [(lang, "en") for lang in languages]}
    plan["xquad"] += [(lang, lang) for lang in languages if lang != "en"]
    plan |= {name: [("text", "text")] for name in MONOLINGUAL}
    report: Row = {
        "model": args.model, "measured": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(), "machine": platform.machine(), "collections": {},
    }  # fmt: skip
    for name, pairs in plan.items():
        if args.only and name not in args.only:
            continue
        collection = Collection(args.data / name, 0 if name == "xquad" else args.queries)
        begun = time.monotonic()
        report["collections"][name] = {
            "passages": len(collection.passages),
            "queries": len(collection.queries),
            "results": evaluate(encoder, collection, pairs, console),
            "seconds": round(time.monotonic() - begun, 1),
        }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    show(report, console)


if __name__ == "__main__":
    main()
