"""Passages in many languages, with questions whose answers are known.

The passages of question-answering collections come first, shuffled among an equal number of
others; what fills the rest are consecutive paragraphs of aligned documentation, in any of its
languages. A smaller corpus is the beginning of a larger one.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..harness.corpora import read_lines

XQUAD = ("en", "es", "de", "zh", "ar")
MONOLINGUAL = {"piaf_fr": "fr", "jsquad_ja": "ja", "arcd_ar": "ar", "cmrc2018_zh": "zh"}
QUESTIONS_A_SET = 50
# Characters that make a passage; scripts that write words with few characters get a third.
PASSAGE_CHARACTERS = 300
DENSE = {"zh", "ja", "ko"}
SEED = 20


@dataclass(frozen=True)
class Corpus:
    """Passages and questions.

    Attributes:
        passages: texts; their place is their id.
        questions: texts.
        relevant: places of the passages that answer each question.
    """

    passages: list[str]
    questions: list[str]
    relevant: list[list[int]]


def build_corpus(evaluation: Path, parallel: Iterable[Path], size: int) -> Corpus:
    """Make a corpus.

    Args:
        evaluation: folder of collections with ``corpus``, ``queries`` and ``qrels.jsonl``.
        parallel: files of aligned text, ``<source>.<language>.jsonl.gz``, or JSON lines with
            ``text``.
        size: passages wanted.
    """
    chance = random.Random(SEED)
    judged, questions, answers = _judged(evaluation, chance)
    others = list(_others(parallel, max(0, size - len(judged)), chance))
    mixed = [(key, text) for key, text in judged.items()]
    mixed += [("", text) for text in others[: len(judged)]]
    chance.shuffle(mixed)
    mixed += [("", text) for text in others[len(judged) :]]
    place = {key: number for number, (key, _) in enumerate(mixed[:size]) if key}
    kept = [
        (question, sorted(place[key] for key in keys if key in place))
        for question, keys in zip(questions, answers, strict=True)
    ]
    kept = [pair for pair in kept if pair[1]]
    return Corpus([text for _, text in mixed[:size]], *map(list, zip(*kept, strict=True)))


def tiny_corpus(size: int = 200) -> Corpus:
    """Make passages without sense, some of which are asked for by half of their words."""
    chance = random.Random(SEED)
    texts = [" ".join(f"word{chance.randrange(500)}" for _ in range(20)) for _ in range(size)]
    asked = range(0, size, 10)
    return Corpus(texts, [texts[place][:60] for place in asked], [[place] for place in asked])


def questions_about(
    evaluation: Path, passages: Sequence[str], most: int
) -> list[tuple[str, list[int]]]:
    """Return judged questions, each with the places of the passages that answer it.

    Args:
        evaluation: the folder that the passages came from, see :func:`build_corpus`.
        passages: some of a corpus.
        most: questions of a set at most.
    """
    texts, questions, answers = _judged(evaluation, random.Random(SEED), most)
    place = {text: number for number, text in enumerate(passages)}
    found = {key: place[text] for key, text in texts.items() if text in place}
    about: dict[str, set[int]] = {}
    for question, keys in zip(questions, answers, strict=True):
        about.setdefault(question, set()).update(found[key] for key in keys if key in found)
    return [(question, sorted(places)) for question, places in about.items() if places]


def _judged(
    evaluation: Path, chance: random.Random, most: int = QUESTIONS_A_SET
) -> tuple[dict[str, str], list[str], list[list[str]]]:
    """Passages by key, questions, and the keys that answer each."""
    passages: dict[str, str] = {}
    questions: list[str] = []
    answers: list[list[str]] = []
    for name, languages in {"xquad": XQUAD, **{k: (v,) for k, v in MONOLINGUAL.items()}}.items():
        folder = evaluation / name
        for row in read_lines(folder / "corpus.jsonl"):
            for language in languages:
                text = row.get(language) or row.get("text")
                passages[f"{name}/{row['id']}/{language}"] = text.replace(" [SEP] ", "\n")
        relevant: dict[str, list[str]] = {}
        for row in read_lines(folder / "qrels.jsonl"):
            relevant.setdefault(row["query"], []).append(row["doc"])
        rows = [row for row in read_lines(folder / "queries.jsonl") if row["id"] in relevant]
        for row in chance.sample(rows, min(most, len(rows))):
            language = chance.choice(languages)
            questions.append(row.get(language) or row.get("text"))
            keys = [f"{name}/{doc}/{each}" for doc in relevant[row["id"]] for each in languages]
            answers.append(keys)
    return passages, questions, answers


def _others(paths: Iterable[Path], size: int, chance: random.Random) -> Iterator[str]:
    """Consecutive paragraphs put together to passages, each once, shuffled over all sources."""
    found: dict[str, None] = {}
    for path in sorted(paths):
        for text in _joined(path):
            found.setdefault(text)
    texts = list(found)
    chance.shuffle(texts)
    return iter(texts[:size])


def _joined(path: Path) -> Iterator[str]:
    language = path.name.split(".")[1].split("-")[0]
    for field in ("en", language, "text"):
        room = PASSAGE_CHARACTERS // (3 if field in DENSE else 1)
        part: list[str] = []
        source = None
        for row in read_lines(path):
            if not row.get(field):
                continue
            here = row.get("page") or row.get("pkg")
            if part and (sum(map(len, part)) >= room or here != source):
                yield "\n".join(part)
                part = []
            source = here
            part.append(row[field])
        if part:
            yield "\n".join(part)
