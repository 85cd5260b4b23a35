"""Corpora of many languages at once, in which each judged passage is in one language only.

Judged: XQuAD (its 240 passages in English, or each in a language of its own), PIAF, JSQuAD, ARCD
and CMRC. Around them lie paragraphs of manuals in ten languages and runs of everyday sentences,
drawn at random, neither of which answers any of the questions.
"""

from __future__ import annotations

import random
from pathlib import Path

from ..harness.corpora import read_lines
from ..quality.sets import LINE_BREAK
from .surroundings import surroundings
from .texts import Asked, Mixture, Text

ENGLISH, SPREAD = "towards English", "spread over languages"
XQUAD = ("en", "es", "de", "zh", "ar", "el", "hi", "ro", "ru", "th", "tr", "vi")
ASKED_OF_ENGLISH = ("en", "es", "de", "zh", "ar")
WITHIN = {"piaf_fr": "fr", "jsquad_ja": "ja", "arcd_ar": "ar", "cmrc2018_zh": "zh"}


def mix(
    data: Path, parallel: Path, kind: str, size: int, seed: int, questions: tuple[int, int]
) -> Mixture:
    """Draw a corpus.

    Args:
        data: the folder of evaluation sets.
        parallel: the folder of parallel texts.
        kind: :data:`ENGLISH` or :data:`SPREAD`.
        size: how many passages.
        seed: of all that is drawn.
        questions: how many of XQuAD in each language, and of each other set.
    """
    draw = random.Random(seed)
    judged, asked = _xquad(data / "xquad", kind, questions[0], draw)
    rest: list[Text] = []
    for name, language in WITHIN.items():
        passages, of_set = _within(data / name, language, questions[1], draw)
        wanted = {id for one in of_set for id in one.answers}
        judged += [one for one in passages if one.id in wanted]
        rest += [one for one in passages if one.id not in wanted]
        asked += of_set
    surrounding = list(surroundings(parallel, draw))
    draw.shuffle(surrounding)
    whole = rest + surrounding[: 20_000 - len(judged) - len(rest)]
    draw.shuffle(whole)
    chosen = judged + whole[: size - len(judged)]
    draw.shuffle(chosen)
    return Mixture(tuple(chosen), tuple(asked))


def _xquad(
    folder: Path, kind: str, count: int, draw: random.Random
) -> tuple[list[Text], list[Asked]]:
    """Each passage in one language; each question in those that ``kind`` asks in."""
    rows = list(read_lines(folder / "corpus.jsonl"))
    language = {row["id"]: "en" if kind == ENGLISH else draw.choice(XQUAD) for row in rows}
    passages = [
        Text(f"xquad/{row['id']}", row[language[row["id"]]], language[row["id"]], "xquad")
        for row in rows
    ]
    answers = {row["query"]: row["doc"] for row in read_lines(folder / "qrels.jsonl")}
    found = draw.sample(list(read_lines(folder / "queries.jsonl")), count)
    asked = []
    for row in found:
        passage = answers[row["id"]]
        own = language[passage]
        languages = ASKED_OF_ENGLISH if kind == ENGLISH else _askers(own, draw)
        asked += [
            Asked(f"{row['id']}/{one}", row[one], one, own, frozenset([f"xquad/{passage}"]))
            for one in languages
        ]
    return passages, asked


def _askers(own: str, draw: random.Random) -> list[str]:
    """English, the passage's own language, and three others."""
    others = [one for one in XQUAD if one not in (own, "en")]
    return list(dict.fromkeys(["en", own, *draw.sample(others, 3)]))


def _within(
    folder: Path, language: str, count: int, draw: random.Random
) -> tuple[list[Text], list[Asked]]:
    name = folder.name
    passages = [
        Text(f"{name}/{row['id']}", row["text"].replace(LINE_BREAK, "\n"), language, name)
        for row in read_lines(folder / "corpus.jsonl")
    ]
    answers: dict[str, set[str]] = {}
    for row in read_lines(folder / "qrels.jsonl"):
        if row["score"] > 0:
            answers.setdefault(row["query"], set()).add(f"{name}/{row['doc']}")
    found = [row for row in read_lines(folder / "queries.jsonl") if row["id"] in answers]
    asked = [
        Asked(f"{name}/{row['id']}", row["text"], language, language, frozenset(answers[row["id"]]))
        for row in draw.sample(found, count)
    ]
    return passages, asked
