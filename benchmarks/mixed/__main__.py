"""Measure a model on corpora of many languages at once; what is there already is skipped.

::

    python -m benchmarks.mixed --data DIR --parallel DIR              # 6,000 passages, three seeds
    python -m benchmarks.mixed --data DIR --parallel DIR --passages 20000 --seeds 1

``DIR`` holds the evaluation sets, a folder each, and the parallel texts, a file a source and
language. Results go to ``benchmarks/results/mixed.json`` after every corpus.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag.encoder import load_encoder

from ..harness import Clock, Results, command, say
from ..remembering import Remembering
from .corpus import ENGLISH, SPREAD, mix
from .measured import measure
from .texts import Mixture

QUESTIONS = (100, 60)  # of XQuAD in each language, and of each other set


def index(folder: Path, mixture: Mixture, encoder: Any) -> Retriever:
    """Index a corpus, exact, so that nothing but the vectors decides."""
    retriever = Retriever.open(folder, model=encoder, storage="exact")
    retriever.add_stream(
        (Passage(one.id, one.text, {"language": one.language}) for one in mixture.passages),
        progress=False,
    )
    return retriever


def main() -> None:
    """Run the benchmark."""
    parser = command(__doc__, "mixed", "data", model="nano", passages=6000, again=False)
    parser.add_argument("--parallel", required=True, type=Path, help="folder of parallel texts")
    parser.add_argument("--seeds", type=int, default=3, help="how many corpora are drawn")
    args = parser.parse_args()
    encoder = Remembering(load_encoder(args.model))
    results = Results(args.out, model=args.model)
    for seed in range(1, args.seeds + 1):
        for kind in (ENGLISH, SPREAD):
            case = f"{args.model}, {kind}, {args.passages} passages, seed {seed}"
            if case in results.cases and not args.again:
                continue
            clock = Clock()
            with clock, tempfile.TemporaryDirectory() as scratch:
                mixture = mix(args.data, args.parallel, kind, args.passages, seed, QUESTIONS)
                with index(Path(scratch) / "mixed.index", mixture, encoder) as retriever:
                    told = retriever.stats().languages
                    entry = {
                        "passages": len(mixture.passages),
                        "questions": len(mixture.questions),
                        "languages": told,
                        "ways": measure(retriever, mixture, kind),
                    }
            results.put(case, entry | {"seconds": round(clock.seconds, 1)})
            for way, found in entry["ways"].items():
                shown = "  ".join(f"{name} {value:.3f}" for name, value in found["nDCG@10"].items())
                say(f"{case}, {way}: {shown}")


if __name__ == "__main__":
    main()
