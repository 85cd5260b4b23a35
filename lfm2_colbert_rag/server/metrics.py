"""What the server counts, for Prometheus: no tenant, key or query is in any label."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters of one server; each is named ``lfm2_colbert_…`` where it is read."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()

        def named(name: str) -> str:
            return f"lfm2_colbert_{name}"

        self.requests = Counter(
            named("http_requests"),
            "Requests that were answered.",
            ["route", "method", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            named("http_request_seconds"),
            "Seconds from the head of a request to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.stages = Histogram(
            named("search_seconds"),
            "Seconds that searches waited (queue) and took (rank).",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.refused = Counter(
            named("rejected"),
            "Requests that were refused, by the code of the problem.",
            ["reason"],
            registry=registry,
        )
        self.failures = Counter(
            named("auth_failures"),
            "Requests without a valid key.",
            ["reason"],
            registry=registry,
        )
        self.added = Counter(
            named("ingest_passages"), "Passages that were added.", registry=registry
        )
        self.commits = Histogram(
            named("ingest_commit_seconds"),
            "Seconds of a commit, encoding included.",
            buckets=(*_SECONDS, 30.0, 60.0),
            registry=registry,
        )
        self.gauges = {
            name: Gauge(named(name), said, registry=registry)
            for name, said in (
                ("search_queue_length", "Searches that wait for their turn."),
                ("search_running", "Searches that are being answered."),
                ("ingest_queue_length", "Blocks that wait for the writing process."),
                ("ingest_restarts", "How often the writing process had to be started again."),
                ("ready", "1 while a search would be accepted."),
                ("indexes", "Indexes in the folder."),
                ("audit_failed", "1 while the audit log cannot be written."),
                (
                    "tls_certificate_expiry_seconds",
                    "When the certificate expires, in seconds since 1970.",
                ),
            )
        }
        self.build = Info(named("build"), "What runs.", registry=registry)
        # Memory, time and open files of the process that answers; nothing where there is no /proc.
        ProcessCollector(namespace="lfm2_colbert", registry=registry)

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self._registry)
