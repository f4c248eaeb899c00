"""The worker's Prometheus metrics, in a registry of their own, optionally served over HTTP."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from dantaro.errors import ConfigurationError

_TASK = "task"
"""The label that names the job: `job` is Prometheus' own."""

_SECONDS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """What is counted about a worker's jobs."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._runs = Counter(
            "dantaro_worker_job_runs",
            "Slots that ran to an end on this worker.",
            (_TASK, "outcome"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "dantaro_worker_job_seconds",
            "Real seconds of one attempt of a job.",
            (_TASK,),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._counted = Counter(
            "dantaro_worker_job_items",
            "What the jobs counted: candles stored, rows rejected by reason, and so on.",
            (_TASK, "item"),
            registry=self.registry,
        )
        self._succeeded_at = Gauge(
            "dantaro_worker_job_last_success_timestamp_seconds",
            "Real time at which the job last succeeded on this worker.",
            (_TASK,),
            registry=self.registry,
        )
        self._running = Gauge(
            "dantaro_worker_jobs_running", "Jobs that are running now.", registry=self.registry
        )
        self._beat_at = Gauge(
            "dantaro_worker_heartbeat_timestamp_seconds",
            "Real time of the last heartbeat that reached the database.",
            registry=self.registry,
        )
        self._generation = Gauge(
            "dantaro_worker_generation",
            "Number of the newest generation published by this worker.",
            registry=self.registry,
        )
        self.totals: dict[str, int] = {"runs_succeeded": 0, "runs_failed": 0, "runs_abandoned": 0}

    @contextmanager
    def running(self, job: str) -> Iterator[None]:
        """Around one attempt of `job`."""
        started = time.monotonic()
        self._running.inc()
        try:
            yield
        finally:
            self._running.dec()
            self._seconds.labels(job).observe(time.monotonic() - started)

    def finished(self, job: str, outcome: str, counts: Mapping[str, int]) -> None:
        """A slot of `job` came to its end."""
        self._runs.labels(job, outcome).inc()
        self.totals[f"runs_{outcome}"] += 1
        if outcome == "succeeded":
            self._succeeded_at.labels(job).set(time.time())
        for item, count in counts.items():
            if item == "generation":
                self._generation.set(count)
            elif count > 0:
                self._counted.labels(job, item).inc(count)
        for item in ("candles_stored", "rows_rejected"):
            self.totals[item] = self.totals.get(item, 0) + counts.get(item, 0)

    def beat(self) -> None:
        """A heartbeat reached the database."""
        self._beat_at.set(time.time())


class MetricsServer:
    """Serves `metrics` at `/metrics` on a thread of its own.

    Raises:
        ConfigurationError: the address cannot be used.
    """

    def __init__(self, metrics: Metrics, *, host: str, port: int) -> None:
        try:
            server, thread = start_http_server(port, addr=host, registry=metrics.registry)
        except OSError as error:
            raise ConfigurationError(
                f"the worker's metrics cannot be served on {host}:{port} "
                f"({error.strerror or error}); set DANTARO_WORKER_METRICS_PORT to another port, or 0"
            ) from error
        self._server: WSGIServer = server
        self._thread: threading.Thread = thread

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_port

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
