"""Whole workers, as real processes, on a simulated exchange whose hours pass in seconds."""

import asyncio
import time
from pathlib import Path

from dantaro.clock import real_now_ms
from dantaro.exchange_server.simulation import simulated_source
from dantaro.market.clocks import ClockReading
from dantaro.market.markets import Origin
from dantaro.market.results import PartKind
from dantaro.market.timeframes import HOUR_MS
from dantaro.storage.engine import Store
from dantaro.storage.facts import clock_reading, fix_origin, origin
from dantaro.storage.generations import current_manifest
from dantaro.storage.jobs import runs
from dantaro.storage.workers import workers
from worker_processes import loopback_exchange, worker_process

JUNE = 1_717_200_000_000  # 2024-06-01T00:00Z
SETTINGS = {"quotes": "USDT", "universe_size": 12, "timeframes": "1h,1d"}


def _reading(*, speed: float = 1.0) -> ClockReading:
    return ClockReading(JUNE + HOUR_MS // 2, real_now_ms(), speed)


async def _complete(store: Store) -> None:
    """Wait until everything is published from hourly candles."""
    parts = {PartKind.RECOMMENDATIONS, PartKind.LEVELS, PartKind.MARKET_STATUS}
    async with asyncio.timeout(60):
        while True:
            manifest = await asyncio.to_thread(current_manifest, store)
            if (
                manifest is not None
                and manifest.status == "complete"
                and parts <= set(manifest.parts)
            ):
                return
            await asyncio.sleep(0.1)


async def test_a_worker_collects_analyses_and_publishes_and_ends_when_told(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    reading = _reading()
    async with (
        loopback_exchange("binance", simulated_source("binance", seed=7), reading) as url,
        worker_process(
            tmp_path, {"binance": url}, database_url=store_url, heartbeat_seconds=1, **SETTINGS
        ) as worker,
    ):
        await worker.until("candles_collected")
        await _complete(store)
        await asyncio.sleep(1.2)  # a heartbeat that tells of it
        started = time.monotonic()
        assert await worker.stop() == 0
        assert time.monotonic() - started < 10
    assert origin(store) is Origin.SIMULATED
    assert clock_reading(store) == reading
    manifest = current_manifest(store)
    assert manifest is not None
    assert {PartKind.RECOMMENDATIONS, PartKind.LEVELS, PartKind.MARKET_STATUS} <= set(
        manifest.parts
    )
    assert manifest.status == "complete"
    assert manifest.inputs == {"binance": JUNE}
    (state,) = workers(store)
    assert state.counts["candles_stored"] > 12 * 1000
    assert state.stopped
    assert not worker.events("job_failed")
    assert {run.state for run in runs(store, limit=500)} == {"succeeded"}


async def test_a_wrong_origin_ends_the_worker_with_a_message_that_says_what_to_do(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    fix_origin(store, Origin.LIVE)
    async with (
        loopback_exchange("binance", simulated_source("binance", seed=7), _reading()) as url,
        worker_process(tmp_path, {"binance": url}, database_url=store_url, **SETTINGS) as worker,
    ):
        async with asyncio.timeout(30):
            code = await worker.process.wait()
            await asyncio.sleep(0.2)
    assert code == 2
    assert any("another DANTARO_HOME" in str(line) for line in worker.lines)
