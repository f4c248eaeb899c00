"""Candles of the past as they would have been seen at every moment of it: what is measured, measures on.

A `Panel` is one moment: each market's candles up to now. A `History` is all moments at once. Its rows
are *segments*, unbroken stretches of one market, so that a window that lies inside a row is the window
that the panel of that moment would have had:

* a slot in which no market of the recording has a candle does not exist (an outage);
* up to `fill_limit` quiet candles in a row are the last close with zero volume, as in a panel;
* a longer hole ends the segment, and so does an opening price `opening_jump` times away from the close
  before it: what follows is another thing's price (a redenomination, a reused ticker).

Outside of its segment a row is NaN. Nothing of a row depends on a candle after the column that it is
read at, but for where the segment ends: `forward_returns` looks at it, and a quiet candle is only filled
once the market has come back, while the panel of that moment fills it without knowing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from dantaro.analysis.panel import (
    BoolArray,
    FloatArray,
    IntArray,
    Panel,
    Series,
    default_fill_limit,
)
from dantaro.market.markets import Market
from dantaro.market.timeframes import DAILY, DAY_MS, Timeframe

_FIGURES = ("open", "high", "low", "close", "volume")


class Candles(Protocol):
    """Candles as columns, float64[rows, columns]: a `Panel`, or a `History`."""

    @property
    def open(self) -> FloatArray: ...
    @property
    def high(self) -> FloatArray: ...
    @property
    def low(self) -> FloatArray: ...
    @property
    def close(self) -> FloatArray: ...
    @property
    def volume(self) -> FloatArray: ...


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """R segments of M markets over C columns.

    Attributes:
        markets: the M markets.
        timeframe: length of a candle.
        opened_at_ms: int64[C], opening times of the columns, ascending; outages are left out.
        row_market: int64[R], the market of each segment; a market's segments follow each other in time.
        first, last: int64[R], the segment's first and last column.
        last_close: float64[R], the price at which the segment ends.
        open, high, low, close, volume: float64[R, C], NaN outside of the segment.
        recorded: bool[R, C], False outside of it and for a quiet candle.
        until_ms: closing time of the recording's last candle.
    """

    markets: tuple[Market, ...]
    timeframe: Timeframe
    opened_at_ms: IntArray
    row_market: IntArray
    first: IntArray
    last: IntArray
    last_close: FloatArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    recorded: BoolArray
    until_ms: int

    def by_market(self, values: FloatArray) -> FloatArray:
        """float64[R, C] of the segments as float64[M, C]; NaN where a market has no segment."""
        result = np.full((len(self.markets), self.opened_at_ms.size), np.nan)
        for row, market in enumerate(self.row_market.tolist()):
            inside = slice(int(self.first[row]), int(self.last[row]) + 1)
            result[market, inside] = values[row, inside]
        return result

    def ages(self) -> IntArray:
        """int64[M, C]: unbroken candles up to and with each column; 0 where there is none."""
        result = np.zeros((len(self.markets), self.opened_at_ms.size), dtype=np.int64)
        for row, market in enumerate(self.row_market.tolist()):
            first, end = int(self.first[row]), int(self.last[row]) + 1
            result[market, first:end] = np.arange(1, end - first + 1)
        return result

    def panels(self) -> Iterator[tuple[IntArray, Panel]]:
        """The segments as panels, those that end in one column together; with their rows.

        For indicators, which see only contiguous finite series.
        """
        for end in np.unique(self.last).tolist():
            rows = np.flatnonzero(self.last == end)
            columns = slice(0, end + 1)
            length = end + 1 - self.first[rows]
            recorded = self.recorded[rows, columns]
            newest = end - recorded[:, ::-1].argmax(axis=1)
            yield (
                rows,
                Panel(
                    markets=tuple(
                        self.markets[market] for market in self.row_market[rows].tolist()
                    ),
                    timeframe=self.timeframe,
                    opened_at_ms=self.opened_at_ms[columns],
                    open=self.open[rows, columns],
                    high=self.high[rows, columns],
                    low=self.low[rows, columns],
                    close=self.close[rows, columns],
                    volume=self.volume[rows, columns],
                    recorded=recorded,
                    start=self.first[rows],
                    listed_slots=length,
                    quiet_share=1.0 - recorded.sum(axis=1) / length,
                    truncated=np.zeros(rows.size, dtype=bool),
                    last_recorded_ms=self.opened_at_ms[newest],
                ),
            )


@dataclass(frozen=True, slots=True)
class _Segment:
    """Candles `begin` to `end` (half open) of one market's series, at `places` among the columns."""

    market: int
    begin: int
    end: int
    places: IntArray


def build_history(
    markets: Sequence[Market],
    series: Mapping[str, Series],
    timeframe: Timeframe,
    *,
    opening_jump: float,
    fill_limit: int | None = None,
) -> History:
    """Every segment of every market of one exchange, by the rules of this module.

    `series` maps `Market.key` to recorded candles; a market without one has no segment. `fill_limit` is
    in slots (None: `panel.default_fill_limit`), `opening_jump` a factor above one.

    Raises:
        ValueError: a series is not aligned on the timeframe.
    """
    limit = default_fill_limit(timeframe) if fill_limit is None else fill_limit
    known = [(at, series[m.key]) for at, m in enumerate(markets) if m.key in series]
    known = [(at, candles) for at, candles in known if candles.opened_at_ms.size]
    for at, candles in known:
        if (candles.opened_at_ms % timeframe.milliseconds).any():
            raise ValueError(f"{markets[at].key}: its candles are not aligned on {timeframe}")
    times = [candles.opened_at_ms for _, candles in known]
    opened_at_ms = np.unique(np.concatenate(times)) if times else np.zeros(0, dtype=np.int64)
    segments = [
        segment
        for at, candles in known
        for segment in _segments(at, candles, opened_at_ms, np.log(opening_jump), limit)
    ]
    shape = (len(segments), opened_at_ms.size)
    values = {name: np.full(shape, np.nan) for name in _FIGURES}
    recorded = np.zeros(shape, dtype=bool)
    for row, segment in enumerate(segments):
        _place(series[markets[segment.market].key], segment, row, values, recorded)
    last = np.array([segment.places[-1] for segment in segments], dtype=np.int64)
    return History(
        markets=tuple(markets),
        timeframe=timeframe,
        opened_at_ms=opened_at_ms,
        row_market=np.array([segment.market for segment in segments], dtype=np.int64),
        first=np.array([segment.places[0] for segment in segments], dtype=np.int64),
        last=last,
        last_close=values["close"][np.arange(last.size), last],
        recorded=recorded,
        until_ms=int(opened_at_ms[-1]) + timeframe.milliseconds if opened_at_ms.size else 0,
        **values,
    )


def daily_history(hourly: History) -> History:
    """The UTC days of an hourly history: whole days alone, but a segment still ends at its last price.

    A day is whole when the segment has all hours that exist of it, and had begun by 00:00 UTC: the hours
    before the recording exist, though it does not have them. It equals the recorded daily candle.
    """
    days, begins = np.unique(hourly.opened_at_ms // DAY_MS, return_index=True)
    ends = np.append(begins[1:], hourly.opened_at_ms.size) - 1
    # A recording may begin and end inside a day.
    inside = slice(
        int((hourly.opened_at_ms[:1] % DAY_MS).any()), -1 if hourly.until_ms % DAY_MS else None
    )
    days, begins, ends = days[inside], begins[inside], ends[inside]
    first, last = hourly.first[:, None], hourly.last[:, None]
    begun = hourly.opened_at_ms[begins] == days * DAY_MS
    whole = ((first < begins) | ((first == begins) & begun)) & (last >= ends)
    keep = np.flatnonzero(whole.any(axis=1))
    whole = whole[keep]
    used = slice(0, int(ends[-1]) + 1 if ends.size else 0)

    def joined(values: FloatArray) -> FloatArray:
        return np.where(whole, values, np.nan)

    return History(
        markets=hourly.markets,
        timeframe=DAILY,
        opened_at_ms=days * DAY_MS,
        row_market=hourly.row_market[keep],
        first=_first(whole),
        last=whole.shape[1] - 1 - _first(whole[:, ::-1]),
        last_close=hourly.last_close[keep],
        open=joined(hourly.open[keep][:, begins]),
        high=joined(np.maximum.reduceat(hourly.high[keep][:, used], begins, axis=1)),
        low=joined(np.minimum.reduceat(hourly.low[keep][:, used], begins, axis=1)),
        close=joined(hourly.close[keep][:, ends]),
        volume=joined(np.add.reduceat(hourly.volume[keep][:, used], begins, axis=1)),
        recorded=np.logical_or.reduceat(hourly.recorded[keep][:, used], begins, axis=1) & whole,
        until_ms=hourly.until_ms,
    )


def _first(found: BoolArray) -> IntArray:
    """int64[R]: the first column that is True in each row, of which there is one."""
    columns: IntArray = found.argmax(axis=1) if found.size else np.zeros(0, dtype=np.int64)
    return columns


def forward_returns(history: History, horizon_days: int) -> FloatArray:
    """What became of a market that was bought after each column: float64[M, C], a fraction.

    Decided at the close of the column, bought at the open of the next, sold at the last close that is
    known `horizon_days` after that, or at the segment's last price if it has ended by then (a delisted
    coin stays in). NaN where the segment has no next candle, or the horizon reaches beyond the recording.
    """
    opened, step = history.opened_at_ms, history.timeframe.milliseconds
    columns = opened.size
    result = np.full(history.close.shape, np.nan)
    if columns < 2:
        return history.by_market(result)
    due_ms = opened[1:] + horizon_days * DAY_MS
    exits = np.searchsorted(opened, due_ms - step, side="right") - 1
    exits = np.maximum(exits, np.arange(1, columns))
    ended = exits > history.last[:, None]
    price = np.where(ended, history.last_close[:, None], history.close[:, exits])
    result[:, :-1] = price / history.open[:, 1:] - 1.0
    result[:, :-1][:, due_ms > history.until_ms] = np.nan
    return history.by_market(np.where(np.isnan(history.close), np.nan, result))


def collapses(history: History, *, step_jump: float) -> BoolArray:
    """bool[M, C]: where a close is `step_jump` times away from the close before it in its segment.

    LUNA's was on 2022-05-11. What was measured before says nothing of the price after.
    """
    moved = np.zeros(history.close.shape)
    moved[:, 1:] = np.abs(np.log(history.close[:, 1:] / history.close[:, :-1]))
    found: BoolArray = history.by_market(moved) >= np.log(step_jump)
    return found


def _segments(
    market: int, candles: Series, opened_at_ms: IntArray, jump: float, limit: int
) -> Iterator[_Segment]:
    places = np.searchsorted(opened_at_ms, candles.opened_at_ms)
    hole = np.diff(places) - 1 > limit
    jumped = np.abs(np.log(candles.open[1:] / candles.close[:-1])) >= jump
    bounds = [0, *(np.flatnonzero(hole | jumped) + 1).tolist(), places.size]
    for begin, end in pairwise(bounds):
        yield _Segment(market, begin, end, places[begin:end])


def _place(
    candles: Series,
    segment: _Segment,
    row: int,
    values: Mapping[str, FloatArray],
    recorded: BoolArray,
) -> None:
    """Write one segment into its row, quiet candles filled."""
    part, places = slice(segment.begin, segment.end), segment.places
    recorded[row, places] = True
    close = candles.close[part]
    inside = np.arange(places[0], places[-1] + 1)
    before = np.searchsorted(places, inside, side="right") - 1
    for name, target in values.items():
        target[row, inside] = close[before] if name != "volume" else 0.0
        target[row, places] = getattr(candles, name)[part]
