"""Candles into SQLite and back, beside the bare driver doing the same."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pysqlite3 import dbapi2 as sqlite

from benchmarks.figures import Figure
from dantaro.market.candles import Candle
from dantaro.market.markets import Market
from dantaro.market.timeframes import HOUR_MS, HOURLY
from dantaro.storage import catalogue, schema
from dantaro.storage.candles import upsert_many
from dantaro.storage.engine import open_store
from dantaro.storage.panels import load_columns

_MARKETS, _EACH = 400, 2500


def measure(folder: Path) -> Iterator[Figure]:
    """One million candles upserted, and loaded as columns."""
    store = open_store(f"sqlite:///{folder / 'candles.db'}")
    schema.migrate(store)
    markets = [
        Market("binance", f"C{n}/USDT", f"C{n}", "USDT", f"C{n}USDT") for n in range(_MARKETS)
    ]
    catalogue.save_markets(store, "binance", markets, at_ms=0)
    ids = [stored.id for stored in catalogue.stored_markets(store)]
    candles: dict[int, Sequence[Candle]] = {
        market_id: _candles(seed) for seed, market_id in enumerate(ids)
    }
    rows = [(market_id, *candle) for market_id in ids for candle in candles[market_id]]

    floor = _seconds(lambda: _bare_upsert(folder / "bare.db", rows))
    ours = _seconds(lambda: upsert_many(store, HOURLY, candles))
    yield Figure(
        "1 M candles upserted, SQLite",
        ours,
        "s",
        yardstick=floor,
        yardstick_is="bare executemany, one transaction",
        target="<= 1.11 of it",
        met=ours <= floor / 0.9,
    )
    parquet = folder / "candles.parquet"
    names = ("market", "opened_at_ms", "open", "high", "low", "close", "volume")
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), parquet)
    floor = _seconds(lambda: pq.read_table(parquet))
    ours = _seconds(lambda: load_columns(store, HOURLY, market_ids=ids, start_ms=0, end_ms=10**15))
    yield Figure(
        "1 M candles loaded as columns, SQLite",
        ours,
        "s",
        yardstick=floor,
        yardstick_is="the same rows from Parquet",
        target="<= 1.5 s",
        met=ours <= 1.5,
    )
    store.close()


def _candles(seed: int) -> list[Candle]:
    rng = np.random.default_rng(seed)
    closes = np.exp(np.cumsum(0.01 * rng.normal(size=_EACH)))
    first = 1_700_000_000_000 // HOUR_MS * HOUR_MS
    return [
        Candle(first + n * HOUR_MS, close, close * 1.01, close * 0.99, close, 5.0)
        for n, close in enumerate(closes.tolist())
    ]


def _bare_upsert(path: Path, rows: Sequence[tuple[float, ...]]) -> None:
    connection = sqlite.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(
        "CREATE TABLE c (m INTEGER, t INTEGER, o REAL, h REAL, l REAL, c REAL, v REAL, "
        "PRIMARY KEY (m, t)) WITHOUT ROWID"
    )
    with connection:
        connection.executemany(
            "INSERT INTO c VALUES (?,?,?,?,?,?,?) ON CONFLICT (m, t) DO UPDATE SET o=excluded.o, "
            "h=excluded.h, l=excluded.l, c=excluded.c, v=excluded.v",
            rows,
        )
    connection.close()


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
