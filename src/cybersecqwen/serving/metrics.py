"""Counts for Prometheus; none has a label that a client can choose freely."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """A registry of the service's own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._requests = Counter(
            "cybersecqwen_requests_total",
            "Requests answered",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "cybersecqwen_request_seconds",
            "Seconds from a request's head to its answer's end",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.under_way = Gauge(
            "cybersecqwen_requests_under_way", "Requests under way", registry=self._registry
        )
        self.texts = Counter(
            "cybersecqwen_texts_mapped_total", "Texts mapped", registry=self._registry
        )
        self.tokens = Counter(
            "cybersecqwen_tokens_written_total",
            "Tokens that the language model has written",
            registry=self._registry,
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status or 499)).inc()
        self._seconds.labels(route).observe(seconds)

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Report a number that is looked up when it is asked for."""
        Gauge(f"cybersecqwen_{name}", meaning, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self._registry)
