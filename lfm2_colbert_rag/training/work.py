"""The folder in which an adaptation is prepared and judged: questions with ids, never texts.

======================  ================================================================
``manifest.json``       of which index and model it is, counts, seed, what was left out
``split.json``          how the questions were divided
``train.jsonl`` …       questions, grades and negatives by the ids of passages
``trained.json``        what was trained last, where it lies, and how
``judged.json``         which models were judged: each counts against the next
``verdict.json``        the last verdict
``report/``             the evaluation's report, with texts
======================  ================================================================

It belongs to its owner alone (0700, files 0600), whatever the process grants to others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._support.disk import write_whole
from .._support.lines import numbered_lines, parse_object
from .._support.paths import PathLike, absolute_path
from .._support.regular import IrregularFileError
from .._support.safe_json import JsonError, load_json
from .._support.system_errors import system_errors
from ..errors import ConfigError, InputError
from .identity import Identity
from .labels import Labelled
from .pseudo import body_of
from .resolving import known_ids

if TYPE_CHECKING:
    from ..retriever import Retriever
    from .examples import Example
    from .splits import Side, Split

__all__ = ["Work"]

FORMAT = "lfm2-colbert-rag work 1"
MANIFEST, SPLIT, JUDGED, VERDICT, TRAINED, REPORT = (
    *("manifest.json", "split.json", "judged.json", "verdict.json", "trained.json"),
    "report",
)
_AT_ONCE = 500  # passages that are read


@dataclass(frozen=True)
class Work:
    """A work folder.

    Attributes:
        folder: where it is.
        manifest: what it says of itself.
        identity: of which index and model it is.
    """

    folder: Path
    manifest: Mapping[str, Any] = field(repr=False)
    identity: Identity = field(repr=False)

    @classmethod
    def create(
        cls,
        folder: PathLike,
        identity: Identity,
        questions: Sequence[Labelled],
        split: Split,
        facts: Mapping[str, Any],
    ) -> Work:
        """Write a new work folder, whole or not at all.

        Args:
            folder: it must be new, or empty.
            identity: of the index.
            questions: all of them, with their negatives.
            split: which of them is for what.
            facts: what else the manifest says, as JSON.

        Raises:
            IndexExistsError: the folder is not empty.
            AccessDeniedError, StorageFullError: the system refuses it; nothing is left behind.
        """
        from ..storage.atomic import new_folder

        target = absolute_path(folder)
        counts = {side: len(places) for side, places in split.sides.items()}
        manifest = {"format": FORMAT, **facts, "counts": counts, "identity": identity.to_dict()}
        told = {"by": split.by, "largest": round(split.largest, 4), "groups": split.groups}
        with new_folder(target) as scratch:
            scratch.chmod(0o700)
            _write(scratch / MANIFEST, as_json(manifest))
            parts = {"sides": split.sides, "folds": split.folds}
            _write(scratch / SPLIT, as_json({**told, **parts}))
            for side, places in split.sides.items():
                lines = "".join(_line(questions[place]) for place in places)
                _write(scratch / f"{side}.jsonl", lines.encode())
        return cls(target, manifest, identity)

    @classmethod
    def open(cls, folder: PathLike) -> Work:
        """Open a work folder.

        Raises:
            ConfigError: it is none, or of another version.
            InputError: a file of it is damaged.
        """
        home = absolute_path(folder)
        if not (home / MANIFEST).is_file():
            raise ConfigError(
                f"{home} is no work folder: it has no {MANIFEST}. Make one: lfm2-colbert adapt mine"
            )
        manifest = _load(home / MANIFEST)
        if manifest.get("format") != FORMAT:
            raise ConfigError(
                f"{home / MANIFEST} is of the format {manifest.get('format')!r:.60}, not "
                f"{FORMAT!r}; mine anew."
            )
        with _damages(home / MANIFEST):
            return cls(home, manifest, Identity(**manifest["identity"]))

    @property
    def pseudo(self) -> bool:
        """Whether its questions were made of the passages themselves, so that nothing is judged."""
        return bool(self.manifest.get("pseudo"))

    @property
    def split(self) -> Mapping[str, Any]:
        """How the questions were divided: ``by``, ``largest``, ``groups``, ``sides``, ``folds``."""
        return _load(self.folder / SPLIT)

    def require(self, retriever: Retriever) -> None:
        """Refuse another index, or another model, than the one that it was made with.

        Raises:
            ConfigError: it is another one.
        """
        self.identity.require(retriever, self.folder)

    def questions(self, side: Side, retriever: Retriever | None = None) -> list[Labelled]:
        """Return the questions of one side.

        Args:
            side: ``"train"``, ``"dev"`` or ``"test"``.
            retriever: the index; passages that it has no longer are left out, and questions that no
                other passage answers.

        Raises:
            InputError: the file is damaged; the message names the line.
        """
        path = self.folder / f"{side}.jsonl"
        with system_errors(self.folder):
            found = list(_read(path))
        if retriever is None:
            return found
        named = {id for one in found for id in (*one.grades, *one.negatives)}
        gone = named - set(known_ids(retriever, sorted(named)))
        return [left for one in found if (left := one.without(gone)) is not None]

    def folds(self, questions: Sequence[Labelled]) -> list[tuple[int, ...]]:
        """Return the places of the training questions that judge together; empty where others do.

        Args:
            questions: the training questions that are left.
        """
        with _damages(self.folder / SPLIT):
            known = [tuple(map(int, part)) for part in self.split["folds"]]
        if not known:
            return []
        asked = [one.question for one in self.questions("train")]
        places = {one.question: place for place, one in enumerate(questions)}
        parts = ([places.get(asked[place]) for place in part] for part in known)
        left = (tuple(place for place in part if place is not None) for part in parts)
        return [part for part in left if part]

    def examples(self, side: Side = "train", retriever: Retriever | None = None) -> list[Example]:
        """Return the questions of one side as models are trained on them; see :meth:`questions`."""
        return [one.example() for one in self.questions(side, retriever)]

    def texts(self, retriever: Retriever, examples: Sequence[Example]) -> dict[str, str]:
        """Return the texts of all passages that examples name, by id.

        Where questions were taken out of passages, the texts are what is left of these.
        """
        ids = sorted({id for one in examples for id in (*one.positives, *one.negatives)})
        taken = self.manifest.get("source") == "taken"
        return {
            passage.id: body_of(passage) if taken else passage.text
            for start in range(0, len(ids), _AT_ONCE)
            for passage in retriever.get(ids[start : start + _AT_ONCE])
        }

    def judged(self) -> dict[str, float]:
        """Return p of every model that was judged here, by its digest."""
        path = self.folder / JUDGED
        if not path.is_file():
            return {}
        with _damages(path):
            return {str(model): float(p) for model, p in _load(path).items()}

    def trained(self) -> dict[str, Any]:
        """Return what was trained last: its ``folder`` and ``settings``; empty before that."""
        path = self.folder / TRAINED
        return _load(path) if path.is_file() else {}

    def write_judged(self, judged: Mapping[str, float]) -> None:
        """Keep which models were judged."""
        self.write(JUDGED, judged)

    def write(self, name: str, value: object) -> None:
        """Write a JSON file that only its owner reads."""
        with system_errors(self.folder):
            _write(self.folder / name, as_json(value))

    def report_folder(self) -> Path:
        """Return the folder of the report, made for its owner alone."""
        with system_errors(self.folder):
            folder = self.folder / REPORT
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
        return folder


def _line(one: Labelled) -> str:
    fields = {"question": one.question, "grades": one.grades, "negatives": one.negatives}
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _read(path: Path) -> Iterator[Labelled]:
    if not path.is_file():
        raise InputError(f"{path} is missing; mine anew in a new folder.")
    for number, line in numbered_lines(path):
        place = f"{path}, line {number}"
        fields = parse_object(line, place)
        with _damages(place):
            grades = {str(id): int(grade) for id, grade in fields["grades"].items()}
            yield Labelled(fields["question"], grades, tuple(map(str, fields["negatives"])))


def _load(path: Path) -> dict[str, Any]:
    with _damages(path):
        found = load_json(path)
        return dict(found.items())


@contextmanager
def _damages(place: Path | str) -> Iterator[None]:
    """Name the file of which something cannot be used."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, JsonError, IrregularFileError) as odd:
        raise InputError(f"{place} is damaged ({odd}); mine anew in a new folder.") from None


def as_json(value: object) -> bytes:
    """Return a JSON file's content."""
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    write_whole(path, content, private=True)
