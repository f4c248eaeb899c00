"""Gaps: intervals inside the coverage for which the exchange had no candle.

A gap is `open` until it is `repaired` (a candle came after all) or `confirmed` (the exchange was asked
often enough and has none). Adjacent missing candles are one gap, and none is counted twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from dantaro.market.timeframes import Timeframe
from dantaro.storage.engine import Store
from dantaro.storage.intervals import Interval, merge, subtract, total
from dantaro.storage.tables import candles as candles_table
from dantaro.storage.tables import gaps as gaps_table
from dantaro.storage.tables import markets as markets_table


class GapState(StrEnum):
    """What is known of a gap."""

    OPEN = "open"
    REPAIRED = "repaired"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing candles that open in `[start_ms, end_ms)`; `attempts` to repair it so far."""

    id: int
    market_id: int
    timeframe: str
    start_ms: int
    end_ms: int
    attempts: int
    state: GapState


@dataclass(frozen=True, slots=True)
class GapChanges:
    """Candles newly found missing, and candles that were missing and have come."""

    missing: int
    repaired: int


def gaps(
    store: Store,
    *,
    state: str | None = None,
    market_id: int | None = None,
    exchange: str | None = None,
    limit: int,
) -> tuple[Gap, ...]:
    """Gaps, those with the fewest attempts and the newest first."""
    table = gaps_table
    statement = select(table).order_by(table.c.attempts, table.c.start_ms.desc(), table.c.id)
    if state is not None:
        statement = statement.where(table.c.state == GapState(state).value)
    if market_id is not None:
        statement = statement.where(table.c.market_id == market_id)
    if exchange is not None:
        statement = statement.join(markets_table).where(markets_table.c.exchange == exchange)
    with store.reading() as connection:
        return tuple(map(_gap, connection.execute(statement.limit(limit))))


def close_gap(store: Store, gap_id: int, *, state: str, at_ms: int) -> None:
    """Say that a gap is `repaired` or `confirmed`. One that is gone meanwhile is no error."""
    with store.writing() as connection:
        connection.execute(
            update(gaps_table)
            .where(gaps_table.c.id == gap_id)
            .values(state=GapState(state).value, updated_at_ms=at_ms)
        )


def note_attempt(store: Store, gap_id: int, *, at_ms: int) -> None:
    """Count one attempt to repair a gap. One that is gone meanwhile is no error."""
    with store.writing() as connection:
        connection.execute(
            update(gaps_table)
            .where(gaps_table.c.id == gap_id)
            .values(attempts=gaps_table.c.attempts + 1, updated_at_ms=at_ms)
        )


def record_gaps(
    connection: Connection,
    market_id: int,
    timeframe: Timeframe,
    *,
    examined: Interval,
    at_ms: int,
) -> GapChanges:
    """Hold the gaps against the candles that are stored in `examined`, an interval of the coverage.

    What is missing there becomes a gap, joined to those around it; what has come is taken out of its
    gap. A confirmed gap stays confirmed.
    """
    present = _present(connection, market_id, timeframe, examined)
    missing = subtract([examined], present)
    known = _touching(connection, market_id, timeframe, examined)
    confirmed = [_span(gap) for gap in known if gap.state is GapState.CONFIRMED]
    open_ = [_span(gap) for gap in known if gap.state is GapState.OPEN]
    now_confirmed = subtract(confirmed, present)
    now_open = merge([*subtract(open_, present), *subtract(missing, now_confirmed)])
    for state, spans in ((GapState.CONFIRMED, now_confirmed), (GapState.OPEN, now_open)):
        its_gaps = [gap for gap in known if gap.state is state]
        rows = _Rows(connection, market_id, timeframe, state, at_ms)
        rows.replace(its_gaps, spans)
    before = merge([*confirmed, *open_])
    after = merge([*now_confirmed, *now_open])
    return GapChanges(
        missing=total(subtract(after, before)) // timeframe.milliseconds,
        repaired=total(subtract(before, after)) // timeframe.milliseconds,
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one market's gaps in one state, being brought up to date."""

    connection: Connection
    market_id: int
    timeframe: Timeframe
    state: GapState
    at_ms: int

    def replace(self, known: Sequence[Gap], spans: Sequence[Interval]) -> None:
        """Make `spans` the gaps where `known` were; a gap keeps its id as long as it can."""
        free = list(known)
        for span in spans:
            before = [gap for gap in known if _meet(_span(gap), span)]
            attempts = max((gap.attempts for gap in before), default=0)
            kept = next((gap for gap in before if gap in free), None)
            if kept is None:
                self._insert(span, attempts)
            else:
                free.remove(kept)
                self._resize(kept, span, attempts)
        for gap in free:
            if any(_meet(_span(gap), span) for span in spans):
                self.connection.execute(_its_row(delete(gaps_table), gap))  # joined to another
            else:
                self._repaired(gap)

    def _insert(self, span: Interval, attempts: int) -> None:
        self.connection.execute(
            insert(gaps_table).values(
                market_id=self.market_id,
                timeframe=self.timeframe.name,
                start_ms=span[0],
                end_ms=span[1],
                attempts=attempts,
                state=self.state.value,
                first_seen_ms=self.at_ms,
                updated_at_ms=self.at_ms,
            )
        )

    def _resize(self, gap: Gap, span: Interval, attempts: int) -> None:
        if (*_span(gap), gap.attempts) == (*span, attempts):
            return
        self.connection.execute(
            _its_row(update(gaps_table), gap).values(
                start_ms=span[0], end_ms=span[1], attempts=attempts, updated_at_ms=self.at_ms
            )
        )

    def _repaired(self, gap: Gap) -> None:
        self.connection.execute(
            _its_row(update(gaps_table), gap).values(
                state=GapState.REPAIRED.value, updated_at_ms=self.at_ms
            )
        )


def _meet(one: Interval, other: Interval) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _its_row(statement: Any, gap: Gap) -> Any:
    return statement.where(gaps_table.c.id == gap.id)


def _present(
    connection: Connection, market_id: int, timeframe: Timeframe, examined: Interval
) -> list[Interval]:
    table = candles_table
    times = connection.scalars(
        select(table.c.opened_at_ms).where(
            table.c.market_id == market_id,
            table.c.timeframe == timeframe.name,
            table.c.opened_at_ms >= examined[0],
            table.c.opened_at_ms < examined[1],
        )
    )
    return merge((at, at + timeframe.milliseconds) for at in times)


def _touching(
    connection: Connection, market_id: int, timeframe: Timeframe, examined: Interval
) -> list[Gap]:
    """Gaps that are not repaired and overlap `examined` or are adjacent to it, ascending."""
    table = gaps_table
    rows = connection.execute(
        select(table)
        .where(
            table.c.market_id == market_id,
            table.c.timeframe == timeframe.name,
            table.c.start_ms <= examined[1],
            table.c.end_ms >= examined[0],
            table.c.state != GapState.REPAIRED.value,
        )
        .order_by(table.c.start_ms)
        .with_for_update()
    )
    return list(map(_gap, rows))


def _span(gap: Gap) -> Interval:
    return gap.start_ms, gap.end_ms


def _gap(row: Row[Any]) -> Gap:
    return Gap(
        id=row.id,
        market_id=row.market_id,
        timeframe=row.timeframe,
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        attempts=row.attempts,
        state=GapState(row.state),
    )
