"""A recording is served over HTTP by the loopback exchange, collected as in production, and compared.

The oracle reads the file by itself and knows nothing of how it was served.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dantaro.clock import Clock, real_now_ms
from dantaro.exchange_server.recorded import recorded_source
from dantaro.exchange_server.server import create_server
from dantaro.market.clocks import ClockReading
from dantaro.market.markets import Origin
from dantaro.market.timeframes import DAY_MS, HOUR_MS, HOURLY
from dantaro.pipeline.collect import CollectionPlan, collect_candles, collect_markets
from dantaro.pipeline.outcome import Outcome
from dantaro.storage.candles import gaps, rejected_counts
from dantaro.storage.catalogue import stored_markets
from dantaro.storage.engine import Store, open_store
from dantaro.storage.facts import fix_origin
from dantaro.storage.panels import load_columns
from dantaro.storage.schema import migrate
from dantaro.venues.session import VenueSession
from dantaro.venues.venue import Venue, open_venue

pytestmark = pytest.mark.recorded

JANUARY = 1_672_531_200_000  # 2023-01-01T00:00Z
MARCH = 1_677_801_600_000  # 2023-03-03T00:00Z: 90 days before June, what is back-filled by default
JUNE = 1_685_577_600_000  # 2023-06-01T00:00Z
NAMES = ("open", "high", "low", "close", "volume")
# Stablecoins, a state currency and wrapped coins: of these only tickers are collected.
ODD = {f"{base}/USDT" for base in ("BUSD", "EUR", "FDUSD", "TUSD", "USDC", "WBETH", "WBTC")}
Columns = Mapping[str, npt.NDArray[np.float64] | npt.NDArray[np.int64]]


@pytest.fixture(scope="module")
def recording(recorded_data: Path) -> Path:
    return recorded_data / "binance_spot_1h_2023.parquet"


@pytest.fixture(scope="module")
def recorded(recording: Path) -> Mapping[str, Columns]:
    """The recorded candles of January to May, by symbol."""
    table = pq.read_table(recording)
    table = table.filter(pc.less(table["ts"], pa.scalar(JUNE)))
    symbols = table["symbol"].to_numpy(zero_copy_only=False)
    columns = {name: table[name].to_numpy() for name in ("ts", *NAMES)}
    found, starts = np.unique(symbols, return_index=True)
    ends = [*starts[1:], len(symbols)]
    return {
        str(symbol): {name: column[start:end] for name, column in columns.items()}
        for symbol, start, end in zip(found, starts, ends, strict=True)
    }


@asynccontextmanager
async def _venue(recording: Path, clock: Clock) -> AsyncIterator[Venue]:
    reading = ClockReading(JUNE + 120_000, real_now_ms(), 1.0)
    clock.follow(reading)
    source = await asyncio.to_thread(recorded_source, recording, "binance")
    server = create_server("binance", source, reading, host="127.0.0.1", port=0, limited=False)
    await server.start()
    session = VenueSession()
    try:
        yield open_venue("binance", session=session, base_url=server.url)
    finally:
        await session.close()
        await server.stop()


async def _back_fill(store: Store, recording: Path, *, size: int, since_ms: int) -> Outcome:
    clock = Clock()
    plan = CollectionPlan.of(
        quotes=("USDT",),
        universe_size=size,
        timeframes=(HOURLY,),
        hourly_days=(JUNE - since_ms) // DAY_MS,
        daily_days=1,
    )
    async with _venue(recording, clock) as venue:
        fix_origin(store, Origin.RECORDED)
        await collect_markets(venue, store, origin=Origin.RECORDED, now_ms=clock.now_ms)
        return await collect_candles(
            venue, store, plan, origin=Origin.RECORDED, now_ms=clock.now_ms
        )


def _since(columns: Columns, since_ms: int) -> Columns:
    first = int(np.searchsorted(columns["ts"], since_ms))
    return {name: column[first:] for name, column in columns.items()}


def _compare(store: Store, recorded: Mapping[str, Columns], *, since_ms: int) -> tuple[int, int]:
    """Every stored row is a recorded one and the other way round; rows and missing hours compared."""
    ids = {stored.id: stored.market.symbol for stored in stored_markets(store)}
    loaded = load_columns(store, HOURLY, market_ids=list(ids), start_ms=0, end_ms=JUNE)
    rows = missing = 0
    for market_id, columns in loaded.items():
        expected = _since(recorded[ids[market_id]], since_ms)
        np.testing.assert_array_equal(columns.opened_at_ms, expected["ts"])
        for name in NAMES:
            # Bit for bit: equal as integers too.
            np.testing.assert_array_equal(
                getattr(columns, name).view(np.int64),
                np.ascontiguousarray(expected[name]).view(np.int64),
                err_msg=f"{ids[market_id]} {name}",
            )
        holes = _holes(expected["ts"])
        stored_gaps = gaps(store, market_id=market_id, limit=1000)
        assert sorted((gap.start_ms, gap.end_ms) for gap in stored_gaps) == holes, ids[market_id]
        rows += len(columns.opened_at_ms)
        missing += sum((end - start) // HOUR_MS for start, end in holes)
    return rows, missing


def _holes(opened_at_ms: npt.NDArray[np.float64] | npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Intervals between the first recorded candle and June for which nothing is recorded."""
    at = [*map(int, opened_at_ms), JUNE]
    return [(before + HOUR_MS, after) for before, after in pairwise(at) if after - before > HOUR_MS]


async def test_a_handful_of_markets_is_stored_as_recorded_with_its_gaps(
    store: Store, recording: Path, recorded: Mapping[str, Columns]
) -> None:
    outcome = await _back_fill(store, recording, size=6, since_ms=JANUARY)
    rows, missing = _compare(store, recorded, since_ms=JANUARY)
    assert outcome.counts["candles_stored"] == rows > 6 * 3000
    assert missing == outcome.counts["candles_missing"] >= 6  # the outage of 2023-03-24
    assert outcome.counts["failed"] == outcome.counts["rows_rejected"] == 0


async def test_every_recorded_row_of_every_ordinary_coin_is_stored_and_nothing_else(
    tmp_path: Path, recording: Path, recorded: Mapping[str, Columns]
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'all.db'}")
    migrate(store)
    outcome = await _back_fill(store, recording, size=1000, since_ms=MARCH)
    rows, _ = _compare(store, recorded, since_ms=MARCH)
    listed = {stored.market.symbol for stored in stored_markets(store) if stored.market.listed}
    ordinary = listed - ODD
    assert len(ordinary) > 130
    assert outcome.counts["universe"] == len(ordinary)
    assert rows == sum(len(_since(recorded[symbol], MARCH)["ts"]) for symbol in ordinary)
    assert outcome.counts["candles_stored"] == rows > 270_000
    assert rejected_counts(store) == {}
    store.close()
