"""Candles, what has been asked of the exchange for them (coverage), and the rows that were refused.

Numbers are IEEE binary64 and read back as they were written (docs/decisions/0003-numbers.md). A
`timeframe` may be given by name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, select

from dantaro.market.candles import Candle, RejectedRow, RejectReason, Validated
from dantaro.market.timeframes import Timeframe, parse_timeframe
from dantaro.storage.candle_rows import write_candles
from dantaro.storage.engine import Store
from dantaro.storage.gaps import Gap, GapState, close_gap, gaps, note_attempt, record_gaps
from dantaro.storage.intervals import Interval
from dantaro.storage.partitions import ensure_partitions
from dantaro.storage.tables import candles as candles_table
from dantaro.storage.tables import coverage as coverage_table
from dantaro.storage.tables import markets as markets_table
from dantaro.storage.tables import rejected_rows as rejected_table
from dantaro.storage.upsert import insert

__all__ = [
    "Coverage",
    "Gap",
    "GapState",
    "StoredPage",
    "StoredRejection",
    "close_gap",
    "coverage",
    "gaps",
    "note_attempt",
    "read_candles",
    "rejected_counts",
    "rejected_rows",
    "store_page",
    "upsert_candles",
    "upsert_many",
]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the exchange has answered for so far, contiguous: candles that open in `[start_ms, end_ms)`.

    `first_candle_ms` and `last_candle_ms` are the opening times of the first and last candle in it.
    `revision` rises with every page that adds or changes a candle up to `last_candle_ms`: whoever holds
    candles and reads only what follows the last one has then missed something.
    """

    market_id: int
    timeframe: str
    start_ms: int
    end_ms: int
    first_candle_ms: int | None
    last_candle_ms: int | None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class StoredPage:
    """What a page changed: candles `written` (new or changed) of which `changed` replaced another,
    `rejected` rows never seen before, candle times newly found `missing`, and `repaired` ones.
    """

    written: int
    changed: int
    rejected: int
    missing: int
    repaired: int


@dataclass(frozen=True, slots=True)
class StoredRejection:
    """A refused row and how often it was answered."""

    id: int
    market_id: int
    timeframe: str
    opened_at_ms: int | None
    reason: RejectReason
    row: str
    times: int
    first_seen_ms: int
    last_seen_ms: int


def upsert_candles(
    store: Store, market_id: int, timeframe: Timeframe | str, candles: Sequence[Candle]
) -> int:
    """Keep validated candles of one market; how many are new or changed. Repeating it changes nothing.

    A candle of the same time is overwritten. Coverage, with its revision, and gaps are not touched; see
    `store_page`.
    """
    return upsert_many(store, timeframe, {market_id: candles})


def upsert_many(
    store: Store, timeframe: Timeframe | str, candles: Mapping[int, Sequence[Candle]]
) -> int:
    """As `upsert_candles`, for many markets (by id) in one transaction."""
    timeframe = _timeframe(timeframe)
    filled = {market_id: rows for market_id, rows in candles.items() if rows}
    if not filled:
        return 0
    _ensure_partitions(store, timeframe, filled.values())
    with store.writing() as connection:
        return write_candles(store, connection, timeframe, filled)


def read_candles(
    store: Store,
    market_id: int,
    timeframe: Timeframe | str,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int,
    newest: bool = False,
) -> tuple[Candle, ...]:
    """Up to `limit` candles that open in `[start_ms, end_ms)`, ascending in time.

    With `newest` the last `limit` of them, else the first.
    """
    table = candles_table
    at = table.c.opened_at_ms
    statement = select(at, *(table.c[name] for name in Candle._fields[1:])).where(
        table.c.market_id == market_id, table.c.timeframe == str(timeframe)
    )
    if start_ms is not None:
        statement = statement.where(at >= start_ms)
    if end_ms is not None:
        statement = statement.where(at < end_ms)
    statement = statement.order_by(at.desc() if newest else at).limit(limit)
    with store.reading() as connection:
        rows = connection.execute(statement).all()
    return tuple(Candle(*row) for row in (reversed(rows) if newest else rows))


def coverage(
    store: Store, *, timeframe: Timeframe | str | None = None, exchange: str | None = None
) -> Mapping[tuple[int, str], Coverage]:
    """The coverage of every market that was asked for, by market id and timeframe name."""
    table = coverage_table
    statement = select(table)
    if timeframe is not None:
        statement = statement.where(table.c.timeframe == str(timeframe))
    if exchange is not None:
        statement = statement.join(markets_table).where(markets_table.c.exchange == exchange)
    with store.reading() as connection:
        found = map(_coverage, connection.execute(statement))
        return {(covered.market_id, covered.timeframe): covered for covered in found}


def store_page(
    store: Store,
    market_id: int,
    timeframe: Timeframe | str,
    *,
    start_ms: int,
    end_ms: int,
    validated: Validated,
    recorded_at_ms: int,
) -> StoredPage:
    """Keep what an exchange answered for the candles that open in `[start_ms, end_ms)`.

    In one transaction: accepted candles are kept, refused rows too, the coverage grows, and what is
    missing after the market's first candle becomes a gap. All candles of the interval must have
    closed, or the forming one becomes a gap. Repeating it changes nothing.

    Raises:
        ValueError: the interval neither overlaps nor touches the coverage so far.
    """
    timeframe = _timeframe(timeframe)
    accepted = validated.accepted
    asked = (
        -(-start_ms // timeframe.milliseconds) * timeframe.milliseconds,
        timeframe.floor(end_ms),
    )
    if accepted:
        _ensure_partitions(store, timeframe, [accepted])
    with store.writing() as connection:
        before = _locked_coverage(connection, market_id, timeframe)
        after = _grown(before, market_id, timeframe, asked, accepted)
        already = _count(connection, market_id, timeframe, accepted)
        rewritten, appended = (
            write_candles(store, connection, timeframe, {market_id: rows}) if rows else 0
            for rows in _split(accepted, before)
        )
        written = rewritten + appended
        new = _count(connection, market_id, timeframe, accepted) - already
        rejected = _keep_rejected(
            store,
            connection,
            validated.rejected,
            market_id=market_id,
            timeframe=timeframe,
            at_ms=recorded_at_ms,
        )
        missing = repaired = 0
        if after is not None:
            if rewritten:
                after = replace(after, revision=after.revision + 1)
            _save_coverage(store, connection, after, recorded_at_ms)
            examined = _to_examine(before, after, asked, accepted, timeframe)
            if examined is not None:
                changes = record_gaps(
                    connection, market_id, timeframe, examined=examined, at_ms=recorded_at_ms
                )
                missing, repaired = changes.missing, changes.repaired
    return StoredPage(written, written - new, rejected, missing, repaired)


def rejected_rows(store: Store, *, since_ms: int, limit: int) -> tuple[StoredRejection, ...]:
    """Refused rows that were answered at or after `since_ms`, the latest first."""
    table = rejected_table
    statement = (
        select(table)
        .where(table.c.last_seen_ms >= since_ms)
        .order_by(table.c.last_seen_ms.desc(), table.c.id.desc())
        .limit(limit)
    )
    with store.reading() as connection:
        return tuple(map(_rejection, connection.execute(statement)))


def rejected_counts(
    store: Store, *, since_ms: int = 0, exchange: str | None = None
) -> Mapping[RejectReason, int]:
    """How many different refused rows there are, by reason."""
    table = rejected_table
    statement = (
        select(table.c.reason, func.count())
        .where(table.c.last_seen_ms >= since_ms)
        .group_by(table.c.reason)
    )
    if exchange is not None:
        statement = statement.join(markets_table, table.c.market_id == markets_table.c.id)
        statement = statement.where(markets_table.c.exchange == exchange)
    with store.reading() as connection:
        return {RejectReason(reason): count for reason, count in connection.execute(statement)}


def _timeframe(timeframe: Timeframe | str) -> Timeframe:
    return timeframe if isinstance(timeframe, Timeframe) else parse_timeframe(timeframe)


def _ensure_partitions(
    store: Store, timeframe: Timeframe, series: Iterable[Sequence[Candle]]
) -> None:
    times = [at for rows in series for at in _bounds(rows)]
    ensure_partitions(store, timeframe, first_ms=min(times), last_ms=max(times))


def _bounds(candles: Sequence[Candle]) -> Iterator[int]:
    times = [candle[0] for candle in candles]
    yield min(times)
    yield max(times)


def _count(
    connection: Connection, market_id: int, timeframe: Timeframe, candles: Sequence[Candle]
) -> int:
    """How many candles are stored between the first and the last of `candles`."""
    if not candles:
        return 0
    first_ms, last_ms = _bounds(candles)
    table = candles_table
    found = connection.scalar(
        select(func.count()).where(
            table.c.market_id == market_id,
            table.c.timeframe == timeframe.name,
            table.c.opened_at_ms.between(first_ms, last_ms),
        )
    )
    return found or 0


def _split(
    candles: Sequence[Candle], before: Coverage | None
) -> tuple[Sequence[Candle], Sequence[Candle]]:
    """The candles up to the last one so far, and those after it."""
    last_ms = None if before is None else before.last_candle_ms
    if last_ms is None:
        return (), candles
    return (
        [candle for candle in candles if candle[0] <= last_ms],
        [candle for candle in candles if candle[0] > last_ms],
    )


def _locked_coverage(
    connection: Connection, market_id: int, timeframe: Timeframe
) -> Coverage | None:
    table = coverage_table
    row = connection.execute(
        select(table)
        .where(table.c.market_id == market_id, table.c.timeframe == timeframe.name)
        .with_for_update()
    ).first()
    return None if row is None else _coverage(row)


def _grown(
    before: Coverage | None,
    market_id: int,
    timeframe: Timeframe,
    asked: Interval,
    accepted: Sequence[Candle],
) -> Coverage | None:
    """The coverage with `asked` added; None while there is none (no whole candle was asked for)."""
    start_ms, end_ms = asked
    if start_ms >= end_ms:
        return before
    inside = [candle.opened_at_ms for candle in accepted if start_ms <= candle[0] < end_ms]
    if before is None:
        first, last = min(inside, default=None), max(inside, default=None)
        return Coverage(market_id, timeframe.name, start_ms, end_ms, first, last)
    if start_ms > before.end_ms or end_ms < before.start_ms:
        raise ValueError(
            f"market {market_id} {timeframe}: [{start_ms}, {end_ms}) does not touch the coverage "
            f"[{before.start_ms}, {before.end_ms})"
        )
    edges = (before.first_candle_ms, before.last_candle_ms)
    inside.extend(edge for edge in edges if edge is not None)
    return Coverage(
        market_id,
        timeframe.name,
        min(start_ms, before.start_ms),
        max(end_ms, before.end_ms),
        min(inside, default=None),
        max(inside, default=None),
        before.revision,
    )


def _to_examine(
    before: Coverage | None,
    after: Coverage,
    asked: Interval,
    accepted: Sequence[Candle],
    timeframe: Timeframe,
) -> Interval | None:
    """Where gaps may have changed: from the first candle of the market on, as nothing was before it.

    When the first candle moves back (pages that go back in time), what lay between it and the old one
    was before the market's beginning and is now a gap.
    """
    if after.first_candle_ms is None:
        return None
    start_ms, end_ms = asked
    if accepted:
        start_ms = min(start_ms, accepted[0].opened_at_ms)
        end_ms = max(end_ms, accepted[-1].opened_at_ms + timeframe.milliseconds)
    if before is not None and before.first_candle_ms != after.first_candle_ms:
        start_ms = min(start_ms, after.first_candle_ms)
        end_ms = max(end_ms, before.first_candle_ms or after.end_ms)
    start_ms = max(start_ms, after.first_candle_ms)
    end_ms = min(end_ms, after.end_ms)
    return (start_ms, end_ms) if start_ms < end_ms else None


def _save_coverage(
    store: Store, connection: Connection, covered: Coverage, recorded_at_ms: int
) -> None:
    statement = insert(store, coverage_table).values(
        market_id=covered.market_id,
        timeframe=covered.timeframe,
        start_ms=covered.start_ms,
        end_ms=covered.end_ms,
        first_candle_ms=covered.first_candle_ms,
        last_candle_ms=covered.last_candle_ms,
        revision=covered.revision,
        recorded_at_ms=recorded_at_ms,
    )
    key = [coverage_table.c.market_id, coverage_table.c.timeframe]
    changing = {
        column.name: statement.excluded[column.name]
        for column in coverage_table.c
        if not column.primary_key
    }
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changing))


def _keep_rejected(
    store: Store,
    connection: Connection,
    rejected: Sequence[RejectedRow],
    *,
    market_id: int,
    timeframe: Timeframe,
    at_ms: int,
) -> int:
    """Keep refused rows, one that was there before only by its count; how many are new."""
    table = rejected_table
    new = 0
    for row in rejected:
        statement = insert(store, table).values(
            market_id=market_id,
            timeframe=timeframe.name,
            opened_at_ms=_storable(row.opened_at_ms),
            reason=row.reason.value,
            row=row.row,
            times=1,
            first_seen_ms=at_ms,
            last_seen_ms=at_ms,
        )
        times = connection.scalar(
            statement.on_conflict_do_update(
                index_elements=[table.c.market_id, table.c.timeframe, table.c.reason, table.c.row],
                set_={"times": table.c.times + 1, "last_seen_ms": statement.excluded.last_seen_ms},
            ).returning(table.c.times)
        )
        new += times == 1
    return new


def _storable(at_ms: int | None) -> int | None:
    """A refused row's time may be any integer; one beyond 64 bits is in the row's text only."""
    return at_ms if at_ms is not None and -(2**63) <= at_ms < 2**63 else None


def _coverage(row: Row[Any]) -> Coverage:
    return Coverage(
        row.market_id,
        row.timeframe,
        row.start_ms,
        row.end_ms,
        row.first_candle_ms,
        row.last_candle_ms,
        row.revision,
    )


def _rejection(row: Row[Any]) -> StoredRejection:
    return StoredRejection(
        id=row.id,
        market_id=row.market_id,
        timeframe=row.timeframe,
        opened_at_ms=row.opened_at_ms,
        reason=RejectReason(row.reason),
        row=row.row,
        times=row.times,
        first_seen_ms=row.first_seen_ms,
        last_seen_ms=row.last_seen_ms,
    )
