"""Plays what no library would do, so that the harness shows that it sees it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lfm2_colbert_rag import Hit, Retriever, errors

from .folders import Place, difference, fingerprint, holds_secret
from .kinds import KINDS
from .life import Answers, Life
from .outcomes import Recorder


def _crash(root: Path, recorder: Recorder) -> None:
    recorder.attempt("step", lambda: os.kill(os.getpid(), signal.SIGSEGV))


def _hang(root: Path, recorder: Recorder) -> None:
    os.mkfifo(root / "fifo")
    recorder.attempt("step", (root / "fifo").read_bytes)


def _raw(root: Path, recorder: Recorder) -> None:
    recorder.attempt("step", lambda: json.loads("["))


def _flood(root: Path, recorder: Recorder) -> None:
    def fill() -> None:
        with Path("/dev/zero").open("rb") as zeros, (root / "file").open("wb") as file:
            while True:
                file.write(zeros.read(1 << 24))

    recorder.attempt("step", fill)


def _memory(root: Path, recorder: Recorder) -> None:
    recorder.attempt("step", lambda: bytearray(64 << 30))


def _misnamed(root: Path, recorder: Recorder) -> None:
    def blame() -> None:
        raise errors.InputError("it is your fault")

    recorder.judging(lambda error: "blames the caller").attempt("step", blame)


def _named(root: Path, recorder: Recorder) -> None:
    recorder.attempt("step", lambda: Retriever.open(root / "nothing"))


def _outside(root: Path, recorder: Recorder) -> None:
    place = Place(root)
    place.prepare_outside()
    before = fingerprint(place.outside)
    (place.outside / "folder" / "kept.txt").write_bytes(b"changed")
    (place.out / "copy").write_bytes((place.outside / "secret.txt").read_bytes())
    if difference(before, fingerprint(place.outside)) and holds_secret(place.out):
        recorder.fault("step", "OUTSIDE", "both")


PLAYED: dict[str, Callable[[Path, Recorder], None]] = {
    "CRASH": _crash,
    "HANG": _hang,
    "RAW": _raw,
    "FLOOD": _flood,
    "RAW, for want of memory": _memory,
    "MISNAMED": _misnamed,
    "NAMED": _named,
    "OUTSIDE": _outside,
}
# What the outcomes are when answers are changed behind the library's back.
SPOILT = ("RIGHT", "WRONG", "WRONG-BUT-VERIFY-NAMES-IT", "LAUNDERED")


def play(
    name: str, pristine: Callable[[str], Path], expected: Answers, root: Path, recorder: Recorder
) -> None:
    """Play one of those, or an index whose answers are changed behind the library's back."""
    what = name.split(":")[2]
    if what in PLAYED:
        PLAYED[what](root, recorder)
        return
    place = Place(root)
    place.prepare(pristine("exact"))
    with pytest.MonkeyPatch.context() as patched:
        if what != "RIGHT":
            patched.setattr(Retriever, "search", _altered(Retriever.search))
        if what in ("LAUNDERED", "WRONG-BUT-VERIFY-NAMES-IT"):
            patched.setattr(Retriever, "verify", _forgetful(what == "LAUNDERED"))
        Life(KINDS["exact"], place, recorder, expected).play()


def _altered(search: Callable[..., list[Hit]]) -> Callable[..., list[Hit]]:
    def altered(retriever: Retriever, *arguments: Any, **options: Any) -> list[Hit]:
        return [
            replace(hit, score=hit.score + 1e-3) for hit in search(retriever, *arguments, **options)
        ]

    return altered


def _forgetful(forgets: bool) -> Callable[[Retriever], list[str]]:
    """Return a verify() that finds a problem, and finds none any more if it forgets."""
    answered: list[None] = []

    def verify(retriever: Retriever) -> list[str]:
        answered.append(None)
        return [] if forgets and len(answered) > 1 else ["a problem"]

    return verify
