"""What the server counts, for Prometheus: no tenant, key or query is in any label."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from ..types import IndexStats

# A second series for each counter, which says when it began.
disable_created_metrics()  # type: ignore[no-untyped-call]

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)
_PREFIX = "lfm2_colbert"


_OF_INDEXES = {
    "passages": "Passages that live in an index that tenants share.",
    "bytes": "Size of the files of such an index.",
    "generation": "Commits of such an index.",
    "optimize_due": "1 while optimizing such an index is called for.",
}
_GAUGES = {
    "search_queue_length": "Searches that wait for their turn.",
    "search_running": "Searches that are being answered.",
    "ingest_queue_length": "Blocks that wait for the writing process.",
    "ready": "1 while a search would be accepted.",
    "indexes": "Indexes in the folder.",
    "audit_failed": "1 while the audit log cannot be written.",
    "audit_write_errors": "How often the audit log could not be written.",
    "tls_certificate_expiry_seconds": "When the certificate expires, in seconds since 1970.",
}


class Metrics:
    """Counters of one server; each is named ``lfm2_colbert_…`` where it is read."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = self._counter(
            "http_requests", "Requests that were answered.", "route", "method", "status"
        )
        self.seconds = self._histogram(
            "http_request_seconds",
            "Seconds from the head of a request to the end of its answer.",
            "route",
        )
        self.stages = self._histogram(
            "search_seconds", "Seconds that searches waited (queue) and took (rank).", "stage"
        )
        self.refused = self._counter(
            "rejected", "Requests that were refused, by the code of the problem.", "reason"
        )
        self.failures = self._counter("auth_failures", "Requests without a valid key.", "reason")
        self.added = self._counter("ingest_passages", "Passages that were added.")
        self.commits = self._histogram(
            "ingest_commit_seconds", "Seconds of a commit, encoding included."
        )
        self.restarts = self._counter(
            "ingest_restarts", "How often the writing process had to be started again."
        )
        self._indexes = {
            name: self._gauge(f"index_{name}", said, "index") for name, said in _OF_INDEXES.items()
        }
        self.gauges = {name: self._gauge(name, said) for name, said in _GAUGES.items()}
        self.build = Info(f"{_PREFIX}_build", "What runs.", registry=self._registry)
        # Memory, time and open files of the process that answers; nothing where there is no /proc.
        ProcessCollector(namespace=_PREFIX, registry=self._registry)

    def _counter(self, name: str, said: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", said, labels, registry=self._registry)

    def _gauge(self, name: str, said: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", said, labels, registry=self._registry)

    def _histogram(self, name: str, said: str, *labels: str) -> Histogram:
        return Histogram(
            f"{_PREFIX}_{name}", said, labels, buckets=_SECONDS, registry=self._registry
        )

    def count_index(self, name: str, found: IndexStats) -> None:
        """Show what an index holds that tenants share."""
        for what in ("passages", "bytes", "generation"):
            self._indexes[what].labels(name).set(getattr(found, what))
        self._indexes["optimize_due"].labels(name).set(found.optimize_due is not None)

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self._registry)
