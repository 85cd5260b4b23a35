"""What Dify's external knowledge API asks and is answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from ..bodies import MOST_HITS, Query

Scalar: TypeAlias = str | int | float | bool | None


class RetrievalSetting(Struct, frozen=True):
    """How many records at most, and how relevant at least."""

    top_k: Annotated[int, Meta(ge=1, le=MOST_HITS)] = 4
    score_threshold: Annotated[float, Meta(ge=0, le=1)] | None = None


class Condition(Struct):
    """A condition on a field of the metadata, or on any of some fields."""

    name: str | Annotated[list[str], Meta(min_length=1, max_length=64)]
    comparison_operator: str
    value: Scalar | Annotated[list[Scalar], Meta(max_length=1000)] = None


class MetadataCondition(Struct):
    """Conditions, all or any of which must be met."""

    conditions: Annotated[list[Condition], Meta(max_length=256)] | None = None
    logical_operator: Literal["and", "or"] = "and"


class RetrievalBody(Struct):
    """A question to an index, which Dify calls knowledge."""

    knowledge_id: str
    query: Query
    retrieval_setting: RetrievalSetting = RetrievalSetting()
    metadata_condition: MetadataCondition | None = None


class Record(Struct):
    """A passage that was found."""

    content: str
    score: float
    title: str
    metadata: dict[str, Any]


class RetrievalAnswer(Struct):
    """Passages, best first."""

    records: list[Record]
