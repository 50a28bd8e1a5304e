"""What an on-call engineer asks of a gateway, as Prometheus metrics on a registry of their own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"  # a client may make up any word, and each would be a series for ever
ANSWER_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600)


class GatewayMetrics:
    """Implements the observers of the access log and of the API server's client."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answers = Histogram(
            "posthuman_gateway_answer_seconds",
            "From a request to the last byte of its answer.",
            ["method", "route", "status"],
            buckets=ANSWER_SECONDS,
            registry=self.registry,
        )
        self._sent = Counter(
            "posthuman_gateway_sent_bytes",
            "Bytes of answers.",
            ["route"],
            registry=self.registry,
        )
        self._requests = Histogram(
            "posthuman_gateway_api_request_seconds",
            "Requests to the Kubernetes API.",
            ["verb", "kind", "code"],
            registry=self.registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float, sent: int) -> None:
        """`route`: the path's pattern, not the path: there are few of them."""
        known = method if method in METHODS else OTHER_METHOD
        self._answers.labels(known, route, str(status)).observe(seconds)
        self._sent.labels(route).inc(sent)

    def api_call(self, verb: str, kind: str, code: int, seconds: float) -> None:
        """One request to the Kubernetes API."""
        self._requests.labels(verb, kind, str(code)).observe(seconds)

    def render(self) -> bytes:
        """The page."""
        return generate_latest(self.registry)
