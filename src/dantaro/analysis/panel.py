"""Candles of many markets as arrays `[markets, candles]`, with the rules for what is missing.

**Columns.** `opened_at_ms` are consecutive closed slots that end at the last candle closed at
`now`. Every row is right-aligned in them: the last column holds the newest candle that its
exchange could have, older candles follow to the left without a hole, and the rest is a left pad
of NaN.

**What is missing, and what becomes of it**

* *Quiet candle*: the market has no candle in a slot in which another market of its exchange has
  one. Nothing traded, so the slot is filled with the last close and zero volume.
* *Hole*: more than `fill_limit` quiet candles in a row. Nobody can say that the market was merely
  quiet for so long, so nothing is filled and only the candles after the hole are kept
  (`truncated`).
* *Outage*: no market of the exchange has a candle in a slot, although some had one before. The
  feed was dead, and a dead feed is never filled: the slot does not exist for that exchange. When
  every exchange of the panel lacks it, the column is dropped; when others have it, the rows of
  the dead exchange close ranks to the right, and `axes` holds the times of their columns. Such
  rows stay contiguous, at the price that a column older than the outage holds an older candle
  than in the rows of other exchanges.
* *Dead tail*: an outage that has not ended. The rows of the exchange end with its newest candle,
  and `as_of_ms` says when that was. `opened_at_ms` still ends at the last closed slot.
* *Stale*: a market whose newest candle is more than `fill_limit` slots old has an empty row
  (`start` = number of columns), whether it is silent, dead or delisted.

Outages are recognised from all series given, also those of markets that are not in the panel.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dantaro.market.markets import Market
from dantaro.market.timeframes import DAILY, DAY_MS, Timeframe

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

_FIGURES = ("open", "high", "low", "close", "volume")
_BLOCK_ROWS = 256  # worked on at a time, so that what is temporary stays small and in the cache


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Recorded candles of one market, `[n]` each: aligned, strictly ascending, finite.

    `opened_at_ms` in UTC milliseconds, prices in quote currency, `volume` in base currency.
    """

    opened_at_ms: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Candles of M markets in C columns; see the module for how gaps are treated.

    Attributes:
        markets: the rows.
        timeframe: length of a candle.
        opened_at_ms: int64[C], opening times of the columns, ascending.
        open, high, low, close, volume: float64[M, C], C-contiguous. NaN is only a left pad, so
            `array[i, start[i]:]` is finite and contiguous.
        recorded: bool[M, C], False in the pad and for a filled quiet candle.
        start: int64[M], first finite column; C for an empty row.
        listed_slots: int64[M], slots from the market's first known candle to the last closed one.
        quiet_share: float64[M], share of filled candles in the finite part (0 for an empty row).
        truncated: bool[M], True where a hole cut older candles off.
        last_recorded_ms: int64[M], opening time of the newest recorded candle; -1 if there is none.
            After `rolling_days` or `aggregate` it is still that of the candles they were made from.
        axes: exchange -> int64[C], opening times of its rows' columns, for those exchanges alone
            whose rows do not follow `opened_at_ms`.
    """

    markets: tuple[Market, ...]
    timeframe: Timeframe
    opened_at_ms: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    recorded: BoolArray
    start: IntArray
    listed_slots: IntArray
    quiet_share: FloatArray
    truncated: BoolArray
    last_recorded_ms: IntArray
    axes: Mapping[str, IntArray] = field(default_factory=dict)

    def axis(self, exchange: str) -> IntArray:
        """int64[C]: the opening times of the columns in the rows of `exchange`."""
        return self.axes.get(exchange, self.opened_at_ms)

    @property
    def as_of_ms(self) -> IntArray:
        """int64[M]: the closing time of each row's newest candle; -1 for an empty row."""
        columns = self.opened_at_ms.size
        closed = [
            int(self.axis(market.exchange)[-1]) + self.timeframe.milliseconds if columns else -1
            for market in self.markets
        ]
        return np.where(self.start < columns, np.array(closed, dtype=np.int64), -1)


def default_fill_limit(timeframe: Timeframe) -> int:
    """Quiet candles in a row that may be filled: one day of them, at least three."""
    return max(3, DAY_MS // timeframe.milliseconds)


def build_panel(
    markets: Sequence[Market],
    series: Mapping[str, Series],
    timeframe: Timeframe,
    *,
    now_ms: int,
    candles: int,
    fill_limit: int | None = None,
) -> Panel:
    """The newest `candles` slots that are closed at `now_ms`, by the gap rules of this module.

    `series` maps `Market.key` to the recorded candles; a market without one has an empty row, and
    candles that are not closed at `now_ms` are left out. The panel has `candles` columns less those
    dropped as outages. `fill_limit` is in slots (None: `default_fill_limit`).

    Raises:
        ValueError: `candles` is not positive, or a series is not of this timeframe.
    """
    if candles < 1:
        raise ValueError(f"a panel has at least one candle, not {candles}")
    limit = default_fill_limit(timeframe) if fill_limit is None else fill_limit
    step = timeframe.milliseconds
    last_ms = timeframe.last_closed(now_ms=now_ms)
    first_ms = last_ms - (candles - 1) * step
    grid = np.arange(first_ms, last_ms + step, step, dtype=np.int64)
    placed = {
        key: _place(key, found.opened_at_ms, grid, timeframe) for key, found in series.items()
    }
    known = _known_slots(placed, candles)
    alive = np.logical_or.reduce(list(known.values())) if known else np.zeros(candles, dtype=bool)
    opened_at_ms = _common_axis(grid, alive)
    exchanges = {market.exchange for market in markets}
    axes = {name: _own_axis(grid, known.get(name), opened_at_ms, step) for name in exchanges}
    column_of = {name: np.searchsorted(axis, grid) for name, axis in axes.items()}

    values = np.full((5, len(markets), opened_at_ms.size), np.nan)
    listed = np.zeros(len(markets), dtype=np.int64)
    last_recorded = np.full(len(markets), -1, dtype=np.int64)
    for row, market in enumerate(markets):
        found, place = series.get(market.key), placed.get(market.key)
        if found is None or place is None or place.part.stop == 0:
            continue
        listed[row] = (last_ms - int(found.opened_at_ms[0])) // step + 1
        last_recorded[row] = found.opened_at_ms[place.part.stop - 1]
        columns = place.columns(column_of[market.exchange])
        for target, name in zip(values, _FIGURES, strict=True):
            target[row, columns] = getattr(found, name)[place.part]
    recorded, start, truncated = _mend(values, last_recorded < last_ms - limit * step, limit)
    return _panel(
        markets,
        timeframe,
        opened_at_ms,
        values,
        recorded=recorded,
        start=start,
        listed_slots=listed,
        truncated=truncated,
        last_recorded_ms=last_recorded,
        axes=axes,
    )


def rolling_days(hourly: Panel, *, days: int) -> Panel:
    """Windows of 24 hours, the newest ending with each row's last candle: `[M, <= days]`.

    A window is the first open, the highest high, the lowest low, the last close and the summed
    volume of its hours; it equals the daily candle when the last hour closes at 00:00 UTC. A window
    counts only if the row covers it from its first hour on (but hours of an outage do not exist),
    so the oldest, partial one is part of the pad. `opened_at_ms` are the windows' starts.
    """
    return _resample(hourly, DAILY, aligned=False, periods=days)


def aggregate(panel: Panel, timeframe: Timeframe) -> Panel:
    """Candles of a longer timeframe, aligned on UTC, complete ones only.

    Raises:
        ValueError: `timeframe` is not a multiple of the panel's.
    """
    if timeframe.milliseconds % panel.timeframe.milliseconds:
        raise ValueError(f"{panel.timeframe} candles do not add up to {timeframe}")
    if panel.opened_at_ms.size == 0:
        return _resample(panel, timeframe, aligned=True, periods=0)
    span = int(panel.opened_at_ms[-1] - panel.opened_at_ms[0]) + panel.timeframe.milliseconds
    return _resample(panel, timeframe, aligned=True, periods=span // timeframe.milliseconds)


def select(panel: Panel, keep: BoolArray) -> Panel:
    """The rows where `keep` (bool[M]) is True, in the same columns."""
    return _rows(panel, np.flatnonzero(keep))


def blocks(panel: Panel, keep: BoolArray) -> Iterator[Panel]:
    """The rows where `keep` (bool[M]) is True, some at a time and in order.

    For work on each row alone: a copy of all of them would double the panel's memory.
    """
    rows = np.flatnonzero(keep)
    for rows_of in _row_blocks(rows.size):
        yield _rows(panel, rows[rows_of])


def _rows(panel: Panel, rows: IntArray) -> Panel:
    return replace(
        panel,
        markets=tuple(panel.markets[row] for row in rows),
        open=panel.open[rows],
        high=panel.high[rows],
        low=panel.low[rows],
        close=panel.close[rows],
        volume=panel.volume[rows],
        recorded=panel.recorded[rows],
        start=panel.start[rows],
        listed_slots=panel.listed_slots[rows],
        quiet_share=panel.quiet_share[rows],
        truncated=panel.truncated[rows],
        last_recorded_ms=panel.last_recorded_ms[rows],
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a series lies in the grid: its `part` within, and the slots of that; a slice of slots where
    none is missing, as arrays take that much faster.
    """

    part: slice
    slots: slice | IntArray

    def columns(self, column_of: IntArray) -> slice | IntArray:
        """Its columns, when `column_of` (int64[slots]) has the column of each slot that is known."""
        if not isinstance(self.slots, slice):
            return column_of[self.slots]
        length = self.slots.stop - self.slots.start
        first = int(column_of[self.slots.start]) if length else 0
        return slice(first, first + length)


def _place(key: str, times: IntArray, grid: IntArray, timeframe: Timeframe) -> _Place:
    step = timeframe.milliseconds
    part = slice(*np.searchsorted(times, (grid[0], grid[-1] + 1)).tolist())
    since_first = times[part] - grid[0]
    if (np.diff(since_first) == step).all() and not (since_first[:1] % step).any():
        first = int(since_first[0]) // step if since_first.size else 0
        return _Place(part, slice(first, first + since_first.size))
    slots, beside = np.divmod(since_first, step)
    if beside.any():
        raise ValueError(f"{key}: its candles are not aligned on {timeframe}")
    return _Place(part, slots)


def _known_slots(placed: Mapping[str, _Place], count: int) -> dict[str, BoolArray]:
    """For each exchange, the slots of the grid in which one of its markets has a candle."""
    known: dict[str, BoolArray] = {}
    for key, place in placed.items():
        exchange = key.partition(":")[0]
        known.setdefault(exchange, np.zeros(count, dtype=bool))[place.slots] = True
    return known


def _common_axis(grid: IntArray, alive: BoolArray) -> IntArray:
    """The grid without the outages of all exchanges: gaps between two slots that are alive."""
    found = np.flatnonzero(alive)
    if found.size == 0:
        return grid
    keep = alive.copy()
    keep[: found[0]] = True
    keep[found[-1] :] = True
    return grid[keep]


def _own_axis(
    grid: IntArray, known: BoolArray | None, opened_at_ms: IntArray, step: int
) -> IntArray:
    """The exchange's own slots, right-aligned; continued to the left where it has none."""
    if known is None or not known.any():
        return opened_at_ms
    times = grid[known]
    lead = opened_at_ms.size - times.size  # not negative: the common axis holds all of them
    return np.concatenate((times[0] + step * np.arange(-lead, 0, dtype=np.int64), times))


def _mend(
    values: FloatArray, stale: BoolArray, limit: int
) -> tuple[BoolArray, IntArray, BoolArray]:
    """Fill and cut each row by the rules, in place; where it was recorded, where it starts, and
    whether it was cut.
    """
    _, rows, columns = values.shape
    recorded = np.empty((rows, columns), dtype=bool)
    start = np.empty(rows, dtype=np.int64)
    truncated = np.empty(rows, dtype=bool)
    for rows_of in _row_blocks(rows):
        block, found = values[:, rows_of], recorded[rows_of]
        np.logical_not(np.isnan(block[3]), out=found)
        newest = np.maximum.accumulate(
            np.where(found, np.arange(columns, dtype=np.int32), np.int32(-1)), axis=1
        )
        start[rows_of], truncated[rows_of] = _starts(found, newest, stale[rows_of], limit)
        _fill(block, found, newest, start[rows_of])
    return recorded, start, truncated


def _row_blocks(rows: int) -> Iterator[slice]:
    return (slice(begin, begin + _BLOCK_ROWS) for begin in range(0, rows, _BLOCK_ROWS))


def _starts(
    recorded: BoolArray, newest: NDArray[np.int32], stale: BoolArray, limit: int
) -> tuple[IntArray, BoolArray]:
    """First usable column of each row, and whether a hole cut the row."""
    columns = recorded.shape[1]
    # A recorded candle whose predecessor is too far away begins a new part of the row.
    begins = recorded.copy()
    begins[:, 1:] &= (newest[:, :-1] < 0) | (newest[:, 1:] - newest[:, :-1] - 1 > limit)
    empty = stale | ~recorded.any(axis=1)
    start = np.where(empty, columns, columns - 1 - begins[:, ::-1].argmax(axis=1))
    return start, (begins.sum(axis=1) > 1) & ~empty


def _fill(
    values: NDArray[np.float64],
    recorded: BoolArray,
    newest: NDArray[np.int32],
    start: IntArray,
) -> None:
    """Fill quiet candles from `start` on, and clear what lies before it, in place."""
    used = np.arange(recorded.shape[1]) >= start[:, None]
    row, column = np.nonzero(used & ~recorded)
    last_close = values[3][row, newest[row, column]]
    cut_off = np.nonzero(recorded & ~used)
    for figures in values:
        figures[row, column] = last_close
        figures[cut_off] = np.nan
    values[4][row, column] = 0.0
    recorded &= used


def _panel(
    markets: Sequence[Market],
    timeframe: Timeframe,
    opened_at_ms: IntArray,
    values: NDArray[np.float64],
    *,
    recorded: BoolArray,
    start: IntArray,
    listed_slots: IntArray,
    truncated: BoolArray,
    last_recorded_ms: IntArray,
    axes: Mapping[str, IntArray],
) -> Panel:
    length = opened_at_ms.size - start
    quiet = length - recorded.sum(axis=1)
    return Panel(
        markets=tuple(markets),
        timeframe=timeframe,
        opened_at_ms=opened_at_ms,
        open=values[0],
        high=values[1],
        low=values[2],
        close=values[3],
        volume=values[4],
        recorded=recorded,
        start=start,
        listed_slots=listed_slots,
        quiet_share=np.where(length > 0, quiet / np.maximum(length, 1), 0.0),
        truncated=truncated,
        last_recorded_ms=last_recorded_ms,
        axes={name: axis for name, axis in axes.items() if not np.array_equal(axis, opened_at_ms)},
    )


def _resample(panel: Panel, timeframe: Timeframe, *, aligned: bool, periods: int) -> Panel:
    """Join columns into `periods` longer ones, counted back from each exchange's last whole one."""
    short, long = panel.timeframe.milliseconds, timeframe.milliseconds
    exchanges = sorted({market.exchange for market in panel.markets})
    own = {name: _periods(panel.axis(name), short, long, aligned=aligned) for name in exchanges}
    common = _periods(panel.opened_at_ms, short, long, aligned=aligned)
    whole = max(found.first.size for found in (common, *own.values()))
    opened_at_ms = _period_axis(common, min(periods, whole), long)
    columns = opened_at_ms.size
    rows = len(panel.markets)
    values = np.full((5, rows, columns), np.nan)
    recorded = np.zeros((rows, columns), dtype=bool)
    start = np.full(rows, columns, dtype=np.int64)
    axes: dict[str, IntArray] = {}
    names = np.array([market.exchange for market in panel.markets], dtype=object)
    for name in exchanges:
        bounds = own[name].last(columns)
        if bounds.opened_at_ms.size == 0:
            continue
        axes[name] = _period_axis(bounds, columns, long)
        members = np.flatnonzero(names == name)
        for rows_of in _row_blocks(members.size):
            _join(panel, members[rows_of], bounds, values=values, recorded=recorded, start=start)
    return _panel(
        panel.markets,
        timeframe,
        opened_at_ms,
        values,
        recorded=recorded,
        start=start,
        listed_slots=panel.listed_slots * short // long,
        truncated=panel.truncated.copy(),
        last_recorded_ms=panel.last_recorded_ms.copy(),
        axes=axes,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Periods:
    """Longer periods over an axis: their opening times, first columns, and whether the first column
    is the period's very beginning; `end` is the column after the last period.
    """

    opened_at_ms: IntArray
    first: IntArray
    from_its_beginning: BoolArray
    end: int

    def last(self, count: int) -> "_Periods":
        begin = max(0, self.first.size - count)
        return _Periods(
            self.opened_at_ms[begin:], self.first[begin:], self.from_its_beginning[begin:], self.end
        )


def _periods(axis: IntArray, short: int, long: int, *, aligned: bool) -> _Periods:
    """The periods that end by the close of the axis' last column and contain one of its columns."""
    if axis.size == 0:
        nothing = np.zeros(0, dtype=np.int64)
        return _Periods(nothing, nothing, np.zeros(0, dtype=bool), 0)
    closed_ms = int(axis[-1]) + short
    anchor_ms = closed_ms - closed_ms % long if aligned else closed_ms
    end = int(np.searchsorted(axis, anchor_ms))
    opened = anchor_ms + (axis[:end] - anchor_ms) // long * long
    opened_at_ms, first = np.unique(opened, return_index=True)
    return _Periods(opened_at_ms, first, axis[first] == opened_at_ms, end)


def _period_axis(periods: _Periods, count: int, long: int) -> IntArray:
    """Opening times of the last `count` periods, continued to the left where the axis ends."""
    times = periods.opened_at_ms[-count:] if count else periods.opened_at_ms[:0]
    if times.size == 0:
        return times
    lead = count - times.size
    return np.concatenate((times[0] + long * np.arange(-lead, 0, dtype=np.int64), times))


def _join(
    panel: Panel,
    members: IntArray,
    periods: _Periods,
    *,
    values: NDArray[np.float64],
    recorded: BoolArray,
    start: IntArray,
) -> None:
    """Write the joined candles of the rows `members`, right-aligned, into the output arrays."""
    count, columns = periods.first.size, recorded.shape[1]
    begin = columns - count
    ends = np.append(periods.first[1:], periods.end)
    rows_start = panel.start[members][:, None]
    whole = (rows_start < periods.first) | (
        (rows_start == periods.first) & periods.from_its_beginning
    )
    used = slice(0, periods.end)
    joined = (
        panel.open[members[:, None], periods.first],
        np.maximum.reduceat(panel.high[members, used], periods.first, axis=1),
        np.minimum.reduceat(panel.low[members, used], periods.first, axis=1),
        panel.close[members[:, None], ends - 1],
        np.add.reduceat(panel.volume[members, used], periods.first, axis=1),
    )
    for target, source in zip(values, joined, strict=True):
        target[members, begin:] = np.where(whole, source, np.nan)
    traded = np.logical_or.reduceat(panel.recorded[members, used], periods.first, axis=1)
    recorded[members, begin:] = traded & whole
    start[members] = columns - whole.sum(axis=1)
