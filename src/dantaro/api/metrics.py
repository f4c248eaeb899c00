"""Prometheus metrics of the API.

The counters are plain numbers that one event loop adds to, since a metric object with its lock costs
more than the rest of the hot path. They become metrics when they are asked for.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper bounds of the latency buckets, in seconds."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """The state of the API as metrics see it; what is not known is None and left out.

    `part_ages` maps a part to its age in seconds and whether that counts as stale.
    """

    generation: int | None
    data_age_seconds: float | None
    stale: bool | None
    part_ages: Mapping[str, tuple[float, bool]]
    detached: bool
    exchange_age_seconds: Mapping[str, float]
    latency_seconds: Mapping[str, float]
    encodings: int
    encoded_bytes: int


@dataclass(slots=True)
class _Latency:
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0


class Metrics:
    """Counts requests; `gauges` is asked when the metrics are read."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], int] = {}
        self._latencies: dict[str, _Latency] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (method, route, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        latency = self._latencies.get(route)
        if latency is None:
            latency = self._latencies[route] = _Latency()
        latency.counts[bisect_left(BUCKETS, seconds)] += 1
        latency.seconds += seconds

    def text(self, gauges: Gauges) -> bytes:
        """Everything in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(_Families(lambda: self._families(gauges)))
        ProcessCollector(registry=registry)
        return generate_latest(registry)

    def _families(self, gauges: Gauges) -> Iterator[Metric]:
        yield self._request_counts()
        yield self._request_seconds()
        yield from _state(gauges)
        yield from _parts(gauges)
        ages = GaugeMetricFamily(
            "dantaro_exchange_data_age_seconds",
            "Age of the newest closed candle of an exchange behind the current generation.",
            labels=["exchange"],
        )
        for exchange, age in sorted(gauges.exchange_age_seconds.items()):
            ages.add_metric([exchange], age)
        yield ages
        latency = GaugeMetricFamily(
            "dantaro_backend_latency_seconds",
            "Duration of the last round trip; no sample while it cannot be reached.",
            labels=["backend"],
        )
        for backend, seconds in sorted(gauges.latency_seconds.items()):
            latency.add_metric([backend], seconds)
        yield latency

    def _request_counts(self) -> Metric:
        family = CounterMetricFamily(
            "dantaro_http_requests", "Requests answered.", labels=["method", "route", "status"]
        )
        for (method, route, status), count in sorted(self._requests.items()):
            family.add_metric([method, route, str(status)], count)
        return family

    def _request_seconds(self) -> Metric:
        family = HistogramMetricFamily(
            "dantaro_http_request_seconds",
            "Time from a request's arrival to its answer.",
            labels=["route"],
        )
        for route, latency in sorted(self._latencies.items()):
            total, buckets = 0, []
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), latency.counts, strict=True):
                total += count
                buckets.append((bound, float(total)))
            family.add_metric([route], buckets, latency.seconds)
        return family


class _Families(Collector):
    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return self._families()


def _parts(gauges: Gauges) -> Iterator[Metric]:
    ages = GaugeMetricFamily(
        "dantaro_part_data_age_seconds",
        "Age of the newest closed candle behind a part of the current generation.",
        labels=["part"],
    )
    stale = GaugeMetricFamily(
        "dantaro_part_stale", "1 when a part of the current generation is stale.", labels=["part"]
    )
    for part, (age, is_stale) in sorted(gauges.part_ages.items()):
        ages.add_metric([part], age)
        stale.add_metric([part], float(is_stale))
    yield ages
    yield stale


def _state(gauges: Gauges) -> Iterator[Metric]:
    plain: tuple[tuple[str, str, float | None], ...] = (
        ("dantaro_generation", "Number of the generation that is served.", gauges.generation),
        (
            "dantaro_data_age_seconds",
            "Age of the oldest part of the current generation: of the newest closed candle behind it.",
            gauges.data_age_seconds,
        ),
        (
            "dantaro_data_stale",
            "1 when some part of the served generation counts as stale.",
            None if gauges.stale is None else float(gauges.stale),
        ),
        (
            "dantaro_detached",
            "1 while the database cannot be read and the last good generation is served.",
            float(gauges.detached),
        ),
        ("dantaro_answers_encoded", "Answers encoded since the start.", gauges.encodings),
        ("dantaro_answers_bytes", "Memory held by encoded answers.", gauges.encoded_bytes),
    )
    for name, description, value in plain:
        if value is not None:
            yield GaugeMetricFamily(name, description, value=value)
