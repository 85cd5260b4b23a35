"""Plays crafted backups: their checksums agree, and what they say is not so."""

from __future__ import annotations

import math
import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import Retriever, errors

from . import answers
from .crafts import Craft, crafts
from .folders import Place, difference, fingerprint, holds_secret
from .kinds import KINDS, Kind
from .outcomes import NAMED, Failed, Outcome, Recorder
from .sealing import seal_files, seal_rows

_ABOUT_THE_BACKUP = (
    errors.IndexCorruptError,
    errors.IndexFormatError,
    errors.IndexNotFoundError,
    errors.IndexExistsError,
    errors.IndexMismatchError,
)


def names(number: int) -> list[str]:
    """Choose so many crafts, the same every time, from all groups alike."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for kind in KINDS.values():
        for group, of_group in crafts(kind).items():
            waiting[group] += [f"backup:{kind.name}:{name}:0" for name in of_group]
    chance = random.Random(2)
    for group in waiting.values():
        chance.shuffle(group)
    order = sorted(waiting)
    chance.shuffle(order)
    # As many of what is hostile by itself as of arrays and cells.
    order += ["schema", "folder"] * 6
    chosen: list[str] = []
    while len(chosen) < number and any(waiting.values()):
        chosen += [waiting[group].pop() for group in order if waiting[group]]
    return chosen[:number]


@cache
def _crafts(kind: str) -> dict[str, Craft]:
    return {name: craft for group in crafts(KINDS[kind]).values() for name, craft in group.items()}


def play(name: str, pristine: Callable[[str], Path], root: Path, recorder: Recorder) -> None:
    """Play one craft."""
    _, kind_name, craft, seed = name.split(":")
    kind, place = KINDS[kind_name], Place(root)
    place.prepare(pristine(kind_name))
    # Some arrays are too small for a craft, and some tables cannot hold it.
    with suppress(ValueError, IndexError, TypeError, sqlite3.IntegrityError):
        _crafts(kind_name)[craft](place.index, random.Random(name + seed), place.outside)
    for seal in (seal_files, seal_rows):
        with suppress(Exception):  # what was crafted may be beyond any checksum
            seal(place.index)
    before = fingerprint(place.outside)
    backup = fingerprint(place.index)
    with kind.policy():
        _Restoring(kind, place, recorder.judging(partial(_judge, craft))).play(backup)
    changed = difference(before, fingerprint(place.outside))
    if changed:
        recorder.fault("outside", "OUTSIDE", changed)
    if "link" in craft and (got := holds_secret(place.index, place.out)):
        recorder.fault("outside", "OUTSIDE", f"the secret got into {got.name}")


def _judge(craft: str, error: errors.LFM2ColBERTError) -> str | None:
    if any(name in craft for name in ("staging", "writer.")):  # whoever writes meets these
        return None if isinstance(error, errors.StoredIndexError) else "not about the index"
    known = (*_ABOUT_THE_BACKUP, errors.ConfigError)
    return None if isinstance(error, known) else "does not blame the backup"


class _Restoring:
    """Restores a backup, uses what came of it, and then uses the backup itself."""

    def __init__(self, kind: Kind, place: Place, recorder: Recorder) -> None:
        self._kind = kind
        self._place = place
        self._recorder = recorder

    def play(self, backup: dict[str, str]) -> None:
        place, attempt = self._place, self._recorder.attempt
        target = place.out / "restored"
        restored = attempt(
            "restore", lambda: Retriever.restore(place.index, target, model=self._kind.encoder())
        )
        if difference(backup, fingerprint(place.index)):
            self._recorder.fault("restore", "OUTSIDE", "restore() changed the backup itself")
        if not isinstance(restored, Failed):
            self._recorder.right("restore")
            self._use(restored, "restored: ", sound=True)
        elif target.exists():
            self._recorder.fault("restore", "WRONG", f"it left {target.name} behind")
        opened = attempt("open", lambda: self._kind.open(place.index))
        if not isinstance(opened, Failed):
            self._use(opened, "opened: ", sound=False)

    def _use(self, retriever: Retriever, prefix: str, *, sound: bool) -> None:
        """Do everything; where restore() found the index sound, it must be so."""
        steps: dict[str, Callable[[], Any]] = {
            "len": lambda: len(retriever),
            "passages": lambda: [one.id for one in retriever.passages()],
            "get": lambda: len(retriever.get(["a0", "a1"])),
            "stats": lambda: answers.stats(retriever),
            **{
                mode: (lambda mode=mode: answers.search(retriever, mode))
                for mode in answers.modes(self._kind)
            },
            "where": lambda: answers.search(retriever, "late", where=answers.WHERE),
            "verify": retriever.verify,
            "add": lambda: retriever.add(["zebra"], ids=["new"], metadata=[{"n": 1}]),
            "delete": lambda: retriever.delete(["a1", "a2"]),
            "optimize": lambda: retriever.optimize(forget_after=0).passages,
            "search at last": lambda: answers.search(retriever, "late"),
            "verify at last": retriever.verify,
        }
        with retriever:
            for step, function in steps.items():
                value = self._recorder.attempt(prefix + step, function)
                if isinstance(value, Failed):
                    # An index that keeps no terms, crafted to be so, may say so.
                    named = isinstance(value.error, errors.LFM2ColBERTError)
                    if sound and named and not isinstance(value.error, errors.ConfigError):
                        self._unsound(prefix + step, f"{value.error}")
                elif step == "verify" and value:
                    self._recorder.note(Outcome(prefix + step, NAMED, value[0]))
                    if sound:
                        self._unsound(prefix + step, value[0])
                elif (odd := senseless(value)) is not None:
                    self._recorder.fault(prefix + step, "WRONG", odd)

    def _unsound(self, step: str, what: str) -> None:
        text = f"restore() said that it is whole: {what}"
        self._recorder.fault(step, "WRONG", text, f"restore() accepts what {step} refuses")


def senseless(value: Any) -> str | None:
    """Say what no index, whatever it holds, may answer."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"an answer holds {value}"
    if isinstance(value, list | tuple):
        return next(filter(None, map(senseless, value)), None)
    return None
