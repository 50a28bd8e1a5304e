"""What an on-call engineer asks at 3 a.m., as Prometheus metrics on a registry of their own."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition
from posthuman.api.job import ComputeJob
from posthuman.queue import Outcome

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
PASS_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counts; implements the observers of the queue, the client, the watches and the ledger."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._depth = Gauge(
            "posthuman_queue_depth", "Keys in line for a reconcile.", registry=self.registry
        )
        self._waits = self._histogram(
            "posthuman_queue_wait_seconds", "From being woken to the pass.", ["kind"]
        )
        self._passes = self._histogram(
            "posthuman_reconcile_seconds", "Length of a reconcile.", ["kind", "outcome"]
        )
        self._requests = self._histogram(
            "posthuman_api_request_seconds", "Requests to the API server.", ["verb", "kind"]
        )
        self._writes = Counter(
            "posthuman_api_writes",
            "Writes to the API server; code 0: it was not reached.",
            ["verb", "kind", "code"],
            registry=self.registry,
        )
        self._lag = self._histogram(
            "posthuman_watch_lag_seconds", "From a write's answer to its watch event.", ["kind"]
        )
        signer = ["chain_id", "signer"]
        self._nonce_gap = Gauge(
            "posthuman_nonce_gap",
            "Nonces from the oldest unresolved one to the next free one.",
            signer,
            registry=self.registry,
        )
        self._balance = Gauge(
            "posthuman_signer_balance_wei",
            "What the signer can pay with.",
            signer,
            registry=self.registry,
        )

    def queue_depth(self, depth: int) -> None:
        self._depth.set(depth)

    def queue_wait(self, kind: str, seconds: float) -> None:
        self._waits.labels(kind).observe(seconds)

    def queue_pass(self, kind: str, seconds: float, outcome: Outcome) -> None:
        self._passes.labels(kind, outcome).observe(seconds)

    def api_call(self, verb: str, kind: str, code: int, seconds: float) -> None:
        self._requests.labels(verb, kind).observe(seconds)
        if verb in WRITES:
            self._writes.labels(verb, kind, str(code)).inc()

    def watch_lag(self, kind: str, seconds: float) -> None:
        self._lag.labels(kind).observe(seconds)

    def nonce_gap(self, chain_id: int, signer: str, gap: int) -> None:
        self._nonce_gap.labels(str(chain_id), signer).set(gap)

    def signer_balance(self, chain_id: int, signer: str, wei: int) -> None:
        self._balance.labels(str(chain_id), signer).set(wei)

    def add(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Have facts counted when they are asked for."""
        self.registry.register(_AtScrape(collect))

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)

    def _histogram(self, name: str, text: str, labels: Sequence[str]) -> Histogram:
        return Histogram(name, text, labels, buckets=PASS_SECONDS, registry=self.registry)


class _AtScrape(Collector):
    """Facts that are counted at the time they are asked for."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        yield from self._collect()


def jobs_metric(jobs: Iterable[ComputeJob]) -> Metric:
    """Jobs by environment, phase, and the reason for it."""
    metric = GaugeMetricFamily(
        "posthuman_jobs", "Jobs, and why they are in their phase.", labels=JOB_LABELS
    )
    for labels, count in Tally(_job_labels(job) for job in jobs).items():
        metric.add_metric(labels, count)
    return metric


def publications_metric(assets: Iterable[ModelAsset]) -> Metric:
    """Transactions of publications, by step and whether the chain confirmed them."""
    metric = GaugeMetricFamily(
        "posthuman_publication_steps", "Transactions of assets.", labels=["step", "state"]
    )
    records = [record for asset in assets for record in asset.status.transactions]
    tally = Tally((record.step, "confirmed" if record.block else "sent") for record in records)
    for labels, count in tally.items():
        metric.add_metric(labels, count)
    return metric


def silence_metric(seconds: dict[str, float]) -> Metric:
    """For how long each watch has been silent; bookmarks keep it near a minute at most."""
    metric = GaugeMetricFamily(
        "posthuman_watch_silence_seconds", "Since a watch last said anything.", labels=["kind"]
    )
    for kind, silent in seconds.items():
        metric.add_metric([kind], silent)
    return metric


JOB_LABELS = ["environment", "phase", "reason"]


def _job_labels(job: ComputeJob) -> tuple[str, ...]:
    why = find_condition(job.status.conditions, "Succeeded")
    phase = job.status.phase.value if job.status.phase else "New"
    return (job.spec.environment_ref.name, phase, why.reason if why else "")
