"""The sets of the trials, of the size of a first try, and XQuAD as what may be forgotten."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from lfm2_colbert_rag import Passage
from lfm2_colbert_rag.evaluation import Dataset, load_dataset, load_family
from lfm2_colbert_rag.training.labels import Labelled

from ..quality.sets import FAMILY, LINE_BREAK, TRAINED

STEP = 10  # every tenth question of XQuAD


@dataclass(frozen=True)
class TrialSet:
    """A set of a trial.

    Attributes:
        passages: of its index, those that answer a question among them.
        questions: judged ones.
        titles: whether passages have titles, so that it can be tried without labels.
    """

    passages: int
    questions: int
    titles: bool


SETS = {
    "cranfield": TrialSet(829, 225, titles=True),
    "scifact": TrialSet(1200, 300, titles=True),
    "piaf_fr": TrialSet(900, 450, titles=False),
}


def read(name: str, data: Path) -> tuple[list[Passage], list[Labelled]]:
    """Return the passages and the questions of a set, the same at every call."""
    chosen, draw = SETS[name], random.Random(0)
    dataset = load_dataset(data / name, titles=chosen.titles, missing="drop")
    queries = sorted(dataset.judged())
    queries = sorted(draw.sample(queries, min(chosen.questions, len(queries))))
    grades = {
        query: {id: grade for id, grade in dataset.qrels[query].items() if grade > 0}
        for query in queries
    }
    questions = [Labelled(dataset.queries[query], grades[query]) for query in queries]
    wanted = {id for one in grades.values() for id in one}
    passages = list(dataset.corpus or ())
    others = [one for one in passages if one.id not in wanted]
    kept = draw.sample(others, max(0, min(len(others), chosen.passages - len(wanted))))
    ids = wanted | {one.id for one in kept}
    return [one for one in passages if one.id in ids], questions


def xquad(data: Path) -> list[Dataset]:
    """Return questions in five languages, of English passages."""
    family = load_family(data / FAMILY, line_break=LINE_BREAK)
    found = []
    for language in TRAINED:
        whole = family.dataset(language, "en")
        some = sorted(whole.judged())[::STEP]
        found.append(
            Dataset(
                whole.corpus,
                {one: whole.queries[one] for one in some},
                {one: whole.qrels[one] for one in some},
                name=f"{FAMILY} {language} → en",
            )
        )
    return found
