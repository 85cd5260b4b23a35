"""The routes of our own API, and those of the server's health."""

from __future__ import annotations

from . import answers, bodies
from .handlers import auditing, health, keeping, managing, searching, writing
from .request import JSON, NDJSON
from .route import MEBIBYTE, Route

_INDEX = "/v1/indexes/{index}"
_UNKNOWN = ("index-not-found",)
_NONE = ("index-not-found", "passage-not-found")
_WRITING = (*_UNKNOWN, "storage-full", "index-locked", "read-only", "interrupted")

NATIVE: tuple[Route, ...] = (
    Route(
        *("GET", "/livez", "live", None, health.live, "Whether the server runs."),
        answer=answers.StatusAnswer,
    ),
    *(
        Route(
            *("GET", path, name, None, health.ready, "Whether a search would be accepted."),
            answer=answers.StatusAnswer,
            problems=("starting", "draining"),
        )
        for path, name in (("/readyz", "ready"), ("/healthz", "healthy"))
    ),
    Route(
        *("GET", "/metrics", "metrics", "metrics", health.metrics, "Figures for Prometheus."),
        answered=("text/plain",),
    ),
    Route(
        *("GET", "/openapi.json", "openapi", "search", health.document),
        "This document.",
        answer=dict,
    ),
    Route(
        *("GET", "/v1/indexes", "list_indexes", "search", searching.list_indexes),
        "The indexes that the key may see.",
        answer=answers.IndexesAnswer,
    ),
    Route(
        *("POST", "/v1/indexes", "create_index", "admin", managing.create_index),
        "Make an empty index.",
        body=bodies.NewIndexBody,
        answer=answers.IndexName,
        status=201,
        writes=True,
        problems=("index-exists", "storage-full", "interrupted"),
    ),
    Route(
        *("GET", _INDEX, "describe_index", "search", searching.describe),
        "What an index, or the caller's part of it, holds.",
        answer=answers.IndexAnswer,
        problems=_UNKNOWN,
    ),
    Route(
        *("DELETE", _INDEX, "drop_index", "admin", managing.drop_index),
        "Remove an index with all that it holds.",
        status=204,
        answered=(),
        writes=True,
        problems=(*_UNKNOWN, "interrupted"),
    ),
    Route(
        *("POST", f"{_INDEX}/search", "search", "search", searching.search),
        "Find the passages that answer a question best, in any language.",
        body=bodies.SearchBody,
        answer=answers.SearchAnswer,
        problems=_UNKNOWN,
    ),
    Route(
        *("POST", f"{_INDEX}/rank", "rank", "search", searching.rank),
        "Answer questions by ids and scores alone.",
        body=bodies.RankBody,
        answer=answers.RankAnswer,
        problems=_UNKNOWN,
    ),
    Route(
        *("POST", f"{_INDEX}/rerank", "rerank", "rerank", searching.rerank),
        "Order texts of one's own for a question.",
        body=bodies.RerankBody,
        answer=answers.HitsAnswer,
        problems=(*_UNKNOWN, "too-many-tokens"),
    ),
    Route(
        *("POST", f"{_INDEX}/explain", "explain", "search", searching.explain),
        "Show which words of a passage answered which of a question.",
        body=bodies.ExplainBody,
        answer=answers.ExplanationAnswer,
        problems=_NONE,
    ),
    Route(
        *("POST", f"{_INDEX}/plan", "plan", "search", searching.plan),
        "Show how a question is answered.",
        body=bodies.PlanBody,
        answer=dict,
        problems=_UNKNOWN,
    ),
    Route(
        *("POST", f"{_INDEX}/count", "count", "read", searching.count),
        "Count passages.",
        body=bodies.CountBody,
        answer=answers.CountAnswer,
        problems=_UNKNOWN,
    ),
    Route(
        *("POST", f"{_INDEX}/passages:get", "get_passages", "read", searching.get_many),
        "Return passages by their ids.",
        body=bodies.GetBody,
        answer=answers.PassagesAnswer,
        problems=_UNKNOWN,
    ),
    Route(
        *("POST", f"{_INDEX}/passages:list", "list_passages", "read", searching.list_passages),
        "Send all passages that match, a line for each, in the order in which they were added.",
        body=bodies.ListBody,
        answer=answers.PassageAnswer,
        answered=(NDJSON,),
        problems=_NONE,
    ),
    Route(
        *("POST", f"{_INDEX}/passages:delete", "delete_passages", "write", writing.delete),
        "Delete passages in one commit.",
        body=bodies.DeleteBody,
        answer=answers.DeleteAnswer,
        writes=True,
        problems=_WRITING,
        is_raw=True,
    ),
    Route(
        *("POST", f"{_INDEX}/passages:stream", "stream_passages", "write", writing.add_stream),
        "Add passages, a line for each, in a commit for each block of lines.",
        body=bodies.NewPassage,
        answer=answers.StreamAnswer,
        media=NDJSON,
        answered=(JSON, NDJSON),
        most=None,
        writes=True,
        problems=_WRITING,
        is_raw=True,
    ),
    Route(
        *("PUT", f"{_INDEX}/passages", "add_passages", "write", writing.add),
        "Add or replace passages in one commit.",
        body=bodies.AddBody,
        answer=answers.AddAnswer,
        most=32 * MEBIBYTE,
        writes=True,
        problems=_WRITING,
        is_raw=True,
    ),
    Route(
        *("GET", f"{_INDEX}/passages/{{id:path}}", "get_passage", "read", searching.get_one),
        "Return a passage by its id.",
        answer=answers.PassageAnswer,
        problems=_NONE,
    ),
    Route(
        *("POST", f"{_INDEX}/jobs", "begin_job", "admin", managing.begin_job),
        "Begin long work on an index.",
        body=bodies.JobBody,
        answer=answers.JobAnswer,
        status=202,
        writes=True,
        problems=_UNKNOWN,
    ),
    Route(
        *("GET", "/v1/jobs", "list_jobs", "admin", managing.list_jobs),
        "All long work since the server started.",
        answer=answers.JobsAnswer,
    ),
    Route(
        *("GET", "/v1/jobs/{job}", "get_job", "admin", managing.get_job),
        "How far a job is.",
        answer=answers.JobAnswer,
        problems=("job-not-found",),
    ),
    Route(
        *("DELETE", "/v1/jobs/{job}", "cancel_job", "admin", managing.cancel_job),
        "Let a job stop.",
        answer=answers.JobAnswer,
        writes=True,
        problems=("job-not-found",),
    ),
    Route(
        *("GET", "/v1/keys", "list_keys", "admin", keeping.list_keys),
        "The keys of the indexes that the key may see, without what is secret of them.",
        answer=answers.KeysAnswer,
        problems=("key-file",),
    ),
    Route(
        *("POST", "/v1/keys", "create_key", "admin", keeping.create_key),
        "Make a key, which is shown this once; it is never for more than the key that asks.",
        body=bodies.NewKeyBody,
        answer=answers.NewKeyAnswer,
        status=201,
        writes=True,
        problems=("key-file", "read-only-server"),
    ),
    Route(
        *("DELETE", "/v1/keys/{key}", "revoke_key", "admin", keeping.revoke_key),
        "End a key for ever, with all tokens that were made of it.",
        answer=answers.KeyAnswer,
        writes=True,
        problems=("key-not-found", "key-file", "read-only-server"),
    ),
    Route(
        *("POST", "/v1/tokens", "create_token", "any", keeping.make_token),
        "Make a token of the key that asks, for less than it may do.",
        body=bodies.TokenBody,
        answer=answers.TokenAnswer,
        status=201,
    ),
    Route(
        *("GET", "/v1/audit", "list_audit", "audit", auditing.list_days),
        "The days of which there is an audit log.",
        answer=answers.AuditDaysAnswer,
        problems=("audit-day-not-found",),
    ),
    Route(
        *("GET", "/v1/audit/{day}", "read_audit", "audit", auditing.read_day),
        "The lines of a day, as they stand in the log.",
        answer=dict,
        answered=(NDJSON,),
        problems=("audit-day-not-found",),
    ),
)
"""One path's literal routes come before those with a name in their place."""
