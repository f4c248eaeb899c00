"""The API beside a raw ASGI app on the same server that sends the same bytes."""

import contextlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.load import Load, available, load
from benchmarks.processes import Served, free_port, serving

HOT_PATHS = (
    "/api/v1/recommendations?top_n=50",
    "/api/v1/support-levels/C00000",
    "/api/v1/market-status",
)
_MARKETS = 400


def measure(folder: Path, *, seconds: int) -> Iterator[Figure]:
    """Start-up, memory, and the three hot answers under load, each with its yardstick."""
    url = f"sqlite:///{folder / 'api.db'}"
    made = [sys.executable, "-m", "benchmarks.publish_world", url, str(_MARKETS)]
    key = subprocess.run(made, check=True, capture_output=True, text=True).stdout
    headers = {"Authorization": f"Bearer {key}"}
    with _api(folder, url, headers) as served:
        yield from _start(served)
        if not available():
            yield Figure(
                "requests per second", None, "", note="`wrk` is not installed: not measured"
            )
            return
        for path in HOT_PATHS:
            yield from _hot(folder, served, path, headers, seconds)
        rss = served.serving_rss_mb()
        yield Figure("API memory after the load", rss, "MB RSS", target="<= 100", met=rss <= 100)


def _start(served: Served) -> Iterator[Figure]:
    began = served.start_seconds
    yardstick = min(_import_seconds() for _ in range(3))
    yield Figure(
        "API: start to first served answer",
        began,
        "s",
        yardstick=yardstick,
        yardstick_is="python -c 'import fastapi'",
        target="<= 2 s",
        met=began <= 2,
    )
    rss = served.serving_rss_mb()
    yield Figure("API memory at start", rss, "MB RSS", target="<= 100", met=rss <= 100)


def _hot(
    folder: Path, served: Served, path: str, headers: dict[str, str], seconds: int
) -> Iterator[Figure]:
    url = served.url.split("/api/")[0] + path
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        body, tag = answer.read(), answer.headers["ETag"]
    with _raw(folder, body) as raw:
        yardstick = load(raw.url, seconds=seconds, headers=headers)
        ours = load(url, seconds=seconds, headers=headers)
    name = path.split("/api/v1")[1]
    yield from _compare(f"GET {name} ({len(body) // 1024} KB)", ours, yardstick)
    with _raw(folder, b"") as raw:
        yardstick = load(raw.url, seconds=seconds, headers=headers)
        unchanged = load(url, seconds=seconds, headers={**headers, "If-None-Match": tag})
    yield from _compare(f"GET {name}, 304", unchanged, yardstick)


def _compare(name: str, ours: Load, raw: Load) -> Iterator[Figure]:
    yield Figure(
        name,
        ours.requests_per_second,
        "req/s",
        yardstick=raw.requests_per_second,
        yardstick_is="raw ASGI, same bytes",
        target=">= 5000; 0.8 of raw later",
        met=ours.requests_per_second >= 5000 and ours.failed == 0,
        note=f"{ours.failed} failed" if ours.failed else "",
    )
    yield Figure(
        f"{name}: p99", ours.p99_ms, "ms", yardstick=raw.p99_ms, yardstick_is="raw ASGI, same bytes"
    )


@contextlib.contextmanager
def _api(folder: Path, url: str, headers: dict[str, str]) -> Iterator[Served]:
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DANTARO_")},
        "DANTARO_HOME": str(folder),
        "DANTARO_PORT": str(port),
        "DANTARO_DATABASE_URL": url,
        "DANTARO_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "dantaro", "api"]
    warm_up = {**environment, "DANTARO_PORT": str(free_port())}
    path, log = "/api/v1/recommendations?top_n=50", folder / "api.log"
    with serving(
        command,
        port=int(warm_up["DANTARO_PORT"]),
        path=path,
        environment=warm_up,
        log=log,
        headers=headers,
    ):
        pass  # the page cache and the bytecode are warm from here on
    with serving(
        command, port=port, path=path, environment=environment, log=log, headers=headers
    ) as served:
        yield served


@contextlib.contextmanager
def _raw(folder: Path, body: bytes) -> Iterator[Served]:
    port, content = free_port(), folder / "raw.body"
    content.write_bytes(body)
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--http", "1"]
    command += ["--workers", "1", "--port", str(port), "--no-ws", "benchmarks.raw_app:app"]
    environment = {**os.environ, "BENCH_BODY": str(content)}
    with serving(
        command, port=port, path="/", environment=environment, log=folder / "raw.log"
    ) as served:
        yield served


def _import_seconds() -> float:
    code = (
        "import time; began = time.perf_counter(); import fastapi; "
        "print(time.perf_counter() - began)"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(out.stdout)
