"""Plays dumps and model folders that are not what they should be."""

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import Retriever, errors, load_encoder

from . import answers, odd_dumps, odd_models
from .folders import Place, difference, fingerprint
from .kinds import KINDS
from .outcomes import Failed, Recorder
from .play_backups import senseless

# What the changes themselves may stumble over: some files are too small for some of them.
_TOO_SMALL = (ValueError, IndexError, TypeError)


def dump_names(number: int) -> list[str]:
    """Choose so many changes of dumps, the same every time."""
    groups = {}
    for layout in odd_dumps.WRITERS:
        for group, of_group in odd_dumps.changes(layout).items():
            groups[group] = [f"dump:{layout}:{name}:0" for name in of_group]
    return _evenly(groups, number)


def model_names(number: int) -> list[str]:
    """Choose so many changes of model folders, the same every time."""
    groups = {
        group: [f"model:torch:{name}:0" for name in of_group]
        for group, of_group in odd_models.changes().items()
    }
    return _evenly(groups, number)


def _evenly(groups: dict[str, list[str]], number: int) -> list[str]:
    chance = random.Random(4)
    waiting = defaultdict(list, groups)
    for group in waiting.values():
        chance.shuffle(group)
    chosen: list[str] = []
    while len(chosen) < number and any(waiting.values()):
        chosen += [group.pop() for group in waiting.values() if group]
    return chosen[:number]


@cache
def _dump_changes(layout: str) -> dict[str, odd_dumps.Change]:
    return _joined(odd_dumps.changes(layout).values())


@cache
def _model_changes() -> dict[str, odd_models.Change]:
    return _joined(odd_models.changes().values())


def _joined(groups: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {name: change for group in groups for name, change in group.items()}


def warm(root: Path) -> None:
    """Load what dumps take."""
    root.mkdir()
    for layout, write in odd_dumps.WRITERS.items():
        (root / layout).mkdir()
        dump = write(root / layout)
        with suppress(errors.LFM2ColBERTError), Retriever.from_texts([], model="hash") as one:
            one.import_dump(dump, odd_dumps.passages(layout, dump))


def play_dump(name: str, pristine: Callable[[str], Path], root: Path, recorder: Recorder) -> None:
    """Change a dump and import it."""
    _, layout, change, _ = name.split(":")
    place, kind = Place(root), KINDS["exact"]
    place.prepare(pristine("exact"))
    (root / "from").mkdir()
    dump = odd_dumps.WRITERS[layout](root / "from")
    passages = odd_dumps.passages(layout, dump)
    with suppress(*_TOO_SMALL):
        _dump_changes(layout)[change](dump, random.Random(name), place.outside)
    before = fingerprint(place.outside)
    recorder = recorder.judging(_judge_dump)
    with kind.policy(), kind.open(place.index) as retriever:
        state = _state(retriever)
        added = recorder.attempt("import", lambda: retriever.import_dump(dump, passages))
        if isinstance(added, Failed):
            if text := answers.differ(_state(retriever), state):
                recorder.fault("import", "WRONG", f"it raised, but changed the index: {text}")
        elif reason := odd_dumps.must_refuse(layout, change):
            outcome = "OUTSIDE" if "link" in change else "WRONG"
            recorder.fault("import", outcome, f"accepted {reason}", f"import accepts {reason}")
        else:
            recorder.right("import")
        _require_sound(retriever, recorder)
    if text := difference(before, fingerprint(place.outside)):
        recorder.fault("outside", "OUTSIDE", text)


def _judge_dump(error: errors.LFM2ColBERTError) -> str | None:
    known = (errors.InputError, errors.AccessDeniedError)
    return None if isinstance(error, known) else "does not blame the dump"


def _state(retriever: Retriever) -> list[Any]:
    return [len(retriever), retriever.stats().generation, answers.search(retriever, "late")]


def _require_sound(retriever: Retriever, recorder: Recorder) -> None:
    found = recorder.attempt("search", lambda: answers.search(retriever, "late"))
    if not isinstance(found, Failed) and (odd := senseless(found)):
        recorder.fault("search", "WRONG", odd)
    problems = recorder.attempt("verify", retriever.verify)
    if not isinstance(problems, Failed) and problems:
        recorder.fault("verify", "WRONG", f"the import damaged the index: {problems[0]}")
    recorder.attempt("optimize", retriever.optimize)


class Models:
    """A sound model folder, and what it takes to change and load it.

    Args:
        root: where it may be made.
    """

    def __init__(self, root: Path) -> None:
        import torch

        from tests.encoder.checkpoints import write_checkpoint

        torch.set_num_threads(1)
        self._folder = write_checkpoint(root / "model")
        _use(load_encoder(self._folder, engine="torch"), Recorder(StringIO()))

    def play(self, name: str, root: Path, recorder: Recorder) -> None:
        """Change the folder and load it."""
        change = name.split(":")[2]
        place = Place(root)
        place.prepare_outside()
        folder = root / "model"
        shutil.copytree(self._folder, folder)
        with suppress(*_TOO_SMALL):
            _model_changes()[change](folder, random.Random(name), place.outside)
        before = fingerprint(place.outside)
        recorder = recorder.judging(_judge_model)
        encoder = recorder.attempt("load", lambda: load_encoder(folder, engine="torch"))
        if not isinstance(encoder, Failed):
            recorder.right("load")
            _use(encoder, recorder)
        if text := difference(before, fingerprint(place.outside)):
            recorder.fault("outside", "OUTSIDE", text)


def _use(encoder: Any, recorder: Recorder) -> None:
    """Encode, and index what comes of it."""
    recorder.attempt("encode_query", lambda: encoder.encode_query(["where is it?"]))
    recorder.attempt("encode_document", lambda: encoder.encode_document(["here it is", "東京"]))
    found = recorder.attempt("index", lambda: _index(encoder))
    if not isinstance(found, Failed) and (odd := senseless(found)):
        recorder.fault("index", "WRONG", odd)


def _index(encoder: Any) -> list[Any]:
    with Retriever.from_texts(["here it is", "東京のテキスト"], model=encoder) as retriever:
        return [answers.hit_value(hit, evidence=True) for hit in retriever.search("where is it?")]


def _judge_model(error: errors.LFM2ColBERTError) -> str | None:
    known = (errors.ModelError, errors.AccessDeniedError, errors.MissingExtraError)
    known += (errors.ConfigError,)
    if isinstance(error, known):
        return None
    # A sound folder may hold weights that make no sense: whoever meets them names the encoder.
    return None if isinstance(error, errors.InputError) else "does not blame the model"
