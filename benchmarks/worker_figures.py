"""The worker's cold start against a loopback exchange with 400 markets, and its memory."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import world
from benchmarks.figures import Figure
from benchmarks.processes import free_port, serving
from dantaro.storage import generations, schema
from dantaro.storage.engine import open_store

_MARKETS, _HOURS = 400, 2400
_PATIENCE_SECONDS = 300
_WATCHED_SECONDS = 60


def measure(folder: Path) -> Iterator[Figure]:
    """Collect 400 markets x 90 days of hours from nothing, analyse, publish."""
    recording = folder / "recording.parquet"
    _record(recording)
    port, url = free_port(), f"sqlite:///{folder / 'worker.db'}"
    store = open_store(url)
    schema.migrate(store)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DANTARO_")},
        "DANTARO_HOME": str(folder),
        "DANTARO_DATABASE_URL": url,
        "DANTARO_EXCHANGES": "binance",
        "DANTARO_UNIVERSE_SIZE": str(_MARKETS),
        "DANTARO_VENUE_URLS": json.dumps({"binance": f"http://127.0.0.1:{port}"}),
        "DANTARO_WORKER_METRICS_PORT": str(metrics := free_port()),
    }
    venue = [sys.executable, "-m", "dantaro", "venue", "--exchange", "binance", "--unlimited"]
    venue += ["--data", str(recording), "--start", _moment(), "--port", str(port)]
    worker = [sys.executable, "-m", "dantaro", "worker"]
    with (
        serving(
            venue,
            port=port,
            path="/api/v3/ping",
            environment=environment,
            log=folder / "venue.log",
        ),
        serving(
            worker,
            port=metrics,
            path="/metrics",
            environment=environment,
            log=folder / "worker.log",
        ) as served,
    ):
        began = time.perf_counter()
        process = psutil.Process(served.process.pid)
        peak, first = 0.0, None
        while time.perf_counter() - began < _PATIENCE_SECONDS:
            peak = max(peak, process.memory_info().rss / 1e6)
            manifest = generations.current_manifest(store)
            if manifest is not None and "recommendations" in manifest.parts:
                first = first or time.perf_counter() - began
                if manifest.status == "complete":
                    break
            time.sleep(0.1)
        complete = time.perf_counter() - began
        time.sleep(5)
        before = process.cpu_times()
        time.sleep(_WATCHED_SECONDS)
        after = process.cpu_times()
        busy = (after.user + after.system - before.user - before.system) / _WATCHED_SECONDS
        yield Figure("cold start, 400 markets: first ranking", first, "s", note="provisional")
        yield Figure("cold start, 400 markets x 90 d of hours: complete", complete, "s")
        rss = max(peak, process.memory_info().rss / 1e6)
        yield Figure(
            "worker memory, 400 markets: peak", rss, "MB RSS", target="<= 400", met=rss <= 400
        )
        yield Figure("worker CPU between closes", 100 * busy, "% of a core", target="<= 2 later")
    store.close()


def _moment() -> str:
    return str(np.datetime64(world.NOW_MS, "ms"))


def _record(path: Path) -> None:
    """A recording of random walks, in the schema that `dantaro venue --data` reads."""
    inputs = world.inputs(markets=_MARKETS, hours=_HOURS, days=1)
    columns: dict[str, list[np.ndarray]] = {}
    symbols: list[str] = []
    for market in sorted(inputs.markets):
        series = inputs.hourly[market.key]
        symbols += [market.symbol] * series.close.size
        for name in ("open", "high", "low", "close", "volume"):
            columns.setdefault(name, []).append(getattr(series, name))
        columns.setdefault("ts", []).append(series.opened_at_ms)
    table = pa.table(
        {
            "exchange": ["binance"] * len(symbols),
            "symbol": symbols,
            "timeframe": ["1h"] * len(symbols),
            **{
                name: np.concatenate(columns[name])
                for name in ("ts", "open", "high", "low", "close", "volume")
            },
        }
    )
    pq.write_table(table, path, compression="zstd")
