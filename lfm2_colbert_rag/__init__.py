"""Cross-lingual late-interaction retrieval: index once in one language, ask in any other.

Example:
    >>> from lfm2_colbert_rag import Retriever
    >>> retriever = Retriever.from_texts(["Paris est la capitale de la France."], model="nano")
    >>> retriever.search("What is the capital of France?", k=1)[0].text
    'Paris est la capitale de la France.'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._support.characters import is_blank
    from ._support.intake import plain_metadata
    from .client import AsyncClient, Client
    from .encoder import Encoder, load_encoder
    from .encoder.aligned_texts import AlignedTexts
    from .encoder.alignment import Alignment, align
    from .encoder.onnx.model_export import export_model
    from .encoder.query_adapter import QueryAdapter
    from .encoder.streaming import encode_stream
    from .errors import LFM2ColBERTError
    from .index.maxsim import maxsim, maxsim_pairwise
    from .index.settings import SearchSettings
    from .retriever import Retriever
    from .retriever.fields import MetadataField, describe_fields, why_nothing
    from .retriever.maintenance.migration import Migration, MigrationStatus
    from .retriever.maintenance.purging import PurgeReceipt
    from .retriever.maintenance.recall import Recall
    from .retriever.options import IndexOptions
    from .retriever.remote_facade import RemoteRetriever
    from .retriever.search.explanation import Explanation
    from .retriever.search.fusion_tuning import FusionReport
    from .retriever.search.plan import FusionPlan, SearchPlan
    from .retriever.view import View
    from .retriever.warming import Warmed, warm
    from .storage.tunings import Fusion
    from .types import (
        AddedIds,
        HeatMap,
        Hit,
        IndexStats,
        Leg,
        Match,
        Mode,
        Passage,
        Storage,
        TokenVectors,
        ViewStats,
        Window,
        public_metadata,
    )

__version__ = "0.1.0"

__all__ = [
    "AddedIds",
    "AlignedTexts",
    "Alignment",
    "AsyncClient",
    "Client",
    "Encoder",
    "Explanation",
    "Fusion",
    "FusionPlan",
    "FusionReport",
    "HeatMap",
    "Hit",
    "IndexOptions",
    "IndexStats",
    "LFM2ColBERTError",
    "Leg",
    "Match",
    "MetadataField",
    "Migration",
    "MigrationStatus",
    "Mode",
    "Passage",
    "PurgeReceipt",
    "QueryAdapter",
    "Recall",
    "RemoteRetriever",
    "Retriever",
    "SearchPlan",
    "SearchSettings",
    "Storage",
    "TokenVectors",
    "View",
    "ViewStats",
    "Warmed",
    "Window",
    "__version__",
    "align",
    "describe_fields",
    "encode_stream",
    "export_model",
    "is_blank",
    "load_encoder",
    "maxsim",
    "maxsim_pairwise",
    "plain_metadata",
    "public_metadata",
    "warm",
    "why_nothing",
]

# Loaded on first use, so that importing the package costs nothing that is not used.
_HOME = {
    "AlignedTexts": ".encoder.aligned_texts",
    "Alignment": ".encoder.alignment",
    "QueryAdapter": ".encoder.query_adapter",
    "AsyncClient": ".client",
    "Client": ".client",
    "align": ".encoder.alignment",
    "Encoder": ".encoder",
    "Explanation": ".retriever.search.explanation",
    "Fusion": ".storage.tunings",
    "FusionPlan": ".retriever.search.plan",
    "FusionReport": ".retriever.search.fusion_tuning",
    "IndexOptions": ".retriever.options",
    "LFM2ColBERTError": ".errors",
    "MetadataField": ".retriever.fields",
    "Migration": ".retriever.maintenance.migration",
    "MigrationStatus": ".retriever.maintenance.migration",
    "PurgeReceipt": ".retriever.maintenance.purging",
    "Recall": ".retriever.maintenance.recall",
    "RemoteRetriever": ".retriever.remote_facade",
    "Retriever": ".retriever",
    "SearchPlan": ".retriever.search.plan",
    "SearchSettings": ".index.settings",
    "describe_fields": ".retriever.fields",
    "encode_stream": ".encoder.streaming",
    "export_model": ".encoder.onnx.model_export",
    "is_blank": "._support.characters",
    "load_encoder": ".encoder",
    "maxsim": ".index.maxsim",
    "maxsim_pairwise": ".index.maxsim",
    "View": ".retriever.view",
    "Warmed": ".retriever.warming",
    "plain_metadata": "._support.intake",
    "warm": ".retriever.warming",
    "why_nothing": ".retriever.fields",
}
_TYPES = (
    "AddedIds",
    "HeatMap",
    "Hit",
    "IndexStats",
    "Leg",
    "Match",
    "Mode",
    "Passage",
    "Storage",
    "TokenVectors",
    "ViewStats",
    "Window",
    "public_metadata",
)
_HOME |= dict.fromkeys(_TYPES, ".types")


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names only."""
    return sorted(__all__)
