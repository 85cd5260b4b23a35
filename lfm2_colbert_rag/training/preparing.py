"""From labels, or from the passages themselves, to a work folder: divided, and with negatives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal

from .._support.paths import PathLike, absolute_path
from .._support.progress import ProgressLike
from ..errors import ConfigError
from .identity import Identity
from .labels import Labelled, Labels
from .mining import Mining, mine_negatives
from .pairs import read_pairs
from .pseudo import body_of, own_questions
from .quoting import quoting
from .splits import Side, Split, fold, split
from .work import Work

if TYPE_CHECKING:
    from ..retriever import Retriever
    from .pairs import PairsLike
    from .pseudo import Generate
    from .settings import Method

__all__ = ["mine"]

FEW = 1_000
"""Labelled questions below which a fifth of them would judge too little."""
BELOW_LEXICAL = 10
"""BM25's first hits that are no negatives of questions that were taken out of passages."""
# Where questions of the passages train, labels are for choosing and judging alone.
_JUDGING: dict[Side, float] = {"dev": 0.25, "test": 0.75}


def mine(
    retriever: Retriever,
    pairs: PairsLike | Labels | None = None,
    *,
    into: PathLike,
    own: bool | Generate = False,
    guard: PathLike | None = None,
    method: Method = "query",
    seed: int = 0,
    mining: Mining | None = None,
    progress: ProgressLike = None,
) -> Work:
    """Prepare an adaptation: divide labelled questions, and find a negative for each.

    Args:
        retriever: the index whose model is to be adapted. It is only read.
        pairs: labels, see :func:`~.pairs.read_pairs`. None: there are none.
        into: the work folder to make; only its owner will read it.
        own: train with questions made of the passages themselves: True takes titles and first
            sentences, a function makes them of a text. Labels, if there are any, then judge.
        guard: a folder with passages, queries and judgements of other matters, which the adapted
            model must not forget; it is named in the work folder, not copied.
        method: what will be trained. For a query adapter, fewer than 1,000 labelled questions all
            train, and all judge: each is asked with an adapter that was learned without it and
            without its passages.
        seed: of the division.
        mining: which passages become negatives.
        progress: see ``Retriever.add``; it counts questions.

    Returns:
        The work folder.

    Raises:
        ConfigError: neither labels nor questions of its own.
        InputError: labels that cannot be used; no question has an answer in the index.
        IndexExistsError: ``into`` is not empty.

    Example:
        >>> work = mine(retriever, "pairs.jsonl", into="work")  # doctest: +SKIP
        >>> work.manifest["counts"]  # doctest: +SKIP
        {'train': 180, 'dev': 60, 'test': 60}
    """
    if pairs is None and not own:
        raise ConfigError(
            "there is nothing to learn from: give pairs, or own=True (--no-labels) to make "
            "questions of the passages themselves."
        )
    if guard is not None and not absolute_path(guard).is_dir():
        raise ConfigError(f"guard must be a folder with a dataset, and {guard} is none.")
    labels = read_labels(retriever, pairs)
    made = own_questions(retriever, own if callable(own) else None) if own else None
    questions, divided = _divided(labels, made, seed, few=method == "query")
    how = _mining(mining, retriever, taken=own is True)
    train = divided.sides["train"]
    mined = _mined(retriever, [questions[place] for place in train], how, own is True, progress)
    for place, one in zip(train, mined, strict=True):
        questions[place] = one
    named = [id for one in questions for id in one.positives]
    facts = _facts(retriever, labels, made, how, seed)
    facts["source"] = _source(own)
    facts["labels"] = labels_digest(labels, seed)
    facts["guard"] = None if guard is None else str(absolute_path(guard))
    return Work.create(into, Identity.of(retriever, named), questions, divided, facts)


def read_labels(retriever: Retriever, pairs: PairsLike | Labels | None) -> Labels | None:
    """Read labels, unless they are read already, or there are none."""
    return pairs if pairs is None or isinstance(pairs, Labels) else read_pairs(retriever, pairs)


def labels_digest(labels: Labels | None, seed: int) -> str:
    """Name labels and how they are divided: work that was done with them can be gone on with."""
    said = [] if labels is None else [[one.question, one.grades] for one in labels.questions]
    text = json.dumps([seed, said], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _source(own: bool | Generate) -> Literal["labels", "taken", "generated"]:
    if own is True:
        return "taken"
    return "generated" if callable(own) else "labels"


def _divided(
    labels: Labels | None, made: Labels | None, seed: int, *, few: bool
) -> tuple[list[Labelled], Split]:
    """Return all questions, and which of them is for what."""
    known = [] if labels is None else list(labels.questions)
    if made is None:
        return known, fold(known, seed) if few and len(known) < FEW else split(known, seed)
    divided = split(known, seed, shares=_JUDGING)
    asked = {one.question for one in known}
    own = [one for one in made.questions if one.question not in asked]
    train = tuple(range(len(known), len(known) + len(own)))
    return [*known, *own], replace(divided, sides={**divided.sides, "train": train})


def _mining(mining: Mining | None, retriever: Retriever, *, taken: bool) -> Mining:
    if mining is not None:
        return mining
    has_terms = retriever.stats().lexical_bytes is not None
    return Mining(below_lexical=BELOW_LEXICAL if taken and has_terms else 0)


def _mined(
    retriever: Retriever,
    questions: Sequence[Labelled],
    how: Mining,
    taken: bool,
    progress: ProgressLike,
) -> list[Labelled]:
    ids = sorted({id for one in questions for id in one.positives}) if taken else []
    texts = {passage.id: body_of(passage) for passage in retriever.get(ids)}
    return mine_negatives(retriever, questions, how, texts=texts, progress=progress)


def _facts(
    retriever: Retriever, labels: Labels | None, made: Labels | None, how: Mining, seed: int
) -> dict[str, Any]:
    """Return what the manifest says."""
    quoted = 0 if labels is None else len(quoting(retriever, labels.questions))
    notes = [note for one in (labels, made) if one is not None for note in one.notes]
    if quoted:
        notes.append(f"Questions that quote a passage which answers them: {quoted:,}.")
    return {
        "seed": seed,
        "passages": len(retriever),
        "labelled": 0 if labels is None else len(labels.questions),
        "pseudo": labels is None,
        "missing": 0 if labels is None else len(labels.missing),
        "dropped": 0 if labels is None else labels.dropped,
        "quoted": quoted,
        "mining": asdict(how),
        "notes": notes,
    }
