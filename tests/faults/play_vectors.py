"""Plays odd vectors: on each side, in every mode."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lfm2_colbert_rag import Retriever, maxsim, maxsim_pairwise

from . import answers
from .folders import Place
from .kinds import KINDS, QUESTIONS, Kind
from .odd_vectors import ODDITIES, RESULTS, SAME_RESULTS, OddEncoder
from .outcomes import Failed, Recorder
from .play_backups import senseless

SIDES = ("query", "document", "add_vectors", "maxsim")
USED = ("exact", "compressed-4", "compressed-2", "pooled-4")
TEXTS = ["zebra quagga okapi", "quagga 会議室 w1"]


def names(number: int) -> list[str]:
    """Choose so many cases, the same every time; all that may kill come first."""
    everything = [
        f"vectors:{kind}:{side} {oddity}:0"
        for kind in USED
        for side in SIDES
        for oddity in (*ODDITIES, *(RESULTS if side in ("query", "document") else ()))
        if side != "maxsim" or kind == USED[0]
    ]
    random.Random(3).shuffle(everything)
    grave = [
        f"vectors:{kind}:query {oddity}:0" for kind in USED[:3] for oddity in ("nan", "inf", "3e38")
    ]
    # Ten thousand rows take seconds in each mode: they come last, for who has the time.
    everything.sort(key=lambda name: " many:" in name)
    return list(dict.fromkeys([*grave, *everything]))[:number]


@dataclass
class _Case:
    kind: Kind
    side: str
    oddity: str
    place: Place
    recorder: Recorder

    @property
    def refused(self) -> bool:
        if self.oddity in RESULTS:
            return self.oddity not in SAME_RESULTS
        # Vectors that were made elsewhere come as bare matrices: for them that is not odd.
        bare = self.side == "add_vectors" and self.oddity == "not encoded"
        return ODDITIES[self.oddity].refused and not bare

    @property
    def harmless(self) -> bool:
        if self.oddity in RESULTS:
            return self.oddity in SAME_RESULTS
        return ODDITIES[self.oddity].harmless


def play(name: str, pristine: Callable[[str], Path], root: Path, recorder: Recorder) -> None:
    """Play one case."""
    _, kind_name, what, _ = name.split(":")
    side, _, oddity = what.partition(" ")
    kind = KINDS[kind_name]
    case = _Case(kind, side, oddity, Place(root), recorder)
    case.place.prepare(pristine(kind_name))
    encoder = OddEncoder(side, oddity, kind.length)
    with kind.policy(), Retriever.open(case.place.index, model=encoder) as retriever:
        if side == "maxsim":
            _maxsim(case, encoder)
        elif side == "query":
            _query(case, retriever, encoder)
        else:
            _document(case, retriever, encoder)


def _query(case: _Case, retriever: Retriever, encoder: OddEncoder) -> None:
    steps: dict[str, Callable[[], Any]] = {
        # Words are found without vectors; what answered them is not.
        mode: (lambda mode=mode: answers.search(retriever, mode, evidence=mode != "lexical"))
        for mode in answers.modes(case.kind)
    }
    steps["where"] = lambda: answers.search(retriever, "late", where=answers.WHERE)
    steps["diverse"] = lambda: _hits(retriever.search(QUESTIONS[0], k=5, diversity=0.5))
    steps["rerank"] = lambda: _hits(retriever.rerank(QUESTIONS[0], TEXTS))
    steps["explain"] = lambda: answers.explanation(retriever)
    steps["plan"] = lambda: bool(retriever.plan(QUESTIONS[0]))
    steps["measure_recall"] = lambda: retriever.measure_recall(QUESTIONS).recall
    sound = {step: function() for step, function in steps.items()}
    encoder.odd = True
    for step, function in steps.items():
        needs_no_model = step == "lexical"
        _judge(case, step, case.recorder.attempt(step, function), sound[step], free=needs_no_model)
    _require_sound(case, retriever, encoder)


def _document(case: _Case, retriever: Retriever, encoder: OddEncoder) -> None:
    before = [answers.search(retriever, "late"), len(retriever)]
    encoder.odd = True

    def add() -> Any:
        if case.side == "document":
            return retriever.add(TEXTS, ids=["new1", "new2"])
        vectors = [one.vectors for one in _odd(case, encoder)]
        return retriever.add_vectors(vectors, TEXTS, ids=["new1", "new2"])

    added = case.recorder.attempt("add", add)
    encoder.odd = False
    if isinstance(added, Failed):
        now = case.recorder.attempt(
            "search", lambda: [answers.search(retriever, "late"), len(retriever)]
        )
        if not isinstance(now, Failed) and (text := answers.differ(now, before)):
            case.recorder.fault("add", "WRONG", f"it raised, but changed the index: {text}")
    else:
        _judge(case, "add", added, ["new1", "new2"])
        case.recorder.attempt("optimize", retriever.optimize)
    case.recorder.attempt("rerank", lambda: _hits(retriever.rerank(QUESTIONS[0], TEXTS)))
    _require_sound(case, retriever, encoder)


def _maxsim(case: _Case, encoder: OddEncoder) -> None:
    sound = [one.vectors for one in encoder.encode_document(TEXTS)]
    odd = [one.vectors for one in _odd(case, encoder)]
    for step, score in {"maxsim": maxsim, "maxsim_pairwise": maxsim_pairwise}.items():
        for where, (queries, documents) in {"queries": (odd, sound), "texts": (sound, odd)}.items():
            value = case.recorder.attempt(
                f"{step}, odd {where}",
                lambda score=score, queries=queries, documents=documents: np.nan_to_num(
                    score(queries, documents), neginf=-1
                ).tolist(),
            )
            # NaN in, NaN out is for whoever computes; what cannot be computed must be named.
            if not isinstance(value, Failed) and case.harmless:
                expected = score(sound, sound).tolist()
                _judge(case, step, value, expected)


def _odd(case: _Case, encoder: OddEncoder) -> list[Any]:
    change = ODDITIES[case.oddity].change
    odd = [change(one) for one in OddEncoder("", "", case.kind.length).encode_document(TEXTS)]
    return [one for one in odd if hasattr(one, "vectors")] or [_Bare(one) for one in odd]


@dataclass
class _Bare:
    vectors: Any


def _judge(case: _Case, step: str, value: Any, sound: Any, *, free: bool = False) -> None:
    """Say whether an answer may be; one that raised was written down already."""
    if isinstance(value, Failed):
        if free:
            case.recorder.fault(step, "MISNAMED", f"needs no vectors, but: {value.error}")
    elif case.refused and not free:
        case.recorder.fault(step, "WRONG", "accepted", f"accepts {case.oddity!r} in {case.side}")
    elif odd := senseless(value):
        case.recorder.fault(step, "WRONG", odd, f"answers for {case.oddity!r} in {case.side}")
    elif (case.harmless or free) and (text := answers.differ(value, sound)):
        case.recorder.fault(step, "WRONG", text, f"another answer for {case.oddity!r}")
    else:
        case.recorder.right(step)


def _require_sound(case: _Case, retriever: Retriever, encoder: OddEncoder) -> None:
    """Look whether the index is whole, and answers sound queries with sense."""
    encoder.odd = False
    found = case.recorder.attempt("search at last", lambda: answers.search(retriever, "late"))
    if not isinstance(found, Failed) and (odd := senseless(found)):
        case.recorder.fault("search at last", "WRONG", odd)
    problems = case.recorder.attempt("verify at last", retriever.verify)
    if not isinstance(problems, Failed) and problems:
        case.recorder.fault("verify at last", "WRONG", f"the index is damaged: {problems[0]}")


def _hits(hits: list[Any]) -> list[Any]:
    return [answers.hit_value(hit, evidence=True) for hit in hits]
