"""What an evaluation needs: passages, queries, and judgements of which passage answers which."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias, get_args

from ..errors import ConfigError, InputError
from ..filters.strings import composed
from .corpora import Corpus, PlacedCorpus, check_again_and_again, look_through
from .grades import read_grade

__all__ = ["Dataset", "Missing", "check_missing"]

Missing: TypeAlias = Literal["error", "keep", "drop"]
"""What becomes of judgements of queries and passages that are not there.

``"error"``: an error names the first. ``"keep"``: they count as not found, as in trec_eval, and a
query counts 0. ``"drop"``: they are left out, and so is a query whose relevant passages are all
missing.
"""

Place: TypeAlias = Callable[[str, str], str]


@dataclass(frozen=True)
class Dataset:
    """Passages, queries and judgements that fit together; checked when it is made.

    Attributes:
        corpus: the passages, as something that can be gone through again and again: a list, or
            a reader of a file. They are never all held in memory by this class. None where an
            index holds them already.
        queries: text of each query by its id.
        qrels: for each judged query the grade of each judged passage: 0 for one that is not
            relevant, 1 or more for one that is; below zero counts as 0. Queries without judgements
            are not asked.
        name: what to call it in a report.
        languages: of the queries and of the passages, where they are known.
        missing: what becomes of judgements of queries and passages that are not there.
        place: for messages, where the judgement of a query and a passage was read.
        leave_out_own: leave out of each query's hits the passage with the query's own id, as BEIR
            does: in some of its datasets queries are passages.
        notes: what to know about the data, such as judgements that were left out; what is known
            already goes first.
        passages: how many there are.

    Raises:
        InputError: an empty query, a grade that is no whole number, no relevant passage for any
            query, an id of two different passages, or (see ``missing``) a judgement of a query or
            a passage that is not there.

    Example:
        >>> from lfm2_colbert_rag import Passage
        >>> dataset = Dataset(
        ...     corpus=[Passage("reset", "Hold the reset key."), Passage("hours", "Open at nine.")],
        ...     queries={"q1": "Which key do I hold?"},
        ...     qrels={"q1": {"reset": 1}},
        ... )
        >>> dataset.passages, len(dataset.qrels)
        (2, 1)
    """

    corpus: Corpus | None
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]
    name: str = "dataset"
    languages: tuple[str, str] | None = None
    missing: Missing = "error"
    place: Place | None = field(default=None, repr=False, compare=False)
    leave_out_own: bool = False
    notes: tuple[str, ...] = ()
    passages: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Check everything, going through the corpus once."""
        check_missing(self.missing)
        _check_queries(self.queries)
        self._set("notes", tuple(self.notes))
        self._read_grades()
        self._settle_queries()
        if self.corpus is not None:
            check_again_and_again(self.corpus)
            wanted = {passage for grades in self.qrels.values() for passage in grades}
            seen = look_through(self.corpus, wanted)
            if isinstance(self.corpus, PlacedCorpus) and self.corpus.blank:
                self._note(f"{self.corpus.blank:,} passages without any text were left out.")
            if seen.repeated:
                self._note(f"{seen.repeated:,} passages that are there twice count once.")
            self._settle(seen.passages, wanted - seen.found, "the corpus")
        self._require_relevant()

    def judged(self) -> dict[str, str]:
        """Return the queries that are judged, by id, ids ascending."""
        return {query: self.queries[query] for query in sorted(self.qrels) if query in self.queries}

    @cached_property
    def digest(self) -> str:
        """A short hash of the judgements: figures of two runs compare only if it is the same."""
        lines = (
            f"{query}\t{passage}\t{grade}\n"
            for query, grades in sorted(self.qrels.items())
            for passage, grade in sorted(grades.items())
        )
        hashed = hashlib.blake2b(digest_size=8)
        for line in lines:
            hashed.update(line.encode())
        return hashed.hexdigest()

    def sample(self, limit: int) -> Dataset:
        """Return a smaller dataset: at most so many judged queries, evenly spaced; all passages.

        Args:
            limit: number of queries to keep at most.

        Raises:
            ConfigError: below 1.
        """
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ConfigError(f"the number of queries must be positive, not {limit!r}.")
        asked = [query for query in self.queries if query in self.qrels]
        kept = asked[:: -(-len(asked) // limit)]
        return self._with(
            queries={query: self.queries[query] for query in kept},
            qrels={query: self.qrels[query] for query in kept},
        )

    def without(self, missing: set[str], passages: int, where: str) -> Dataset:
        """Return the dataset as it is for passages that lie elsewhere.

        Args:
            missing: ids of judged passages that are not there.
            passages: how many passages are there.
            where: what holds them, for messages.

        Raises:
            InputError: some are missing, which :attr:`missing` calls an error; or nothing
                relevant is left.
        """
        copy = self._with()
        copy._settle(passages, missing, where)
        copy._require_relevant()
        return copy

    def _with(self, **changes: Mapping[str, object]) -> Dataset:
        """Return a copy with some fields changed, without going through the corpus again."""
        shell: Dataset = object.__new__(type(self))
        for name in self.__dataclass_fields__:
            object.__setattr__(shell, name, changes.get(name, getattr(self, name)))
        return shell

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self._set("notes", (*self.notes, note))

    def _read_grades(self) -> None:
        """Read the grades; below zero is not relevant, since measures do not agree about it."""
        if not isinstance(self.qrels, Mapping):
            raise InputError(f"qrels must be a mapping, not a {type(self.qrels).__name__}.")
        read: dict[str, dict[str, int]] = {}
        below = 0
        for query, grades in self.qrels.items():
            if not isinstance(grades, Mapping):
                raise InputError(
                    f"the judgements of query {query!r} must be a mapping of passage ids to "
                    f"grades, not a {type(grades).__name__}."
                )
            read[query] = {}
            for passage, given in grades.items():
                grade = given
                if type(given) is not int:
                    grade = read_grade(given, self._where(query, passage))
                below += grade < 0
                # Ids are stored in Unicode's normal form C.
                id = composed(passage) if isinstance(passage, str) else passage
                read[query][id] = max(grade, 0)
        self._set("qrels", read)
        if below:
            self._note(f"{below:,} grades below 0 count as 0, not relevant.")

    def _settle_queries(self) -> None:
        """Deal with judgements of queries that are not there."""
        lost = [query for query in self.qrels if query not in self.queries]
        if lost and self.missing == "error":
            passage = next(iter(self.qrels[lost[0]]), "")
            raise InputError(
                f"{self._where(lost[0], passage)}: query {lost[0]!r} is judged, but it is not "
                f"among the {len(self.queries):,} queries{_others(lost)}. Add it; or count it as "
                "0 with missing='keep', or leave it out with missing='drop' (--missing)."
            )
        if lost and self.missing == "keep":
            self._note(f"{len(lost):,} judged queries are missing and count 0.")
        if lost and self.missing == "drop":
            kept = {query: of for query, of in self.qrels.items() if query in self.queries}
            self._set("qrels", kept)
            self._note(f"{len(lost):,} judged queries are missing and were left out.")

    def _where(self, query: str, passage: str) -> str:
        place = self.place(query, passage) if self.place is not None else ""
        return place or "qrels"

    def _settle(self, passages: int, missing: set[str], where: str) -> None:
        """Note how many passages there are, and deal with judgements of those that are not."""
        self._set("passages", passages)
        lost = [(q, p) for q, grades in self.qrels.items() for p in grades if p in missing]
        if lost and self.missing == "error":
            query, passage = lost[0]
            raise InputError(
                f"{self._where(query, passage)}: passage {passage!r} is judged for query "
                f"{query!r}, but {where} lacks it{_others(lost)}. Add it; or count it as not found "
                "with missing='keep', or leave its judgements out with missing='drop' (--missing)."
            )
        if lost and self.missing == "keep":
            self._note(f"{len(lost):,} judged passages are missing and count as not found.")
        if lost and self.missing == "drop":
            self._drop(missing)
            self._note(f"{len(lost):,} judgements of missing passages were left out.")

    def _drop(self, missing: set[str]) -> None:
        kept: dict[str, dict[str, int]] = {}
        for query, grades in self.qrels.items():
            left = {passage: grade for passage, grade in grades.items() if passage not in missing}
            had, has = (any(g > 0 for g in some.values()) for some in (grades, left))
            if left and (has or not had):
                kept[query] = left
        self._set("qrels", kept)

    def _require_relevant(self) -> None:
        relevant = [any(grade > 0 for grade in grades.values()) for grades in self.qrels.values()]
        if not any(relevant):
            raise InputError(
                f"{self.name}: no query has a relevant passage, so there is nothing to measure. "
                "Judge some, with a grade of 1 or more."
            )
        if hopeless := relevant.count(False):
            self._note(f"{hopeless:,} judged queries have no relevant passage; they count 0.")


def check_missing(missing: object) -> None:
    """Refuse what is none of the three ways to treat judgements of missing passages.

    Raises:
        ConfigError: it is none.
    """
    if missing not in get_args(Missing):
        raise ConfigError(f'missing must be "error", "keep" or "drop", not {missing!r}.')


def _others(lost: Sequence[object]) -> str:
    return f" (and {len(lost) - 1:,} more like it)" if len(lost) > 1 else ""


def _check_queries(queries: object) -> None:
    if not isinstance(queries, Mapping):
        raise InputError(
            "queries must be a mapping of ids to texts, not a " + type(queries).__name__ + "."
        )
    for id, text in queries.items():
        if not isinstance(id, str) or not id:
            raise InputError(f"the query id {id!r} is no text; write str(id).")
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"query {id!r} is empty: {text!r:.40}. Give it a text, or remove it.")
