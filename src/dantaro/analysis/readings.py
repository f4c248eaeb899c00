"""Each market read once: from its hours where they reach back far enough, from its days until then."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dantaro.analysis.features import HISTORY_DAYS, day_features
from dantaro.analysis.inputs import Panels, venue_as_of
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray, Panel
from dantaro.market.timeframes import DAY_MS, HOUR_MS

_T = TypeVar("_T", np.float64, np.int64, np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What the chosen candles of M markets say; arrays are [M].

    Attributes:
        from_hourly: True where the hours are read (as rolling days), False where the days are.
        interval_ms: length of the candles read.
        venue_as_of_ms: closing time of the newest candle that the market's exchange has; -1 none.
        recorded_as_of_ms: closing time of the newest candle of the market itself; -1 none.
        as_of_ms: `venue_as_of_ms` where the row is usable, else -1.
        history_days: unbroken days up to the newest candle.
        truncated: whether a hole, and not the listing, ends them.
        quiet_share: share of candles in which nothing was traded.
        close: the last close, NaN where the row is empty.
        features: every feature, by name.
    """

    from_hourly: BoolArray
    interval_ms: IntArray
    venue_as_of_ms: IntArray
    recorded_as_of_ms: IntArray
    as_of_ms: IntArray
    history_days: IntArray
    truncated: BoolArray
    quiet_share: FloatArray
    close: FloatArray
    features: Mapping[str, FloatArray]


def read(panels: Panels) -> Reading:
    """Choose hours or days for each row, and measure it there.

    Hours are read where they give all the days that the features need, or where the market has
    fallen silent; days where the hours do not reach back that far, or where they stopped and the
    exchange's days are newer.
    """
    hours, days, daily = panels.hourly, panels.days, panels.daily
    hour_venue, day_venue = _venue_column(hours), _venue_column(daily)
    has_hours = hours.last_recorded_ms >= 0
    newer = has_hours & (hour_venue >= day_venue)
    silent = newer & (_lengths(hours) == 0)
    enough = newer & (_lengths(days) >= HISTORY_DAYS)
    hourly = enough | silent | (has_hours & (_lengths(daily) == 0))
    venue = _choose(hourly, hour_venue, day_venue)
    usable = _choose(hourly, _lengths(hours), _lengths(daily)) > 0
    by_hours, by_days = day_features(days), day_features(daily)
    return Reading(
        from_hourly=hourly,
        interval_ms=np.where(hourly, np.int64(HOUR_MS), np.int64(DAY_MS)),
        venue_as_of_ms=venue,
        recorded_as_of_ms=_choose(hourly, _recorded_as_of(hours), _recorded_as_of(daily)),
        as_of_ms=np.where(usable, venue, np.int64(-1)),
        history_days=_choose(hourly, _lengths(days), _lengths(daily)),
        truncated=_choose(hourly, hours.truncated, daily.truncated),
        quiet_share=_choose(hourly, hours.quiet_share, daily.quiet_share),
        close=_choose(hourly, _last(hours.close), _last(daily.close)),
        features={n: _choose(hourly, by_hours[n][:, -1], by_days[n][:, -1]) for n in by_hours},
    )


def _choose(
    hourly: BoolArray, from_hours: npt.NDArray[_T], from_days: npt.NDArray[_T]
) -> npt.NDArray[_T]:
    return np.where(hourly, from_hours, from_days)


def _recorded_as_of(panel: Panel) -> IntArray:
    newest = panel.last_recorded_ms
    return np.where(newest >= 0, newest + panel.timeframe.milliseconds, np.int64(-1))


def _lengths(panel: Panel) -> IntArray:
    lengths: IntArray = panel.opened_at_ms.size - panel.start
    return lengths


def _last(field: FloatArray) -> FloatArray:
    return field[:, -1] if field.shape[1] else np.full(field.shape[0], np.nan)


def _venue_column(panel: Panel) -> IntArray:
    newest = venue_as_of(panel)
    return np.array([newest.get(market.exchange, -1) for market in panel.markets], dtype=np.int64)
