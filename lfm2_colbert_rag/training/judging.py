"""The gate: a model is tried on questions that it never saw, once, and adopted only if it helps."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._support.disk import write_whole
from .._support.system_errors import system_errors
from .candidates import Candidate, served
from .crossfit import ask_out_of_fold, settings_of
from .deciding import corrected, reasons_against
from .guard import guard_bundled, guard_own
from .identity import digest_of
from .measuring import ask_both, guard_figure
from .quoting import quoting
from .report import write_work_report
from .verdict import Membership, Verdict
from .work import VERDICT, as_json

if TYPE_CHECKING:
    from .._support.progress import ProgressLike
    from ..retriever import Retriever
    from .candidates import CandidateLike, Served
    from .labels import Labelled
    from .measuring import Measured
    from .verdict import Figure
    from .work import Work

__all__ = ["judge"]

TEST, SEEN, UNSEEN, DEV = "test", "test, seen passages", "test, unseen passages", "dev"
_TEST = "test questions"
_TRAINED = 200  # questions that trained and are asked again, evenly spaced


def judge(
    work: Work,
    retriever: Retriever,
    model: CandidateLike,
    *,
    report: bool = True,
    progress: ProgressLike = None,
) -> Verdict:
    """Say whether a model may take the place of the one that an index has.

    The questions that were kept for judging are asked of the index, as it is searched now and with
    the new model: late interaction must gain by more than chance (Fisher's randomisation test,
    corrected by Holm's method for all models that were judged in this work folder). Neither it nor
    hybrid search, where the index serves that, may lose; nor may the guards: texts in many
    languages that come with the library, and the folder that the work folder names. The index
    itself stays as it is.

    Args:
        work: the work folder; the verdict is kept in it, and in the model's folder, too.
        retriever: the index that it was made of.
        model: the folder or the file of a trained model or query adapter, or either itself.
        report: write a report with the questions that got better and worse into the work folder.
        progress: see ``Retriever.add``.

    Returns:
        The verdict; its reasons say why a model is not adopted.

    Raises:
        ConfigError: the work folder is of another index, or the query adapter of another model.
        ModelNotFoundError, ModelFormatError: there is no such model.
        InputError: the work folder is damaged.
        MissingExtraError: ir-measures is not installed.

    Example:
        >>> verdict = judge(work, retriever, "model.new")  # doctest: +SKIP
        >>> verdict.adopted, verdict.reasons  # doctest: +SKIP
        (True, ())
    """
    begun = time.monotonic()
    work.require(retriever)
    candidate = Candidate.of(model, retriever.encoder)
    sides = _Sides(*(tuple(work.questions(side, retriever)) for side in ("train", "dev", "test")))
    with served(candidate, retriever, sides.named(), progress=progress) as (before, after):
        trial = _Trial(work, sides, candidate, before, after, progress)
        verdict = trial.verdict(digest_of(retriever.encoder))
        if report and trial.test is not None:
            write_work_report(work, trial.test, before, after)
    facts = {**(verdict.facts or {}), "seconds": round(time.monotonic() - begun, 1)}
    verdict = replace(verdict, facts=facts, folder=candidate.folder)
    write_verdict(work, candidate.folder, verdict)
    return verdict


def write_verdict(work: Work, model: Path | None, verdict: Verdict) -> None:
    """Keep a verdict in the work folder, and in the folder of the model that was judged."""
    work.write(VERDICT, verdict.to_dict())
    if model is not None:
        with system_errors(model):
            write_whole(model / VERDICT, as_json(verdict.to_dict()), private=True)


@dataclass(frozen=True)
class _Sides:
    """The questions of a work folder, as far as the index still has their passages."""

    train: tuple[Labelled, ...]
    dev: tuple[Labelled, ...]
    test: tuple[Labelled, ...]

    def named(self) -> list[str]:
        return [
            id for side in (self.test, self.dev, self.train) for one in side for id in one.grades
        ]

    def seen(self) -> tuple[list[int], list[int]]:
        """Return the places of the judging questions whose passages trained, and of the others."""
        trained = {id for one in self.train for id in one.positives}
        seen = [n for n, one in enumerate(self.test) if trained & set(one.positives)]
        return seen, sorted(set(range(len(self.test))) - set(seen))


class _Trial:
    """Everything that is asked for one verdict."""

    def __init__(
        self,
        work: Work,
        sides: _Sides,
        candidate: Candidate,
        before: Served,
        after: Served,
        progress: ProgressLike,
    ) -> None:
        self._work, self._sides, self._candidate = work, sides, candidate
        self._before, self._after = before, after
        self._seed = int(work.manifest.get("seed", 0))
        self._modes, self._progress = _modes(before.retriever), progress
        self._folds = work.folds(sides.train)
        self.test = self._out_of_fold() if self._folds else self._ask(sides.test, _TEST)

    def verdict(self, base: str) -> Verdict:
        """Put all figures together, and decide."""
        candidate = self._candidate
        tests, judged = self._tests(candidate.digest)
        bundled, drift = guard_bundled(self._before, self._after)
        guards = [guard_figure(one, self._seed) for one in (*bundled, *self._own_guard())]
        reasons = reasons_against(tests, guards, quoted=self._quoted())
        return Verdict(
            not reasons,
            reasons,
            (*tests, *self._parts(), *self._dev(), *guards),
            candidate.kind,
            candidate.digest,
            base,
            tuple(self._notes()),
            self._membership(),
            None if drift is None else (drift.questions, drift.passages),
            self._facts(judged),
        )

    def _ask(
        self, questions: Sequence[Labelled], name: str, modes: Sequence[str] | None = None
    ) -> Measured | None:
        if not questions:
            return None
        return ask_both(
            *(questions, self._before, self._after, modes or self._modes),
            name=name,
            seed=self._seed,
            progress=self._progress,
        )

    def _out_of_fold(self) -> Measured | None:
        """Ask all questions, each with an adapter that was learned without it."""
        settings = settings_of(self._work, self._candidate)
        if len(self._folds) < 2:
            return None
        train = self._sides.train
        texts = self._work.texts(self._before.retriever, [one.example() for one in train])
        return ask_out_of_fold(
            *(train, self._folds, self._before, texts, settings, self._modes),
            name=_TEST,
            progress=self._progress,
        )

    def _tests(self, model: str) -> tuple[list[Figure], int]:
        """Return the figures that decide, and how many models were judged so far."""
        if self.test is None:
            return [], 0
        late, *others = self.test.figures(TEST, seed=self._seed)
        judged = {**self._work.judged(), model: late.p}
        self._work.write_judged(judged)
        return [replace(late, corrected=corrected(judged, model)), *others], len(judged)

    def _parts(self) -> Iterator[Figure]:
        """Yield the figures of questions on passages that trained, and on others."""
        if self.test is not None and not self._folds:
            for name, places in zip((SEEN, UNSEEN), self._sides.seen(), strict=True):
                if places:
                    yield from self.test.figures(name, places, seed=self._seed)

    def _dev(self) -> Iterator[Figure]:
        found = self._ask(self._sides.dev, "development questions")
        if found is not None:
            yield from found.figures(DEV, seed=self._seed)

    def _own_guard(self) -> Iterator[Any]:
        folder = self._work.manifest.get("guard")
        if folder is not None:
            yield guard_own(Path(folder), self._before, self._after, progress=self._progress)

    def _membership(self) -> Membership | None:
        train = self._sides.train
        if self.test is None or not train:
            return None
        asked = self._ask(train[:: -(-len(train) // _TRAINED)], "training questions", ["late"])
        return None if asked is None else Membership(asked.first_right(), self.test.first_right())

    def _quoted(self) -> float:
        test = self._sides.train if self._folds else self._sides.test
        return len(quoting(self._before.retriever, test)) / len(test) if test else 0.0

    def _notes(self) -> Iterator[str]:
        split = self._work.split
        if split["by"] == "question":
            yield (
                f"{split['largest']:.0%} of the questions hang together by their passages, so that "
                "they were divided by question: the judging ones ask of passages that trained."
            )
        if self._folds:
            yield (
                f"All questions train and judge, in {len(self._folds)} parts: each part is asked "
                "with an adapter that was learned from the others."
            )
        searched = len(self._before.retriever)
        if searched < self._work_passages():
            yield f"Both models searched among {searched:,} of the index's passages."

    def _work_passages(self) -> int:
        return int(self._work.manifest.get("passages", 0))

    def _facts(self, judged: int) -> dict[str, Any]:
        manifest = self._work.manifest
        return {
            "passages": len(self._before.retriever),
            "questions": {
                side: len(getattr(self._sides, side)) for side in ("train", "dev", "test")
            },
            "models_judged": judged,
            "seed": self._seed,
            **{name: manifest.get(name) for name in ("source", "missing", "dropped", "quoted")},
        }


def _modes(retriever: Retriever) -> list[str]:
    return ["late", "hybrid"] if retriever.mode == "hybrid" else ["late"]
