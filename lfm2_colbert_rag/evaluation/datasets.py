"""What an evaluation needs: passages, queries, and judgements of which passage answers which."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, Protocol, TypeAlias, get_args, runtime_checkable

from .._support.lines import IdDigests
from .._support.validation import check_streamed
from ..errors import ConfigError, InputError
from ..types import Passage

__all__ = [
    "Corpus",
    "Dataset",
    "DatasetFamily",
    "Missing",
    "PlacedCorpus",
    "check_missing",
    "grade_problem",
]

Missing: TypeAlias = Literal["error", "keep", "drop"]
"""What becomes of judgements of passages that are not there.

``"error"``: an error names the first. ``"keep"``: they count as not found, as in trec_eval.
``"drop"``: they are left out, and so is a query whose relevant passages are all missing.
"""

Corpus: TypeAlias = Iterable[Passage]
Place: TypeAlias = Callable[[str, str], str]


@runtime_checkable
class PlacedCorpus(Protocol):
    """A corpus that knows where each passage was read."""

    blank: int
    """Passages without any text, which were left out."""

    def __iter__(self) -> Iterator[Passage]:
        """Yield the passages, every time from the first."""
        ...

    def records(self) -> Iterator[tuple[Passage, str]]:
        """Yield each passage with its file and line."""
        ...


@dataclass(frozen=True)
class Dataset:
    """Passages, queries and judgements that fit together; checked when it is made.

    Attributes:
        corpus: the passages, as something that can be gone through again and again: a list, or
            a reader of a file. They are never all held in memory by this class. None where an
            index holds them already.
        queries: text of each query by its id.
        qrels: for each judged query the grade of each judged passage: 0 for one that is not
            relevant, 1 or more for one that is. Queries without judgements are not asked.
        name: what to call it in a report.
        languages: of the queries and of the passages, where they are known.
        missing: what becomes of judgements of passages that the corpus lacks.
        place: for messages, where the judgement of a query and a passage was read.

    Raises:
        InputError: an empty query, a judgement of a query that is not there, a grade that is no
            whole number or below 0, no relevant passage for any query, an id that is used twice,
            or (see ``missing``) a judgement of a passage that is not there.

    Example:
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
    passages: int = field(default=0, init=False)
    notes: tuple[str, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        """Check everything, going through the corpus once."""
        check_missing(self.missing)
        _check_queries(self.queries)
        self._check_qrels()
        if self.corpus is not None:
            _check_again_and_again(self.corpus)
            wanted = {passage for grades in self.qrels.values() for passage in grades}
            passages, found = _look_through(self.corpus, wanted)
            self._settle(passages, wanted - found, "the corpus")
        self._require_relevant()

    def judged(self) -> dict[str, str]:
        """Return the queries that are judged, by id, ids ascending."""
        return {query: self.queries[query] for query in sorted(self.qrels)}

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

    def _check_qrels(self) -> None:
        if not isinstance(self.qrels, Mapping):
            raise InputError(f"qrels must be a mapping, not a {type(self.qrels).__name__}.")
        for query, grades in self.qrels.items():
            if not isinstance(grades, Mapping):
                raise InputError(
                    f"the judgements of query {query!r} must be a mapping of passage ids to "
                    f"grades, not a {type(grades).__name__}."
                )
            if query not in self.queries:
                passage = next(iter(grades), "")
                raise InputError(
                    f"{self._where(query, passage)}: query {query!r} is judged, but it is not "
                    f"among the {len(self.queries):,} queries."
                )
            for passage, grade in grades.items():
                if problem := grade_problem(grade):
                    raise InputError(f"{self._where(query, passage)}: {problem}")

    def _where(self, query: str, passage: str) -> str:
        place = self.place(query, passage) if self.place is not None else ""
        return place or "qrels"

    def _settle(self, passages: int, missing: set[str], where: str) -> None:
        """Note how many passages there are, and deal with judgements of those that are not."""
        object.__setattr__(self, "passages", passages)
        notes = list(self.notes)
        blank = self.corpus.blank if isinstance(self.corpus, PlacedCorpus) else 0
        if blank and not notes:
            notes.append(f"{blank:,} passages without any text were left out.")
        lost = [(q, p) for q, grades in self.qrels.items() for p in grades if p in missing]
        if lost and self.missing == "error":
            query, passage = lost[0]
            others = f" (and {len(lost) - 1:,} more like it)" if len(lost) > 1 else ""
            raise InputError(
                f"{self._where(query, passage)}: passage {passage!r} is judged for query "
                f"{query!r}, but {where} lacks it{others}. Add it; or count it as not found with "
                "missing='keep', or leave its judgements out with missing='drop' (--missing)."
            )
        if lost and self.missing == "keep":
            notes.append(f"{len(lost):,} judged passages are missing and count as not found.")
        if lost and self.missing == "drop":
            self._drop(missing)
            notes.append(f"{len(lost):,} judgements of missing passages were left out.")
        object.__setattr__(self, "notes", tuple(notes))

    def _drop(self, missing: set[str]) -> None:
        kept: dict[str, dict[str, int]] = {}
        for query, grades in self.qrels.items():
            left = {passage: grade for passage, grade in grades.items() if passage not in missing}
            had, has = (any(g > 0 for g in some.values()) for some in (grades, left))
            if left and (has or not had):
                kept[query] = left
        object.__setattr__(self, "qrels", kept)

    def _require_relevant(self) -> None:
        relevant = [any(grade > 0 for grade in grades.values()) for grades in self.qrels.values()]
        if not any(relevant):
            raise InputError(
                f"{self.name}: no query has a relevant passage, so there is nothing to measure. "
                "Judge some, with a grade of 1 or more."
            )
        if hopeless := relevant.count(False):
            note = f"{hopeless:,} judged queries have no relevant passage; they count 0."
            if note not in self.notes:
                object.__setattr__(self, "notes", (*self.notes, note))


@dataclass(frozen=True)
class DatasetFamily:
    """The same passages and queries in several languages, under the same ids, as XQuAD has them.

    Attributes:
        name: what to call it in a report.
        languages: the languages, in the order wanted.
        make: gives the dataset of a query language and a passage language.
        query_languages: in which to ask; all when None.
        passage_languages: in which to search; all when None.

    Example:
        >>> family = load_family("xquad", languages=["en", "ar"])  # doctest: +SKIP
        >>> [dataset.name for dataset in family]  # doctest: +SKIP
        ['xquad en→en', 'xquad ar→en', 'xquad en→ar', 'xquad ar→ar']
    """

    name: str
    languages: tuple[str, ...]
    make: Callable[[str, str], Dataset] = field(repr=False, compare=False)
    query_languages: tuple[str, ...] | None = None
    passage_languages: tuple[str, ...] | None = None

    def dataset(self, queries: str, passages: str) -> Dataset:
        """Return queries of one language on passages of another, or of the same.

        Raises:
            ConfigError: a language that the family lacks.
            InputError: something in the files is wrong.
        """
        for language in (queries, passages):
            self._require(language)
        return self.make(queries, passages)

    def pairs(self) -> list[tuple[str, str]]:
        """Return pairs of a query and a passage language, passage languages together."""
        asked = self.query_languages or self.languages
        return [
            (query, passage)
            for passage in self.passage_languages or self.languages
            for query in asked
        ]

    def __iter__(self) -> Iterator[Dataset]:
        """Yield the dataset of each pair."""
        return (self.dataset(*pair) for pair in self.pairs())

    def only(
        self, queries: Iterable[str] | None = None, passages: Iterable[str] | None = None
    ) -> DatasetFamily:
        """Return the same family with fewer pairs.

        Args:
            queries: languages to ask in; all when None.
            passages: languages to search in; all when None.

        Raises:
            ConfigError: a language that the family lacks.
        """
        asked, searched = (
            None if some is None else tuple(dict.fromkeys(map(self._require, some)))
            for some in (queries, passages)
        )
        return replace(self, query_languages=asked, passage_languages=searched)

    def sample(self, limit: int) -> DatasetFamily:
        """Return the same family with fewer queries; see :meth:`Dataset.sample`."""
        make = self.make
        return replace(self, make=lambda asked, searched: make(asked, searched).sample(limit))

    def _require(self, language: str) -> str:
        if language not in self.languages:
            raise ConfigError(
                f"{self.name} has no language {language!r}; it has {', '.join(self.languages)}."
            )
        return language


def check_missing(missing: object) -> None:
    """Refuse what is none of the three ways to treat judgements of missing passages.

    Raises:
        ConfigError: it is none.
    """
    if missing not in get_args(Missing):
        raise ConfigError(f'missing must be "error", "keep" or "drop", not {missing!r}.')


def grade_problem(grade: object) -> str | None:
    """Say what is wrong with a grade; None where it is a whole number of at least 0."""
    if isinstance(grade, bool) or not isinstance(grade, int):
        return f"the grade {grade!r} is no whole number; 0 is not relevant, 1 or more is."
    if grade < 0:
        return (
            f"the grade {grade} is below 0, which measures do not agree about; write 0 for what "
            "is not relevant."
        )
    return None


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


def _check_again_and_again(corpus: object) -> None:
    if isinstance(corpus, (str, Mapping)) or not isinstance(corpus, Iterable):
        raise InputError(
            f"the corpus must be a list of passages or a reader of them, not a "
            f"{type(corpus).__name__}."
        )
    if isinstance(corpus, Iterator):
        raise InputError(
            "the corpus can be gone through only once, and an evaluation goes through it twice: "
            "give a list, or an object whose __iter__ begins anew."
        )


def _placed(corpus: Corpus) -> Iterator[tuple[Passage, str]]:
    if isinstance(corpus, PlacedCorpus):
        yield from corpus.records()
        return
    for place, item in enumerate(corpus):
        yield check_streamed(item, place), f"the corpus, passage {place:,}"


def _look_through(corpus: Corpus, wanted: set[str]) -> tuple[int, set[str]]:
    """Count the passages, refuse repeated ids, and find which of some ids are there."""
    digests, found = IdDigests(), set()
    for passage, _ in _placed(corpus):
        digests.add(passage.id)
        if passage.id in wanted:
            found.add(passage.id)
    if not len(digests):
        raise InputError("the corpus has no passage with a text.")
    if suspects := digests.repeated():
        _refuse_repeated(corpus, suspects)
    return len(digests), found


def _refuse_repeated(corpus: Corpus, suspects: set[int]) -> None:
    places: dict[str, str] = {}
    for passage, place in _placed(corpus):
        if IdDigests.digest(passage.id) not in suspects:
            continue
        if passage.id in places:
            raise InputError(
                f"{place}: the id {passage.id!r} was used before, in {places[passage.id]}. Give "
                "each passage an id of its own."
            )
        places[passage.id] = place
