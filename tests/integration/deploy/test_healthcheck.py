"""The containers' health check, against answers as the programs give them."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dantaro.worker.metrics import Metrics, MetricsServer

SCRIPT = Path(__file__).resolve().parents[3] / "deploy" / "healthcheck.py"


def _check(name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, name],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.fixture
def worker() -> Iterator[tuple[Metrics, str]]:
    metrics = Metrics()
    server = MetricsServer(metrics, host="127.0.0.1", port=0)
    yield metrics, str(server.port)
    server.close()


def test_a_worker_whose_heart_beats_is_well(worker: tuple[Metrics, str]) -> None:
    metrics, port = worker
    metrics.beat()
    done = _check("worker", DANTARO_WORKER_METRICS_PORT=port)
    assert done.returncode == 0, done.stderr


def test_a_worker_that_never_reached_the_database_is_not(worker: tuple[Metrics, str]) -> None:
    done = _check("worker", DANTARO_WORKER_METRICS_PORT=worker[1])
    assert done.returncode == 1
    assert "no heartbeat for" in done.stderr


def test_a_worker_that_fell_silent_is_not(
    worker: tuple[Metrics, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics, port = worker
    long_ago = time.time() - 60
    monkeypatch.setattr(time, "time", lambda: long_ago)
    metrics.beat()
    monkeypatch.undo()
    done = _check("worker", DANTARO_WORKER_METRICS_PORT=port)
    assert done.returncode == 1
    assert "worker: no heartbeat for 6" in done.stderr


def test_a_worker_without_metrics_cannot_be_judged() -> None:
    done = _check("worker")
    assert done.returncode == 1
    assert "DANTARO_WORKER_METRICS_PORT is not set" in done.stderr


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def test_an_api_that_answers_is_well_and_a_closed_port_is_not() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    port = str(server.server_port)
    try:
        assert _check("api", DANTARO_PORT=port).returncode == 0
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    done = _check("api", DANTARO_PORT=port)
    assert done.returncode == 1
    assert "api: no usable answer" in done.stderr


def test_a_wrong_call_says_how_to_call_it() -> None:
    assert "usage: healthcheck.py api|worker" in _check("cache").stderr
