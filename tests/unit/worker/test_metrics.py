from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from dantaro.errors import ConfigurationError
from dantaro.worker.metrics import Metrics, MetricsServer


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    metrics = Metrics()
    metrics.finished("candles:upbit", "succeeded", {"candles_stored": 40, "generation": 3})
    server = MetricsServer(metrics, host="127.0.0.1", port=0)
    yield server
    server.close()


def test_the_metrics_are_served_over_http(server: MetricsServer) -> None:
    with urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        text = answer.read().decode()
    run = 'dantaro_worker_job_runs_total{outcome="succeeded",task="candles:upbit"} 1.0'
    assert run in text
    item = 'dantaro_worker_job_items_total{item="candles_stored",task="candles:upbit"} 40.0'
    assert item in text
    assert "dantaro_worker_generation 3.0" in text


def test_a_taken_port_is_an_error_that_names_the_setting(server: MetricsServer) -> None:
    with pytest.raises(ConfigurationError, match="DANTARO_WORKER_METRICS_PORT"):
        MetricsServer(Metrics(), host="127.0.0.1", port=server.port)


def test_totals_grow_with_every_run() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.finished("candles:upbit", "failed", {"candles_stored": 5})
    assert metrics.totals["runs_failed"] == 2
    assert metrics.totals["candles_stored"] == 10
