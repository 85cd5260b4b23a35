"""One trial: divide by passage, train on one half, and see what became of the other."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lfm2_colbert_rag.evaluation import Dataset
from lfm2_colbert_rag.evaluation.statistics import randomization_p
from lfm2_colbert_rag.training.labels import Labelled, judged_by_id
from lfm2_colbert_rag.training.mining import Mining, mine_negatives
from lfm2_colbert_rag.training.pseudo import body_of, own_questions
from lfm2_colbert_rag.training.settings import TrainingSettings
from lfm2_colbert_rag.training.splits import split
from lfm2_colbert_rag.training.train import train

from .indexes import MODES, Indexed

HALVES = {"train": 0.5, "dev": 0.0, "test": 0.5}

Figures = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """What is trained, on what.

    Attributes:
        source: ``"labels"``, or ``"titles"`` of the passages themselves.
        settings: of the training.
        mining: where the negatives come from.
    """

    source: str
    settings: TrainingSettings
    mining: Mining


class Bench:
    """Where trials of one set are made.

    Args:
        own: its passages.
        questions: its judged questions.
        other: passages of other matters.
        forgetting: questions about these.
        scratch: where models are made.
    """

    def __init__(
        self,
        own: Indexed,
        questions: Sequence[Labelled],
        other: Indexed,
        forgetting: Sequence[Dataset],
        scratch: Path,
    ) -> None:
        self._own, self._questions = own, questions
        self._other, self._forgetting = other, forgetting
        self._scratch = scratch

    def run(self, trial: Trial, seed: int) -> Figures:
        """Return the figures of a trial."""
        sides = split(self._questions, seed, shares=HALVES)
        tested, learned = (
            [self._questions[place] for place in sides.sides[side]] for side in ("test", "train")
        )
        began, busy = time.monotonic(), time.process_time()
        with tempfile.TemporaryDirectory(dir=self._scratch) as scratch:
            into = Path(scratch) / "model"
            trained = self._train(trial, learned, into, seed)
            figures = {
                "split": sides.by, "tested": len(tested), "training": trained,
                "mining_and_training_cpu_seconds": round(time.process_time() - busy, 1),
                "mining_and_training_seconds": round(time.monotonic() - began, 1),
            }  # fmt: skip
            dataset = [_dataset(tested)]
            before = self._own.before(dataset, f"half {seed}")
            after = self._own.after(dataset, into)
            names = sorted(before["late"])
            figures |= {mode: change(before[mode], after[mode], names) for mode in MODES}
            seen = {id for one in learned for id in one.positives}
            unseen = [
                n for n, one in zip(names, tested, strict=True) if not seen & {*one.positives}
            ]
            figures["unseen"] = change(before["late"], after["late"], unseen)
            plain = self._other.before(self._forgetting, "all")["late"]
            left = self._other.after(self._forgetting, into)["late"]
            figures["forgetting"] = change(plain, left, sorted(plain))
        return figures

    def _train(self, trial: Trial, labels: Sequence[Labelled], into: Path, seed: int) -> Figures:
        with self._own.opened() as retriever:
            taken = trial.source == "titles"
            some = own_questions(retriever).questions if taken else labels
            texts = {one.id: body_of(one) if taken else one.text for one in self._own.passages}
            mined = mine_negatives(retriever, some, trial.mining, texts=texts if taken else None)
            settings = replace(trial.settings, seed=seed)
            examples = [one.example() for one in mined]
            return train(retriever.encoder, examples, texts, into, settings).to_dict()


def _dataset(questions: Sequence[Labelled]) -> Dataset:
    queries, qrels = judged_by_id(questions)
    return Dataset(None, queries, qrels)


def change(
    before: Mapping[str, float], after: Mapping[str, float], names: Sequence[str]
) -> Figures:
    """Return means before and after, and how likely chance alone gives such a difference."""
    if not names:
        return {"queries": 0}
    old, new = (np.array([of[name] for name in names]) for of in (before, after))
    return {
        "queries": len(names),
        "before": round(float(old.mean()), 4),
        "after": round(float(new.mean()), 4),
        "change": round(float((new - old).mean()), 4),
        "p": round(randomization_p(new - old), 5),
    }
