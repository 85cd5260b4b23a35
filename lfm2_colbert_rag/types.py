"""The values that cross the library's borders: what goes in, what comes out.

All are frozen; arrays in them are to be read, not written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:  # who only names a mode, as the command line does, need not load numpy
    import numpy as np
    import numpy.typing as npt

TokenMatrix: TypeAlias = "npt.NDArray[np.float32]"
"""``(num_tokens, dim)`` float32: one row a token of a text."""

Metadata: TypeAlias = Mapping[str, Any]
"""A JSON object: string keys; values of str, int, float, bool, None, lists and objects of them."""

RESERVED_KEYS = frozenset({"_file", "_llama_index"})
"""Metadata keys in which the library keeps facts of its own: where a passage was read, and the node
that it was made of. Only what wrote them reads them; they are shown to nobody else."""

Where: TypeAlias = Mapping[str, Any]
"""A metadata filter as users write it, for example ``{"year": {"$gte": 2024}}``."""


UNDETERMINED = "und"
"""What stands for a language where it cannot be told (ISO 639-2): of code, numbers, a mere name."""

Mode: TypeAlias = Literal["late", "lexical", "hybrid"]
"""What a search compares: meanings (late interaction), words (BM25), or both."""

Storage: TypeAlias = Literal["exact", "compressed", "auto"]
"""How an index keeps vectors: as they are, in a few bits, or whichever pays at its size."""


def public_metadata(metadata: Metadata) -> dict[str, Any]:
    """Return the caller's own metadata, without what the library keeps beside them.

    Example:
        >>> public_metadata({"year": 2024, "_file": {"name": "faq.md"}})
        {'year': 2024}
    """
    return {key: value for key, value in metadata.items() if key not in RESERVED_KEYS}


@dataclass(frozen=True, eq=False)
class TokenVectors:
    """One encoded text.

    Attributes:
        vectors: ``(num_tokens, dim)`` float32, each row of unit length.
        token_ids: ``(num_tokens,)`` int32 vocabulary ids of those rows.
        spans: ``(num_tokens, 2)`` int32 character offsets ``[start, end)`` into the text as it
            was passed; empty (``start == end``) for markers and query expansion.
    """

    vectors: TokenMatrix
    token_ids: npt.NDArray[np.int32]
    spans: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of token vectors."""
        return len(self.vectors)


@dataclass(frozen=True)
class Passage:
    """The unit that is indexed and returned.

    Attributes:
        id: the caller's own identifier, unique in an index.
        text: the text as it was added.
        metadata: the caller's JSON object.
    """

    id: str
    text: str
    metadata: Metadata = field(default_factory=dict)


class AddedIds(list[str]):
    """The ids of what was added: a list with one a text that was given, in step with the texts.

    Attributes:
        left_out: places of the texts that were left out because they are blank, ascending.

    Example:
        >>> AddedIds(["page-1", "page-2"], left_out=(1,))
        ['page-1', 'page-2']
    """

    def __init__(self, ids: Iterable[str] = (), left_out: Iterable[int] = ()) -> None:
        super().__init__(ids)
        self.left_out: tuple[int, ...] = tuple(left_out)


@dataclass(frozen=True, eq=False)
class Window:
    """A part of a passage that was encoded by itself; all of it where the passage is short.

    Attributes:
        span: its characters ``[start, end)`` of the passage.
        encoded: its vectors; their spans count from the beginning of the passage.
    """

    span: tuple[int, int]
    encoded: TokenVectors

    def fits(self, characters: int) -> bool:
        """Tell whether it and all spans of its vectors lie within a text of so many characters."""
        import numpy as np

        spans = np.concatenate(([self.span], self.encoded.spans))
        return bool(
            (spans[:, 0] >= 0).all()
            and (spans[:, 0] <= spans[:, 1]).all()
            and (spans[:, 1] <= characters).all()
        )


@dataclass(frozen=True)
class Match:
    """One word of the query and the word of the passage that answered it best.

    Attributes:
        query_span: ``(start, end)`` characters of the query.
        passage_span: ``(start, end)`` characters of the passage.
        strength: cosine of the two token vectors, -1 to 1.
    """

    query_span: tuple[int, int]
    passage_span: tuple[int, int]
    strength: float


@dataclass(frozen=True, eq=False)
class HeatMap:
    """How like the tokens of a query and of a passage are; those of blanks are left out.

    Attributes:
        query_spans: ``(q, 2)`` int32 characters of the query.
        passage_spans: ``(p, 2)`` int32 characters of the passage, all within the best window.
        cosines: ``(q, p)`` float32.
    """

    query_spans: npt.NDArray[np.int32]
    passage_spans: npt.NDArray[np.int32]
    cosines: TokenMatrix

    def strongest(self, limit: int) -> npt.NDArray[np.int64]:
        """Return the positions of the passage's tokens that answered best, in the text's order."""
        import numpy as np

        if not self.cosines.size:
            return np.empty(0, dtype=np.int64)
        best = np.argsort(-self.cosines.max(axis=0), kind="stable")[:limit]
        return np.sort(best)


@dataclass(frozen=True)
class Leg:
    """What one way of searching gave a hit.

    Attributes:
        rank: its place in that leg's own ranking, 1 for the best; None where it was not among
            those that the leg brought.
        score: its score there: MaxSim in ``"late"``, BM25 in ``"lexical"``; 0 where it shares no
            word with the query.

    Example:
        >>> Leg(rank=1, score=23.1)
        Leg(rank=1, score=23.1)
    """

    rank: int | None
    score: float


@dataclass(frozen=True)
class Hit:
    """One retrieved passage.

    Attributes:
        id: the passage's identifier.
        score: what the hits were ranked by; compare scores of one query only. ``mode="late"``:
            MaxSim, the sum over the query's vectors of the best match (float32), which grows with
            their number; of a query that the model does not read at once, by how many standard
            deviations its best sentence lies above what that scores by chance. ``"lexical"``: BM25.
            ``"hybrid"``: the fused score, see ``legs`` for what it was made of. 0 where nothing was
            asked but a filter.
        relevance: 0..1, how far the score lies above what the same question scores by chance, so
            that a threshold means the same for short and long questions, for all languages, for
            indexes of all sizes and for ``rerank``; what threshold suits depends on the texts.
            Chance is what it scores on windows of this index; where these are few, on texts about
            everyday things that come with the library. In ``"lexical"`` the share of the question's
            words, weighted by their rarity, that the passage has.
        text: the passage's text.
        metadata: the passage's metadata, a fresh copy that is yours to change.
        window: characters ``[start, end)`` of the part of a long text that gave the score, and in
            which the evidence lies; None where the text is searched in one piece.
        legs: what each leg gave, by its name, ``"late"`` and ``"lexical"``: those that took part.
    """

    id: str
    score: float
    relevance: float
    text: str
    metadata: dict[str, Any]
    window: tuple[int, int] | None = field(default=None, kw_only=True)
    legs: Mapping[str, Leg] = field(default_factory=dict, kw_only=True)
    _find_evidence: Callable[[], tuple[Match, ...]] = field(
        default=tuple, repr=False, compare=False
    )

    @property
    def excerpt(self) -> str:
        """The part of the text that gave the score: all of it, or the best window."""
        return self.text if self.window is None else self.text[slice(*self.window)]

    @property
    def evidence(self) -> tuple[Match, ...]:
        """Which words of the passage answered which words of the query, strongest first.

        Worked out when first asked for, from the vectors that gave the score.
        """
        # Not a cached_property: in Python 3.11 that has one lock for all hits, which a thread would
        # hold while it waits for a server.
        known: tuple[Match, ...] | None = self.__dict__.get("evidence")
        if known is None:
            known = self.__dict__["evidence"] = self._find_evidence()
        return known

    def quote_evidence(self, query: str) -> list[dict[str, Any]]:
        """Return the evidence as JSON, with the words themselves.

        Args:
            query: the question that this hit answers.

        Returns:
            For each match, strongest first, ``query`` and ``passage``: ``[start, end]`` in
            characters; ``strength``; and ``words``: what stands there in the question and in the
            text.

        Example:
            >>> Hit("1", 1.0, 1.0, "Open at nine.", {}).quote_evidence("open?")
            []
        """
        return [
            {
                "query": list(match.query_span),
                "passage": list(match.passage_span),
                "strength": match.strength,
                "words": [query[slice(*match.query_span)], self.text[slice(*match.passage_span)]],
            }
            for match in self.evidence
        ]

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the evidence itself rather than the means to find it."""
        state = {"evidence": self.evidence, **self.__dict__}
        state["_find_evidence"] = tuple
        return state


@dataclass(frozen=True)
class IndexStats:
    """What an index holds.

    Attributes:
        path: its folder; None for an index in memory.
        model: how to ask for its model again.
        passages: live passages.
        windows: windows of the live passages; more than these where texts are long.
        deleted: passages that were deleted or replaced and still take room.
        vectors: token vectors of the live passages.
        dim: width of a vector.
        window_overlap: tokens that consecutive windows of a long text share at most.
        pool_factor: how many vectors of a text became one; 1 where they were kept as they are.
        pool_distance: the cosine distance up to which vectors of a text become one; None where
            none is fitted, so that each text is left the same share of its vectors.
        segments: number of segments.
        generation: number of commits so far.
        bytes: size of all files.
        bytes_per_vector: size of the vector files divided by the vectors in them, deleted ones
            included; 0 for an empty index.
        format_version: version of the on-disk format.
        storage: ``"exact"``, or ``"compressed"`` once vectors are kept in a few bits.
        nbits: how many bits a dimension; None for an exact index.
        recall: recall@10 against exact MaxSim when it was last measured: ``recall``, ``low`` and
            ``high`` (95 %), ``queries``, ``asked``, ``generation``; None if it never was.
        drift: how much further new vectors lie from their centroids than those that the codebook
            was made of, in squared length; or what share of them it has no centroid for.
        optimize_due: why ``optimize()`` is called for; None while it is not.
        forgettable: passages that were deleted or replaced, and of which texts, ids and metadata
            are still in the catalog.
        forget_due: from when on ``optimize()`` removes the first of them, in ISO 8601 (UTC); None
            where there are none.
        lexical_bytes: size of the lexical index; None where the index has none.
        lexical_pending: passages that are not in it yet, at most: the next ``add`` or ``optimize``
            fills them in.
        languages: how many live passages are in each language, by ISO 639 code, the most frequent
            first; ``"und"`` are those whose language cannot be told.
    """

    path: str | None
    model: str
    passages: int
    windows: int
    deleted: int
    vectors: int
    dim: int
    window_overlap: int
    pool_factor: int
    segments: int
    generation: int
    bytes: int
    bytes_per_vector: float
    format_version: int
    storage: str = "exact"
    nbits: int | None = None
    recall: dict[str, Any] | None = None
    drift: float = 0.0
    optimize_due: str | None = None
    forgettable: int = 0
    forget_due: str | None = None
    lexical_bytes: int | None = None
    lexical_pending: int = 0
    pool_distance: float | None = None
    languages: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class ViewStats:
    """What a view shows, counted. What depends on others, such as sizes of files, is not told.

    Attributes:
        passages: live passages.
        windows: their windows; more than these where texts are long.
        vectors: their token vectors.
        dim: width of a vector.
        languages: how many passages are in each language, by ISO 639 code, the most frequent
            first; ``"und"`` are those whose language cannot be told.
    """

    passages: int
    windows: int
    vectors: int
    dim: int
    languages: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)
