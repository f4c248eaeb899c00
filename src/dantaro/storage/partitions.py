"""Partitions of the candles on PostgreSQL: by timeframe, then by month (intraday) or year (daily).

A month of hourly candles of 2,000 markets is 1.5 million rows: retention drops it as one file, a
panel of 90 days touches four, and the index of the month that is written stays in memory. A year does
the same for daily candles. The timeframes' own tables are made by the migration.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, text

from dantaro.market.timeframes import DAY_MS, Timeframe
from dantaro.storage.engine import Store

_ADVISORY_LOCK = 0x706172746974  # one who makes or drops partitions at a time


class Partition(NamedTuple):
    """One partition and the half-open interval of opening times that it holds."""

    name: str
    start_ms: int
    end_ms: int


def partitions_of(timeframe: Timeframe, *, first_ms: int, last_ms: int) -> tuple[Partition, ...]:
    """The partitions that hold opening times from `first_ms` to `last_ms`, both included."""
    found = []
    start = _period_start(timeframe, first_ms)
    while _ms(start) <= last_ms:
        end = _next(timeframe, start)
        found.append(Partition(_name(timeframe, start), _ms(start), _ms(end)))
        start = end
    return tuple(found)


def ensure_partitions(store: Store, timeframe: Timeframe, *, first_ms: int, last_ms: int) -> None:
    """Make the partitions for these opening times where they are missing; nothing on SQLite.

    In a transaction of its own, before the write: a new partition is attached under a lock that
    neither blocks readers nor writers of others, and two that make the same one queue.
    """
    if store.dialect == "sqlite":
        return
    wanted = partitions_of(timeframe, first_ms=first_ms, last_ms=last_ms)
    with store.reading() as connection:
        missing = _missing(connection, wanted)
    if not missing:
        return
    with store.writing() as connection:
        _lock(connection)
        for partition in _missing(connection, wanted):
            _create(connection, timeframe, partition)


def drop_partitions(connection: Connection, timeframe: Timeframe, *, before_ms: int) -> int:
    """Drop the partitions that hold nothing opened at or after `before_ms`; how many rows went."""
    _lock(connection)
    dropped = 0
    for name in _children(connection, timeframe):
        if _end_of(timeframe, name) > before_ms:
            continue
        dropped += connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0  # noqa: S608 - a name of ours
        connection.execute(text(f"DROP TABLE {name}"))
    return dropped


def _lock(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})


def _missing(connection: Connection, wanted: tuple[Partition, ...]) -> list[Partition]:
    statement = text(
        "SELECT relname FROM pg_class WHERE relname IN :names "
        "AND relnamespace = current_schema()::regnamespace"
    ).bindparams(bindparam("names", expanding=True))
    names = [partition.name for partition in wanted]
    found = set(connection.scalars(statement, {"names": names}))
    return [partition for partition in wanted if partition.name not in found]


def _create(connection: Connection, timeframe: Timeframe, partition: Partition) -> None:
    parent = _parent(timeframe)
    connection.execute(text(f"CREATE TABLE {partition.name} (LIKE {parent} INCLUDING DEFAULTS)"))
    connection.execute(
        text(
            f"ALTER TABLE {parent} ATTACH PARTITION {partition.name} "
            f"FOR VALUES FROM ({partition.start_ms}) TO ({partition.end_ms})"
        )
    )


def _children(connection: Connection, timeframe: Timeframe) -> Iterator[str]:
    statement = text(
        "SELECT inhrelid::regclass::text FROM pg_inherits "
        "WHERE inhparent = CAST(:parent AS regclass) ORDER BY 1"
    )
    yield from connection.scalars(statement, {"parent": _parent(timeframe)}).all()


def _parent(timeframe: Timeframe) -> str:
    return f"candles_{timeframe.name}"


def _is_daily(timeframe: Timeframe) -> bool:
    return timeframe.milliseconds >= DAY_MS


def _name(timeframe: Timeframe, start: datetime) -> str:
    period = f"{start:%Y}" if _is_daily(timeframe) else f"{start:%Y_%m}"
    return f"{_parent(timeframe)}_{period}"


def _end_of(timeframe: Timeframe, name: str) -> int:
    year, _, month = name.removeprefix(f"{_parent(timeframe)}_").partition("_")
    return _ms(_next(timeframe, datetime(int(year), int(month or 1), 1, tzinfo=UTC)))


def _period_start(timeframe: Timeframe, at_ms: int) -> datetime:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    month = 1 if _is_daily(timeframe) else at.month
    return datetime(at.year, month, 1, tzinfo=UTC)


def _next(timeframe: Timeframe, start: datetime) -> datetime:
    if _is_daily(timeframe) or start.month == 12:
        return datetime(start.year + 1, 1, 1, tzinfo=UTC)
    return datetime(start.year, start.month + 1, 1, tzinfo=UTC)


def _ms(at: datetime) -> int:
    return int(at.timestamp()) * 1000
