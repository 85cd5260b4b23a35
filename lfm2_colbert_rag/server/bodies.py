"""What the bodies of requests hold; what is not named here is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from ..types import Mode

LONGEST_QUERY = 4096  # characters
MOST_QUERIES = 32  # of one request
MOST_HITS = 1000
MOST_PASSAGES = 1000  # of one commit by PUT, of one rerank, of one get
LONGEST_ID = 512  # characters

Query: TypeAlias = Annotated[
    str,
    Meta(
        max_length=LONGEST_QUERY,
        description="A question or a statement in plain words, in any language.",
    ),
]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
HowMany: TypeAlias = Annotated[
    int, Meta(ge=1, le=MOST_HITS, description="How many passages at most.")
]
Filter: TypeAlias = Annotated[
    dict[str, Any],
    Meta(
        description='What metadata must match, such as {"year": {"$gte": 2024}}; $id is the id.',
        examples=[{"lang": {"$in": ["de", "en"]}}],
    ),
]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Adapter: TypeAlias = Literal["auto", "none"]


class Body(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A body of which every member is known."""


class SearchBody(Body):
    """A question, or several, and how they are to be answered."""

    query: Query | None = None
    queries: Annotated[list[Query], Meta(min_length=1, max_length=MOST_QUERIES)] | None = None
    k: HowMany = 10
    where: Filter | None = None
    mode: Mode | None = None
    threshold: (
        Annotated[Share, Meta(description="The relevance below which hits are left out.")] | None
    ) = None
    diversity: Share | None = None
    fetch_k: HowMany | None = None
    query_adapter: Adapter | None = None
    evidence: Annotated[
        bool, Meta(description="Whether to show which words answered which of the query.")
    ] = False
    excerpts: Annotated[
        bool, Meta(description="Whether the best window comes in the place of each text.")
    ] = False


class RankBody(Body):
    """Questions of which ids and scores alone are wanted."""

    queries: Annotated[list[Query], Meta(min_length=1, max_length=MOST_QUERIES)]
    k: HowMany = 10
    where: Filter | None = None
    mode: Mode | None = None
    query_adapter: Adapter | None = None


class Candidate(Body):
    """A text of the client's own."""

    id: Id
    text: str
    metadata: dict[str, Any] = {}


class RerankBody(Body):
    """Texts of the client's own, to be ordered for a question."""

    query: Query
    candidates: Annotated[list[str | Candidate], Meta(max_length=MOST_PASSAGES)]
    k: HowMany | None = None
    strict: bool = False
    query_adapter: Adapter | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    evidence: bool = False


class ExplainBody(Body):
    """A question, and the passage whose score is to be explained."""

    query: Query
    id: Id
    query_adapter: Adapter | None = None


class PlanBody(Body):
    """A question of which is asked how it is answered."""

    query: Query
    k: HowMany = 10
    where: Filter | None = None
    mode: Mode | None = None
    query_adapter: Adapter | None = None


class CountBody(Body):
    """What is to be counted."""

    where: Filter | None = None


class GetBody(Body):
    """Ids of passages."""

    ids: Annotated[list[Id], Meta(max_length=MOST_PASSAGES)]


class ListBody(Body):
    """Which passages to list."""

    where: Filter | None = None
    limit: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    after: Id | None = None


class NewPassage(Body):
    """A passage to be added; without an id, it gets one from what it holds."""

    text: str
    id: Id | None = None
    metadata: dict[str, Any] | None = None


class AddBody(Body):
    """Passages to be added or replaced in one commit."""

    passages: Annotated[list[NewPassage], Meta(max_length=MOST_PASSAGES)]
    strict: bool = False


class DeleteBody(Body):
    """What is to be deleted: one of the three."""

    ids: Annotated[list[Id], Meta(max_length=10_000)] | None = None
    where: Filter | None = None
    all: bool = False


class NewIndexBody(Body):
    """An index to be made."""

    name: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    storage: Literal["exact", "compressed", "auto"] | None = None
    nbits: Literal[2, 4] | None = None
    lexical: bool | None = None
    window_overlap: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    pool_factor: Annotated[int, Meta(ge=1, le=100)] | None = None


JobKind: TypeAlias = Literal["optimize", "verify", "backup", "export", "purge"]


Names: TypeAlias = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=256)]], Meta(max_length=1000)
]
Seconds: TypeAlias = Annotated[float, Meta(ge=1, le=1e10)]


class NarrowingBody(Body):
    """What is less than what the key that asks may do; what is left out stays."""

    scopes: Names | None = None
    indexes: Names | None = None
    tenant: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    where: Filter | None = None
    fields: Names | None = None


class NewKeyBody(NarrowingBody, kw_only=True):
    """A key to be made."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    rate: Annotated[float, Meta(gt=0, le=1e6, description="Requests a second.")] | None = None
    expires_in: Annotated[Seconds, Meta(description="Seconds from now.")] | None = None


class TokenBody(NarrowingBody):
    """A token to be made of the key that asks."""

    subject: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    expires_in: Annotated[float, Meta(ge=1, le=86_400, description="Seconds from now.")] = 3600


class JobBody(Body):
    """Long work on an index."""

    kind: JobKind
