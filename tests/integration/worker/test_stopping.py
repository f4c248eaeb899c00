"""SIGTERM in the middle of the work of a real worker process."""

import asyncio
import time
from pathlib import Path

from dantaro.clock import real_now_ms
from dantaro.exchange_server.simulation import simulated_source
from dantaro.market.clocks import ClockReading
from dantaro.market.timeframes import HOUR_MS
from dantaro.storage.engine import open_store
from dantaro.storage.jobs import runs
from dantaro.storage.schema import migrate
from worker_processes import loopback_exchange, worker_process

JUNE = 1_717_200_000_000  # 2024-06-01T00:00Z


def _reading(*, speed: float = 1.0) -> ClockReading:
    return ClockReading(JUNE + HOUR_MS // 2, real_now_ms(), speed)


async def test_a_worker_that_is_stopped_in_the_middle_of_its_work_is_gone_in_ten_seconds(
    tmp_path: Path,
) -> None:
    store_url = f"sqlite:///{tmp_path / 'dantaro.db'}"
    store = open_store(store_url)
    migrate(store)
    source = simulated_source("binance", seed=7)
    async with (
        loopback_exchange("binance", source, _reading()) as url,
        worker_process(
            tmp_path,
            {"binance": url},
            database_url=store_url,
            backfill_hourly_days=150,
            quotes="USDT",
            universe_size=200,
        ) as worker,
    ):
        await worker.until("exchange_admitted")
        await asyncio.sleep(0.3)
        started = time.monotonic()
        assert await worker.stop() == 0
        assert time.monotonic() - started < 10
    assert "running" not in {run.state for run in runs(store, limit=500)}
    store.close()
