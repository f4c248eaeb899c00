"""Two real worker processes on one PostgreSQL, judged by the ledger of jobs."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from dantaro.clock import real_now_ms
from dantaro.exchange_server.simulation import simulated_source
from dantaro.market.clocks import ClockReading
from dantaro.market.timeframes import HOUR_MS
from dantaro.storage.engine import Store, open_store
from dantaro.storage.generations import current_manifest, list_generations, manifest_as_of
from dantaro.storage.jobs import runs
from dantaro.storage.schema import migrate
from worker_processes import loopback_exchange, worker_process

JUNE = 1_717_200_000_000  # 2024-06-01T00:00Z
SETTINGS = {"quotes": "USDT", "universe_size": 12, "timeframes": "1h,1d"}


def _reading(*, speed: float = 1.0) -> ClockReading:
    return ClockReading(JUNE + HOUR_MS // 2, real_now_ms(), speed)


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[tuple[Store, str]]:
    """A migrated store on PostgreSQL alone, and its URL."""
    store = open_store(postgres_url)
    migrate(store)
    yield store, postgres_url
    store.close()


async def test_two_workers_on_one_database_run_every_slot_once(
    postgres_store: tuple[Store, str], tmp_path: Path
) -> None:
    store, url_of_store = postgres_store
    reading = _reading(speed=120.0)  # a minute passes in half a second
    async with (
        loopback_exchange("binance", simulated_source("binance", seed=7), reading) as url,
        worker_process(
            tmp_path / "a", {"binance": url}, database_url=url_of_store, **SETTINGS
        ) as one,
        worker_process(
            tmp_path / "b", {"binance": url}, database_url=url_of_store, **SETTINGS
        ) as two,
    ):
        await one.until("exchange_admitted")
        await two.until("exchange_admitted")
        await asyncio.sleep(7)
        assert set(await asyncio.gather(one.stop(), two.stop())) == {0}
    found = [run for run in runs(store, limit=5000) if not run.job.startswith("connect:")]
    assert {run.attempt for run in found} == {1}
    tickers = [run for run in found if run.job == "tickers:binance" and run.state == "succeeded"]
    logged = len(one.events("tickers_collected")) + len(two.events("tickers_collected"))
    # A run of the candles' job collects tickers as well when it finds none yet.
    assert len(tickers) <= logged <= len(tickers) + 2
    assert len(tickers) > 10
    slots = sorted({run.scheduled_at_ms // 60_000 for run in tickers})
    # One may be passed over on a busy machine, where a run takes longer than the half second.
    assert len(slots) > 0.7 * (slots[-1] - slots[0] + 1)
    published = Counter(run.job for run in found if run.counts.get("generation"))
    assert len(one.events("published")) + len(two.events("published")) == published.total()
    assert len({run.worker_id for run in found}) == 2
    _published_in_order(store)


def _published_in_order(store: Store) -> None:
    """Every generation is dated after the one before it, and is what is answered for its time."""
    newest_first = list_generations(store, start_ms=0, end_ms=10**15, limit=5000)
    assert len(newest_first) > 2
    for newer, older in pairwise(newest_first):
        assert newer.generation == older.generation + 1
        assert newer.published_at_ms > older.published_at_ms
        served_last = manifest_as_of(store, newer.published_at_ms - 1)
        assert served_last is not None
        assert served_last.generation == older.generation
    assert manifest_as_of(store, 10**15) == newest_first[0] == current_manifest(store)
    assert all(found.analysed_at_ms <= found.published_at_ms for found in newest_first)
