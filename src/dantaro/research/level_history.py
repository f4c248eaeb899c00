"""Recorded candles as the levels saw them: one panel a day, cut where the day ends.

Levels are issued at 00:00 UTC, from the candles that were closed then, for the markets that were ranked
then, by the very functions that serve them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dantaro.analysis import indicators
from dantaro.analysis.history import History
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray, Panel
from dantaro.analysis.parameters import Parameters
from dantaro.errors import RecordingInvalid
from dantaro.market.timeframes import DAILY, DAY_MS, HOURLY
from dantaro.research.decisions import histories, history_features
from dantaro.research.recordings import Recording
from dantaro.research.universe import frozen_universe

_ATR_DAYS = 90


@dataclass(frozen=True, slots=True, eq=False)
class LevelHistory:
    """One recording: `source` its candles, `days` their days, `ranked` bool[markets, days]."""

    name: str
    source: History
    days: History
    ranked: BoolArray
    candles: int

    @property
    def per_day(self) -> int:
        return DAY_MS // self.source.timeframe.milliseconds


@dataclass(frozen=True, slots=True, eq=False)
class Issue:
    """What the levels of one day are made from.

    Attributes:
        day: UTC day number, days since 1970, at whose beginning the levels are issued.
        column: the newest column of the source.
        rows: int64[m], rows of the source; the rows of `panel`.
        atr: float64[m], the daily average true range in quote currency.
    """

    day: int
    column: int
    rows: IntArray
    panel: Panel
    atr: FloatArray


def level_history(recording: Recording, parameters: Parameters) -> LevelHistory:
    """The recording, ready to be walked through.

    Raises:
        RecordingInvalid: its candles are neither hours nor days.
    """
    if recording.timeframe not in (HOURLY, DAILY):
        raise RecordingInvalid(
            f"{recording.file}: levels are drawn from candles of 1h or 1d, not {recording.timeframe}; "
            "record one of these"
        )
    source, days = histories(
        recording.markets, recording.series, recording.timeframe, parameters=parameters
    )
    universe = frozen_universe(days, history_features(days), parameters, source=source)
    hourly = recording.timeframe == HOURLY
    candles = parameters.hourly_candles if hourly else parameters.daily_candles
    return LevelHistory(recording.name, source, days, universe.ranked, candles)


def issues(
    history: LevelHistory, *, from_day: int = 0, until_day: int = 1 << 40
) -> Iterator[Issue]:
    """Every day on which levels are issued, from `from_day` to before `until_day`, in order."""
    source, days = history.source, history.days
    closes = days.opened_at_ms + DAY_MS
    columns = np.searchsorted(source.opened_at_ms, closes) - 1
    for at, (close_ms, column) in enumerate(zip(closes.tolist(), columns.tolist(), strict=True)):
        day = close_ms // DAY_MS
        if not from_day <= day < until_day:
            continue
        of_days = _alive(days, at, history.ranked[:, at])
        rows = _alive(source, column, history.ranked[:, at])
        markets = np.intersect1d(days.row_market[of_days], source.row_market[rows])
        of_days = of_days[np.isin(days.row_market[of_days], markets)]
        rows = rows[np.isin(source.row_market[rows], markets)]
        if rows.size:
            atr = indicators.atr(_cut(days, of_days, at, _ATR_DAYS), last=1)[:, -1]
            known = np.isfinite(atr) & (atr > 0)
            rows, atr = rows[known], atr[known]
        if rows.size:
            yield Issue(day, column, rows, _cut(source, rows, column, history.candles), atr)


def _alive(history: History, column: int, ranked: BoolArray) -> IntArray:
    alive = (history.first <= column) & (history.last >= column)
    return np.flatnonzero(alive & ranked[history.row_market])


def _cut(history: History, rows: IntArray, column: int, candles: int) -> Panel:
    """The newest `candles` columns of `rows` up to `column`, as the analysis has them."""
    begin = max(0, column + 1 - candles)
    span = slice(begin, column + 1)
    start = np.maximum(history.first[rows] - begin, 0)
    length = column + 1 - begin - start
    recorded = history.recorded[rows, span]
    newest = column - recorded[:, ::-1].argmax(axis=1)
    return Panel(
        markets=tuple(history.markets[market] for market in history.row_market[rows].tolist()),
        timeframe=history.timeframe,
        opened_at_ms=history.opened_at_ms[span],
        open=history.open[rows, span],
        high=history.high[rows, span],
        low=history.low[rows, span],
        close=history.close[rows, span],
        volume=history.volume[rows, span],
        recorded=recorded,
        start=start,
        listed_slots=column + 1 - history.first[rows],
        quiet_share=1.0 - recorded.sum(axis=1) / length,
        truncated=history.first[rows] > begin,
        last_recorded_ms=history.opened_at_ms[newest],
    )
