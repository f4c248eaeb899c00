"""The figures shown beside a score: features and plain indicators of each scored market.

Indicators are those of the days that the scores rest on (rolling 24-hour days, or UTC days until
there are hours): RSI 14 (0..100), MACD 12/26/9 histogram as a fraction of the close, ADX 14 (0..100),
ATR 14 as a fraction of the close, and Bollinger %b 20/2 (0 at the lower band, 1 at the upper one;
J. Bollinger, 2001).
"""

from collections.abc import Mapping

import numpy as np

from dantaro.analysis import indicators
from dantaro.analysis.panel import FloatArray, Panel, select
from dantaro.analysis.preparation import Prepared
from dantaro.analysis.rows import float_rows
from dantaro.market.results import MarketFeatures

_NOT_ENOUGH = "too few days of candles, or no movement in them"


def market_features(prepared: Prepared) -> tuple[MarketFeatures, ...]:
    """One row per scored market, in the order of `prepared.markets`."""
    rows = np.flatnonzero(prepared.scored)
    features = {name: column[rows] for name, column in prepared.reading.features.items()}
    named = zip(
        float_rows(_finite(features)), float_rows(_finite(_indicators(prepared))), strict=True
    )
    return tuple(
        _row(prepared, row, of_features, of_indicators)
        for row, (of_features, of_indicators) in zip(rows.tolist(), named, strict=True)
    )


def bollinger_percent_b(panel: Panel, period: int = 20, width: float = 2.0) -> FloatArray:
    """Where the last close lies between the bands: (close - lower) / (upper - lower), float64[M];
    NaN without `period` closes or where they do not move. Bands are the mean of `period` closes plus
    and minus `width` population standard deviations.
    """
    if panel.opened_at_ms.size < period:
        return np.full(len(panel.markets), np.nan)
    closes = panel.close[:, -period:]
    spread = 2.0 * width * closes.std(axis=1)
    lower = closes.mean(axis=1) - spread / 2.0
    moves = spread > 0
    between: FloatArray = np.full(len(panel.markets), np.nan)
    between[moves] = (closes[moves, -1] - lower[moves]) / spread[moves]
    return between


def _indicators(prepared: Prepared) -> Mapping[str, FloatArray]:
    """Each indicator over the scored rows, read from rolling days or from UTC days."""
    scored, from_hourly = prepared.scored, prepared.reading.from_hourly
    by_hours = _of_days(select(prepared.panels.days, scored & from_hourly))
    by_days = _of_days(select(prepared.panels.daily, scored & ~from_hourly))
    hourly = from_hourly[scored]
    columns = {name: np.full(hourly.size, np.nan) for name in by_hours}
    for name, column in columns.items():
        column[hourly], column[~hourly] = by_hours[name], by_days[name]
    return columns


def _of_days(days: Panel) -> Mapping[str, FloatArray]:
    close = days.close[:, -1] if days.opened_at_ms.size else np.full(len(days.markets), np.nan)
    line, signal = indicators.macd(days, last=1)
    columns = {
        "rsi_14": indicators.rsi(days, last=1),
        "macd_histogram_fraction": line - signal,
        "adx_14": indicators.adx(days, last=1),
        "atr_14_fraction": indicators.atr(days, last=1),
    }
    newest = {name: _newest(values, close) for name, values in columns.items()}
    for name in ("macd_histogram_fraction", "atr_14_fraction"):
        newest[name] = newest[name] / close
    return {**newest, "bollinger_percent_b": bollinger_percent_b(days)}


def _newest(values: FloatArray, like: FloatArray) -> FloatArray:
    return values[:, -1] if values.shape[1] else np.full(like.shape, np.nan)


def _row(
    prepared: Prepared,
    row: int,
    features: Mapping[str, float | None],
    shown: Mapping[str, float | None],
) -> MarketFeatures:
    market = prepared.markets[row]
    absent = [name for name, value in {**features, **shown}.items() if value is None]
    return MarketFeatures(
        exchange=market.exchange,
        symbol=market.symbol,
        coin=prepared.coins[row],
        quote=market.quote,
        data_as_of_ms=int(prepared.reading.as_of_ms[row]),
        close=float(prepared.reading.close[row]),
        features=features,
        indicators=shown,
        missing=dict.fromkeys(absent, _NOT_ENOUGH),
    )


def _finite(columns: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
    return {name: np.where(np.isfinite(column), column, np.nan) for name, column in columns.items()}
