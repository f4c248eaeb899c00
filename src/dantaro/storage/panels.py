"""Candles in columns, for the analysis. The one module of the store that loads NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from dantaro.market.timeframes import Timeframe
from dantaro.storage.engine import Store

_FIGURES = ("open", "high", "low", "close", "volume")
_SQLITE_ROW = np.dtype([("opened_at_ms", "i8"), *((name, "f8") for name in _FIGURES)])
_SQLITE_SELECT = """
SELECT opened_at_ms, open, high, low, close, volume FROM candles
WHERE market_id = ? AND timeframe = ? AND opened_at_ms >= ? AND opened_at_ms < ?
ORDER BY opened_at_ms
"""

# One row per market, its candles in one string of big-endian numbers: PostgreSQL makes it in a fifth of
# the time in which a driver reads them row by row. Sorted here, as an ORDER BY would cost more.
_PACKED_ROW = np.dtype([("opened_at_ms", ">i8"), *((name, ">f8") for name in _FIGURES)])
_POSTGRESQL_SELECT = """
SELECT market_id, string_agg(
    int8send(opened_at_ms) || float8send(open) || float8send(high) || float8send(low)
        || float8send(close) || float8send(volume), '')
FROM candles
WHERE timeframe = %s AND market_id = ANY (%s) AND opened_at_ms >= %s AND opened_at_ms < %s
GROUP BY market_id
"""


@dataclass(frozen=True, slots=True, eq=False)
class CandleColumns:
    """The candles of one market, ascending in time: int64[n] and float64[n], C-contiguous."""

    opened_at_ms: npt.NDArray[np.int64]
    open: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    volume: npt.NDArray[np.float64]


def load_columns(
    store: Store,
    timeframe: Timeframe | str,
    *,
    market_ids: Sequence[int],
    start_ms: int,
    end_ms: int,
) -> dict[int, CandleColumns]:
    """The candles that open in `[start_ms, end_ms)`, by market id; a market without any is left out.

    All of one snapshot.
    """
    load = _load_sqlite if store.dialect == "sqlite" else _load_postgresql
    with store.reading() as connection:
        return load(connection, str(timeframe), sorted(set(market_ids)), start_ms, end_ms)


def _load_sqlite(
    connection: Connection, timeframe: str, market_ids: Sequence[int], start_ms: int, end_ms: int
) -> dict[int, CandleColumns]:
    loaded = {}
    cursor = connection.connection.cursor()
    try:
        for market_id in market_ids:
            cursor.execute(_SQLITE_SELECT, (market_id, timeframe, start_ms, end_ms))
            # The cursor is read row by row into the array: no list of a million tuples.
            rows = np.fromiter(cursor, dtype=_SQLITE_ROW)  # type: ignore[call-overload]  # a cursor iterates
            if rows.size:
                loaded[market_id] = _columns(rows)
    finally:
        cursor.close()
    return loaded


def _load_postgresql(
    connection: Connection, timeframe: str, market_ids: Sequence[int], start_ms: int, end_ms: int
) -> dict[int, CandleColumns]:
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection was closed before the candles were read")
    loaded = {}
    with driver.cursor(binary=True) as cursor:
        cursor.execute(_POSTGRESQL_SELECT, (timeframe, list(market_ids), start_ms, end_ms))
        for market_id, packed in cursor:
            rows = np.frombuffer(packed, _PACKED_ROW)
            loaded[market_id] = _columns(rows[np.argsort(rows["opened_at_ms"])])
    return loaded


def _columns(rows: npt.NDArray[np.void]) -> CandleColumns:
    return CandleColumns(
        rows["opened_at_ms"].astype(np.int64),
        *(rows[name].astype(np.float64) for name in _FIGURES),
    )
