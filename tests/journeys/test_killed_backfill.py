"""A back-fill whose worker is killed again and again ends with exactly what one run would have stored."""

import asyncio
from pathlib import Path

import numpy as np

from dantaro.clock import real_now_ms
from dantaro.exchange_server.simulation import simulated_source
from dantaro.exchange_server.source import MarketSource, Window, parse_interval
from dantaro.market.clocks import ClockReading
from dantaro.market.timeframes import DAY_MS, HOUR_MS, HOURLY
from dantaro.storage.candles import coverage
from dantaro.storage.catalogue import stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.panels import load_columns
from worker_processes import loopback_exchange, worker_process

JUNE = 1_717_200_000_000  # 2024-06-01T00:00Z
DAYS = 90
KILLS = 2


def _stored_hours(store: Store) -> int:
    covered = coverage(store, timeframe=HOURLY).values()
    return sum((known.end_ms - known.start_ms) // HOUR_MS for known in covered)


def _compare(store: Store, source: MarketSource) -> int:
    """Hold every stored market against the exchange's own candles; how many markets there are."""
    ids = {stored.id: stored.market.symbol for stored in stored_markets(store)}
    loaded = load_columns(store, HOURLY, market_ids=list(ids), start_ms=0, end_ms=JUNE)
    interval = parse_interval("1h")
    assert interval is not None
    window = Window(limit=10_000, start_ms=JUNE - DAYS * DAY_MS, end_ms=JUNE)
    for market_id, columns in loaded.items():
        true = source.candles(ids[market_id], interval, window, JUNE)
        np.testing.assert_array_equal(columns.opened_at_ms, true.opened_at_ms)
        for name in ("open", "high", "low", "close", "volume"):
            np.testing.assert_array_equal(getattr(columns, name), getattr(true, name))
    return len(loaded)


async def test_a_back_fill_that_is_killed_again_and_again_loses_and_doubles_nothing(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    source = simulated_source("binance", seed=7)
    settings = {
        "quotes": "USDT",
        "universe_size": 40,
        "backfill_hourly_days": DAYS,
        "database_url": store_url,
    }
    growth = [0]
    async with loopback_exchange(
        "binance", source, ClockReading(JUNE + 300_000, real_now_ms(), 1.0)
    ) as url:
        for kill in range(KILLS):
            async with worker_process(tmp_path, {"binance": url}, **settings) as worker:
                await worker.until("exchange_admitted")
                async with asyncio.timeout(30):
                    # Of another process's work only its rows can tell.
                    while _stored_hours(store) <= growth[-1] + 2_000:  # noqa: ASYNC110
                        await asyncio.sleep(0.02)
                await asyncio.sleep(0.01 * kill)
                await worker.kill()
            growth.append(_stored_hours(store))
        async with worker_process(tmp_path, {"binance": url}, **settings) as worker:
            await worker.until("candles_collected")
            assert await worker.stop() == 0
        done = worker.events("candles_collected")[-1]
    assert done["remaining"] == 0
    assert done["universe"] > 20
    # Each life went on where the one before it was killed, in the middle of the work.
    assert growth == sorted(set(growth))
    assert growth[-1] < _stored_hours(store) == done["universe"] * DAYS * 24
    assert _compare(store, source) == done["universe"]
