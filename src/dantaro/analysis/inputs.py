"""The candles that one pass works on, as panels.

The panels depend on candles alone, so that one set of them can serve many passes.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

import numpy as np

from dantaro.analysis import anomalies as anomaly
from dantaro.analysis.anomalies import Anomaly
from dantaro.analysis.panel import Panel, Series, aggregate, build_panel, rolling_days, select
from dantaro.analysis.parameters import Parameters
from dantaro.market.markets import Market, Ticker
from dantaro.market.timeframes import DAILY, HOURLY, Timeframe

_ROLLING_DAYS = 90


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one pass works on. `markets` is the whole catalogue; all else is keyed by `Market.key` and
    may lack markets.

    `tickers` are those that still hold. `last_turnovers` are 24-hour turnovers in quote currency as
    last known, however old: a market keeps its place in the universe while its ticker is away. So are
    `last_prices`, which say what a quote currency is worth where turnovers are compared, and never
    what a market costs now.
    """

    markets: tuple[Market, ...]
    tickers: Mapping[str, Ticker]
    hourly: Mapping[str, Series]
    daily: Mapping[str, Series]
    last_turnovers: Mapping[str, float] = field(default_factory=dict)
    last_prices: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """The candles of every market that has some, row by row the same in all three panels.

    `days` are rolling 24-hour days made from `hourly`; `daily` UTC days, recorded or, where only
    hours are recorded, made from them. `anomalies` are the jumps before which candles were cut off.
    """

    hourly: Panel
    days: Panel
    daily: Panel
    anomalies: Mapping[str, Anomaly]

    @property
    def markets(self) -> tuple[Market, ...]:
        return self.hourly.markets


def build_panels(inputs: Inputs, parameters: Parameters, *, now_ms: int) -> Panels:
    """The panels of every market with candles, less what lies before a price anomaly."""
    coins = {market.key: market.base for market in inputs.markets}
    hourly = _settled(inputs.hourly, HOURLY, now_ms)
    daily = _settled(inputs.daily, DAILY, now_ms)
    bounds = {"opening_jump": parameters.opening_jump, "step_jump": parameters.step_jump}
    found = anomaly.newest_of(
        anomaly.find_anomalies(hourly, coins, **bounds),
        anomaly.find_anomalies(daily, coins, **bounds),
    )
    hourly, daily = anomaly.cut(hourly, found), anomaly.cut(daily, found)
    rows = [market for market in inputs.markets if _has_candles(market, hourly, daily)]
    hours = build_panel(
        rows,
        hourly,
        HOURLY,
        now_ms=now_ms,
        candles=_reach(hourly, HOURLY, now_ms, most=parameters.hourly_candles),
    )
    daily = {**_days_from_hours(hours, but=daily), **daily}
    days = build_panel(
        rows,
        daily,
        DAILY,
        now_ms=now_ms,
        candles=_reach(daily, DAILY, now_ms, most=parameters.daily_candles),
    )
    return Panels(hours, rolling_days(hours, days=_ROLLING_DAYS), days, found)


def venue_as_of(panel: Panel) -> Mapping[str, int]:
    """Closing time of the newest candle that any market of the panel has, by exchange."""
    newest: dict[str, int] = {}
    for market, opened_at_ms in zip(panel.markets, panel.last_recorded_ms, strict=True):
        if opened_at_ms >= 0:
            closed_at_ms = int(opened_at_ms) + panel.timeframe.milliseconds
            newest[market.exchange] = max(newest.get(market.exchange, -1), closed_at_ms)
    return newest


def _reach(series: Mapping[str, Series], timeframe: Timeframe, now_ms: int, *, most: int) -> int:
    """How many slots back the panel need go: to the oldest candle, at `most`, and 1 at least. While
    little is known (a cold start) more columns would be empty memory.
    """
    newest_ms = timeframe.last_closed(now_ms=now_ms)
    oldest_ms = min(
        (int(s.opened_at_ms[0]) for s in series.values() if s.opened_at_ms.size), default=newest_ms
    )
    return max(1, min(most, (newest_ms - oldest_ms) // timeframe.milliseconds + 1))


def _has_candles(market: Market, *series: Mapping[str, Series]) -> bool:
    return any(market.key in some and some[market.key].opened_at_ms.size for some in series)


def _settled(
    series: Mapping[str, Series], timeframe: Timeframe, now_ms: int
) -> Mapping[str, Series]:
    """The candles closed at `now_ms`, without a newest one that is still being collected.

    Right after a close some markets of an exchange have the new candle and the others will have it
    in a moment; they are not quiet. So the newest slot of an exchange waits until at least half as
    many of its markets have it as have the slot before.
    """
    newest_ms = timeframe.last_closed(now_ms=now_ms)
    counts: dict[str, list[int]] = {}
    closed = {key: anomaly.until(s, newest_ms + 1) for key, s in series.items()}
    for key, candles in closed.items():
        count = counts.setdefault(key.partition(":")[0], [0, 0])
        times = candles.opened_at_ms
        count[0] += int(times.size > 0 and times[-1] == newest_ms)
        before = np.searchsorted(times, newest_ms - timeframe.milliseconds)
        count[1] += int(before < times.size and times[before] == newest_ms - timeframe.milliseconds)
    waiting = {exchange for exchange, (newest, before) in counts.items() if 2 * newest < before}
    return {
        key: anomaly.until(s, newest_ms) if key.partition(":")[0] in waiting else s
        for key, s in closed.items()
    }


def _days_from_hours(hourly: Panel, *, but: Container[str]) -> Mapping[str, Series]:
    """UTC days made of hours, for markets whose own days were not collected, so are not in `but`."""
    lacking = np.array([market.key not in but for market in hourly.markets], dtype=bool)
    if not hourly.opened_at_ms.size or not lacking.any():
        return {}
    days = aggregate(select(hourly, lacking), DAILY)
    made: dict[str, Series] = {}
    for row, market in enumerate(days.markets):
        known = slice(int(days.start[row]), None)
        if days.start[row] < days.opened_at_ms.size:
            made[market.key] = Series(
                days.axis(market.exchange)[known],
                days.open[row, known],
                days.high[row, known],
                days.low[row, known],
                days.close[row, known],
                days.volume[row, known],
            )
    return made
