"""Three hundred real files, indexed in one run, and ten questions in other languages than theirs.

The files come from Debian's documentation and the Python packages installed here
(:mod:`.corpus`), some of them saved in the formats of Office by LibreOffice. Needs ``apt-get``,
``dpkg-deb`` and ``soffice``::

    python -m benchmarks.documents.real_files --scratch DIR [--model nano]

An answer is right if the best passage is of one of the files that tell it and holds the words that
do. All questions are in the table, whatever came of them. Writes
``benchmarks/results/real_files.json``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import Retriever

from ..harness import Results, command, say
from .corpus import collect

PLACES = ("page", "slide", "sheet", "row", "chapter", "section")


@dataclass(frozen=True)
class Question:
    """A question, in which files it is answered, and with which words."""

    language: str
    text: str
    files: str
    words: str


QUESTIONS = (
    Question("en", "Which university did the founder of Debian study at?", r"history/",
             r"Purdue|Prudue|퍼듀"),
    Question("es", "¿Quién dirigió el proyecto Debian después de Ian Murdock?", r"history/",
             r"Bruce Perens"),
    Question("en", "Which tool checks a package for common mistakes?", r"guide/.*pdf", r"lintian"),
    Question("en", "How is the name Debian pronounced?", r"faq/",
             r"[Dd]eb.{0,4}[- ]ee|deb'|[Aa]ussprach|ausgespr|uitgespr|prononc|произн|発音|pronun|발음"),  # noqa: E501
    Question("de", "Was stellt die Firma Falcot her?", r"handbook/.*case-study", r"Falcot"),
    Question("en", "What is the three-letter country code of Switzerland?", r"office/countries",
             r"\bCHE\b"),
    Question("fr", "Dans quelle section de l'archive sont les paquets qui ne respectent pas les "
             "principes du logiciel libre selon Debian ?", r"policy/", r"non-free"),
    Question("fr", "Comment partager des fichiers et des imprimantes avec des machines Windows ?",
             r"(office/|handbook/.*existing)", r"Samba"),
    Question("de", "In welchem Jahr wurde der Gesellschaftsvertrag von Debian verabschiedet?",
             r"history/", r"1997"),
    Question("es", "¿Puedo vender CD de Debian?", r"faq/.*redistributing", r"CD"),
)  # fmt: skip


def index(corpus: Path, folder: Path, model: str) -> dict[str, Any]:
    """Index a folder by one run of the command line; return what it said."""
    call = [sys.executable, "-m", "lfm2_colbert_rag.cli", "index", str(corpus)]
    began = time.monotonic()
    done = subprocess.run(
        [*call, "--into", str(folder), "--model", model, "--prune"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {
        "exit_code": done.returncode,
        "seconds": round(time.monotonic() - began),
        "said": done.stdout.replace(f"{corpus.parent}/", "").splitlines(),
        "notes": done.stderr.replace(f"{corpus.parent}/", "").splitlines(),
    }


def ask(retriever: Retriever, question: Question) -> dict[str, Any]:
    """Return the best answer to a question, where it stands, and on which rank the right one is."""
    hits = retriever.search(question.text, k=10)
    right = [
        bool(re.search(question.files, hit.metadata["source"]))
        and bool(re.search(question.words, hit.text))
        for hit in hits
    ]
    best = hits[0].metadata
    return {
        "question": question.text,
        "language": question.language,
        "source": best["source"],
        **{name: best[name] for name in PLACES if name in best},
        "relevance": round(hits[0].relevance, 2),
        "right": right[0],
        "rank": right.index(True) + 1 if True in right else None,
    }


def main() -> None:
    """Collect, index, ask, and write the results."""
    args = command(__doc__, "real_files", "scratch", model="nano").parse_args()
    corpus, folder = args.scratch / "corpus", args.scratch / "index"
    files = collect(args.scratch, corpus)
    kinds = Counter("".join(one.suffixes[-2:] if one.suffix == ".gz" else one.suffix)
                    for one in corpus.rglob("*") if one.is_file())  # fmt: skip
    say(f"{files} files of {len(kinds)} kinds")
    results = Results(args.out, model=args.model)
    results.put("corpus", {"files": files, "kinds": dict(kinds.most_common())})
    run = index(corpus, folder, args.model)
    results.put("index", run)
    say(run["exit_code"], *run["said"])
    with Retriever.open(folder) as retriever:
        for number, question in enumerate(QUESTIONS, 1):
            answer = ask(retriever, question)
            results.put(f"question {number}", answer)
            say(answer)


if __name__ == "__main__":
    main()
