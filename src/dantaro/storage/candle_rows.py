"""Writing candles in bulk.

SQLite: one prepared upsert over all rows. PostgreSQL: COPY in binary form into a temporary table and
one INSERT ... ON CONFLICT from there. Both count only what is new or differs from what is kept.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter

from sqlalchemy import Connection, text

from dantaro.market.candles import Candle
from dantaro.market.timeframes import Timeframe
from dantaro.storage.engine import Store

# The market and the timeframe are in the statement, so that each candle is its parameters as it is.
_SQLITE_UPSERT = """
INSERT INTO candles (market_id, timeframe, opened_at_ms, open, high, low, close, volume)
VALUES ({market_id:d}, '{timeframe.name}', ?, ?, ?, ?, ?, ?)
ON CONFLICT (market_id, timeframe, opened_at_ms) DO UPDATE SET
    open = excluded.open, high = excluded.high, low = excluded.low,
    close = excluded.close, volume = excluded.volume
WHERE (open, high, low, close, volume)
    IS NOT (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
"""

# Kept for the connection's life: a table per page would bloat PostgreSQL's own catalogue.
_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_candles (
    market_id integer, opened_at_ms bigint, open double precision, high double precision,
    low double precision, close double precision, volume double precision
) ON COMMIT DELETE ROWS
"""
_COPY = "COPY incoming_candles FROM STDIN (FORMAT BINARY)"
_POSTGRESQL_UPSERT = """
INSERT INTO candles AS kept
    (market_id, timeframe, opened_at_ms, open, high, low, close, volume)
SELECT market_id, :timeframe, opened_at_ms, open, high, low, close, volume FROM incoming_candles
ON CONFLICT (market_id, timeframe, opened_at_ms) DO UPDATE SET
    open = excluded.open, high = excluded.high, low = excluded.low,
    close = excluded.close, volume = excluded.volume
WHERE (kept.open, kept.high, kept.low, kept.close, kept.volume)
    IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
"""

# https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format": a row is its number of
# fields and then each field's length and value, all big-endian.
_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_ROW = struct.Struct(">h" + "ii" + "iq" + "id" * 5)
_BLOCK_ROWS = 4096


def write_candles(
    store: Store,
    connection: Connection,
    timeframe: Timeframe,
    candles: Mapping[int, Sequence[Candle]],
) -> int:
    """Upsert `candles` by market id within the caller's transaction; how many are new or changed.

    On PostgreSQL their partitions must exist. Markets are written in the order of their ids, so that
    two writers cannot wait for each other.
    """
    unique = {market_id: _unique(candles[market_id]) for market_id in sorted(candles)}
    if store.dialect == "sqlite":
        return _write_sqlite(connection, timeframe, unique)
    return _write_postgresql(connection, timeframe, unique)


def _unique(candles: Sequence[Candle]) -> Sequence[Candle]:
    """A time that is given twice counts once, the later candle holds."""
    if len(set(map(itemgetter(0), candles))) == len(candles):
        return candles
    return tuple({candle[0]: candle for candle in candles}.values())


def _write_sqlite(
    connection: Connection, timeframe: Timeframe, candles: Mapping[int, Sequence[Candle]]
) -> int:
    written = 0
    cursor = connection.connection.cursor()
    try:
        for market_id, rows in candles.items():
            statement = _SQLITE_UPSERT.format(market_id=market_id, timeframe=timeframe)
            # The driver binds plain tuples faster than named ones, by more than the copying costs.
            cursor.executemany(statement, map(tuple, rows))  # type: ignore[arg-type]  # any iterable does
            written += cursor.rowcount
    finally:
        cursor.close()
    return written


def _write_postgresql(
    connection: Connection, timeframe: Timeframe, candles: Mapping[int, Sequence[Candle]]
) -> int:
    connection.execute(text(_INCOMING))
    # SQLAlchemy has no COPY: the driver's own cursor, in the same transaction.
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection was closed before the candles were written")
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for block in _blocks(candles):
            copy.write(block)
    return connection.execute(text(_POSTGRESQL_UPSERT), {"timeframe": timeframe.name}).rowcount


def _blocks(candles: Mapping[int, Sequence[Candle]]) -> Iterator[bytes]:
    pack = _ROW.pack
    block = [_HEADER]
    for market_id, rows in candles.items():
        for at, open_, high, low, close, volume in rows:
            block.append(
                pack(7, 4, market_id, 8, at, 8, open_, 8, high, 8, low, 8, close, 8, volume)
            )
            if len(block) >= _BLOCK_ROWS:
                yield b"".join(block)
                block.clear()
    block.append(_TRAILER)
    yield b"".join(block)
