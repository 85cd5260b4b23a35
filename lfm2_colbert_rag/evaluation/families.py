"""The same dataset in several languages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..errors import ConfigError
from .datasets import Dataset

__all__ = ["DatasetFamily"]


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
