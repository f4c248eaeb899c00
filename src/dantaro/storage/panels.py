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

# The rows of COPY's binary form (see candle_rows), each value behind its length.
_COPY_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("market_id_length", ">i4"),
        ("market_id", ">i4"),
        ("opened_at_ms_length", ">i4"),
        ("opened_at_ms", ">i8"),
        *(item for name in _FIGURES for item in ((f"{name}_length", ">i4"), (name, ">f8"))),
    ]
)
_COPY_HEADER_BYTES = 19
_COPY_TRAILER_BYTES = 2
_COPY_SELECT = """
COPY (
    SELECT market_id, opened_at_ms, open, high, low, close, volume FROM candles
    WHERE timeframe = {timeframe} AND market_id = ANY ({market_ids})
        AND opened_at_ms >= {start_ms} AND opened_at_ms < {end_ms}
) TO STDOUT (FORMAT BINARY)
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
    # For weight: an installation on SQLite needs no PostgreSQL driver.
    from psycopg import sql  # noqa: PLC0415

    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection was closed before the candles were read")
    # COPY takes no parameters, so the driver writes them into the statement as literals.
    statement = sql.SQL(_COPY_SELECT).format(
        timeframe=sql.Literal(timeframe),
        market_ids=sql.Literal(list(market_ids)),
        start_ms=sql.Literal(start_ms),
        end_ms=sql.Literal(end_ms),
    )
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        answer = b"".join(copy)
    count = (len(answer) - _COPY_HEADER_BYTES - _COPY_TRAILER_BYTES) // _COPY_ROW.itemsize
    rows = np.frombuffer(answer, _COPY_ROW, count=count, offset=_COPY_HEADER_BYTES)
    if not count:
        return {}
    # Sorting here is several times faster than ORDER BY over partitions.
    rows = rows[np.lexsort((rows["opened_at_ms"], rows["market_id"]))]
    found, starts = np.unique(rows["market_id"], return_index=True)
    ends = [*starts[1:], len(rows)]
    return {
        int(market_id): _columns(rows[start:end])
        for market_id, start, end in zip(found, starts, ends, strict=True)
    }


def _columns(rows: npt.NDArray[np.void]) -> CandleColumns:
    return CandleColumns(
        rows["opened_at_ms"].astype(np.int64),
        *(rows[name].astype(np.float64) for name in _FIGURES),
    )
