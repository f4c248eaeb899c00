"""Day features: what the scores and the total are made of, in natural units.

Every feature looks back over at most `HISTORY_DAYS` days (rolling 24-hour windows of hourly candles, or
UTC daily candles), and is NaN where one of the days that it needs is missing. All are functions of the
market's own candles alone. A window's value does not depend on what lies outside of it, to the last bit,
so that the same days give the same feature at the time and years later.

`FEATURES` names each with its sign: +1 when more of it has been followed by better returns than the other
coins', -1 when less of it has; which way a feature points is measured (`dantaro evaluate`), not assumed.
Seven of them make the four scores (`group`); all of them are what a fitted model may use.

In the formulas: C close, H high, L low, O open of a day, V = C * volume its turnover, r = C / C' - 1 the
return from the close before, x = log(C / C'), and T = the median of V over thirty days.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dantaro.analysis.history import Candles
from dantaro.analysis.panel import FloatArray

Group = Literal["technical", "volume", "volatility", "risk"]

HISTORY_DAYS = 31
"""Days that all features together need: thirty returns, hence thirty-one closes."""

_BLOCK = 1 << 21  # windows of so many values at a time stay small beside the panel
_THIN = 0.01  # a quiet day counts as a hundredth of the usual turnover where a logarithm is taken


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature.

    Attributes:
        name: its name in results and model files.
        sign: +1 when more has been favourable, -1 when less has.
        days: the days that it needs.
        description: what it is, with the formula and its source.
        group: the score that it enters; None: the total's model alone.
        currency: the power with which it grows with the quote currency (turnover 1, illiquidity -1).
    """

    name: str
    sign: Literal[1, -1]
    days: int
    description: str
    group: Group | None = None
    currency: int = 0


_AWAY = "Close over the {what} of {days} days, minus one."
_RANGE = "Mean of log(H / L) over {days} days (range volatility, after Parkinson 1980)."

FEATURES: tuple[Feature, ...] = (
    Feature(
        "reversal_1d",
        -1,
        2,
        "Return of the last day: yesterday's winners give back (short-term reversal, Jegadeesh 1990).",
        "technical",
    ),
    Feature(
        "momentum_7d",
        -1,
        8,
        "Return of the last seven days; across coins it reverts within a day to a week.",
        "technical",
    ),
    Feature(
        "distance_from_7d_high",
        1,
        7,
        "Close over the highest high of seven days, minus one: 0 at the high, negative below it.",
        "technical",
    ),
    Feature(
        "turnover_30d",
        -1,
        30,
        "Median daily turnover of thirty days, in quote currency.",
        "volume",
        currency=1,
    ),
    Feature("volume_surge", -1, 30, "Turnover of the last day over T.", "volume"),
    Feature(
        "volatility_30d",
        -1,
        31,
        "Sample standard deviation of the last thirty daily log returns.",
        "volatility",
    ),
    Feature(
        "max_7d",
        -1,
        8,
        "Largest daily return of the last seven days (MAX; Bali, Cakici and Whitelaw 2011).",
        "risk",
    ),
    Feature("momentum_30d", -1, 31, "Return of the last thirty days."),
    Feature("momentum_2d", -1, 3, "Return of the last two days."),
    Feature("momentum_3d", -1, 4, "Return of the last three days."),
    Feature("momentum_5d", -1, 6, "Return of the last five days."),
    Feature("momentum_21d", -1, 22, "Return of the last twenty-one days."),
    Feature(
        "scaled_reversal_1d", -1, 31, "Log return of the last day over the volatility of thirty."
    ),
    Feature("max_3d", -1, 4, "Largest daily return of the last three days."),
    Feature("min_7d", 1, 8, "Smallest daily return of the last seven days."),
    Feature("distance_from_3d_low", -1, 3, _AWAY.format(what="lowest low", days="three")),
    Feature("distance_from_7d_low", -1, 7, _AWAY.format(what="lowest low", days="seven")),
    Feature("distance_from_14d_low", -1, 14, _AWAY.format(what="lowest low", days="fourteen")),
    Feature("distance_from_30d_low", -1, 30, _AWAY.format(what="lowest low", days="thirty")),
    Feature("distance_from_30d_high", -1, 30, _AWAY.format(what="highest high", days="thirty")),
    Feature("days_since_30d_low", -1, 30, "Days since the lowest low of thirty days, 0 to 29."),
    Feature("distance_from_10d_mean", -1, 10, _AWAY.format(what="mean close", days="ten")),
    Feature("distance_from_20d_mean", -1, 20, _AWAY.format(what="mean close", days="twenty")),
    Feature("range_1d", -1, 1, "log(H / L) of the last day."),
    Feature("range_7d", -1, 7, _RANGE.format(days="seven")),
    Feature("range_14d", -1, 14, _RANGE.format(days="fourteen")),
    Feature("range_30d", -1, 30, _RANGE.format(days="thirty")),
    Feature(
        "range_over_volatility_30d",
        1,
        31,
        "range_30d over volatility_30d: moves inside the day that its close does not keep.",
    ),
    Feature(
        "range_position_7d",
        1,
        7,
        "Mean of (C - L) / (H - L) over seven days, in [0, 1]; 0.5 for a day without a range.",
    ),
    Feature("body_1d", -1, 1, "(C - O) / (H - L) of the last day, in [-1, 1]; 0 without a range."),
    Feature("upper_shadow_1d", -1, 1, "(H - max(O, C)) / C of the last day."),
    Feature("upper_shadow_7d", -1, 7, "Mean of (H - max(O, C)) / C over seven days."),
    Feature("volatility_7d", -1, 8, "Sample standard deviation of seven daily log returns."),
    Feature(
        "upside_volatility_30d",
        -1,
        31,
        "Root of the mean of max(x, 0)^2 over thirty days (upside semideviation, after Markowitz 1959).",
    ),
    Feature(
        "skewness_30d",
        -1,
        31,
        "Third central moment of thirty daily log returns over the cubed deviation; 0 if there is none.",
    ),
    Feature(
        "turnover_7d", -1, 7, "Mean daily turnover of seven days, in quote currency.", currency=1
    ),
    Feature("volume_surge_7d", -1, 30, "Median turnover of seven days over T."),
    Feature(
        "turnover_trend_14d",
        -1,
        30,
        "Least-squares slope per day of log(V / T + 0.01) over fourteen days.",
    ),
    Feature(
        "turnover_volatility_30d",
        -1,
        30,
        "Sample standard deviation of log(V / T + 0.01) over thirty days (liquidity risk; Chordia, "
        "Subrahmanyam and Anshuman 2001).",
    ),
    Feature(
        "illiquidity_7d",
        1,
        30,
        "Mean of |x| / max(V, T / 100) over seven days (Amihud 2002), per unit of quote currency.",
        currency=-1,
    ),
    Feature("illiquidity_30d", 1, 31, "The same over thirty days (Amihud 2002).", currency=-1),
    Feature(
        "price_volume_correlation_20d",
        -1,
        30,
        "Correlation over twenty days of x with the change of log(V / T + 0.01); 0 where one stands still.",
    ),
)

SCORED: tuple[Feature, ...] = tuple(feature for feature in FEATURES if feature.group)
NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)


def day_features(days: Candles, *, last: int = 1) -> Mapping[str, FloatArray]:
    """Every feature of `FEATURES` at the last `last` columns, float64[rows, last]; NaN where a day that
    it needs is missing, or where its thirty-day median turnover is zero.

    `days` are daily candles, NaN before the first (and, in a history, after the last) of a row.
    """
    rows = days.close.shape[0]
    result = {name: np.empty((rows, last)) for name in NAMES}
    size = max(1, _BLOCK // (HISTORY_DAYS * last))
    for begin in range(0, rows, size):
        part = slice(begin, begin + size)
        block = _Days(
            *(
                _newest(field[part], HISTORY_DAYS - 1 + last)
                for field in (days.open, days.high, days.low, days.close, days.volume)
            ),
            last=last,
        )
        for name, values in block.features().items():
            result[name][part] = values
    return result


class _Days:
    """Days of some rows and what the features of their last columns have in common."""

    def __init__(
        self,
        open_: FloatArray,
        high: FloatArray,
        low: FloatArray,
        close: FloatArray,
        volume: FloatArray,
        *,
        last: int,
    ) -> None:
        self._open, self._high, self._low, self._close = open_, high, low, close
        self._last = last
        self._turnover = close * volume
        self._log_return = np.full(close.shape, np.nan)
        self._log_return[:, 1:] = np.log(close[:, 1:] / close[:, :-1])

    def features(self) -> Mapping[str, FloatArray]:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = {**self._prices(), **self._returns(), **self._candles(), **self._turnovers()}
        return {name: found[name] for name in NAMES}

    def _windows(self, values: FloatArray, days: int) -> FloatArray:
        """float64[rows, last, days], contiguous: then a sum is rounded alike however many there are."""
        used = values[:, values.shape[1] - self._last - days + 1 :]
        return np.ascontiguousarray(sliding_window_view(used, days, axis=1))

    def _prices(self) -> Mapping[str, FloatArray]:
        close = self._close[:, -self._last :]
        found: dict[str, FloatArray] = {}
        for days in (2, 3, 5, 7, 21, 30):
            found[f"momentum_{days}d"] = close / self._windows(self._close, days + 1)[..., 0] - 1.0
        found["reversal_1d"] = close / self._windows(self._close, 2)[..., 0] - 1.0
        for days in (3, 7, 14, 30):
            lowest = self._windows(self._low, days).min(axis=2)
            found[f"distance_from_{days}d_low"] = close / lowest - 1.0
        for days in (7, 30):
            highest = self._windows(self._high, days).max(axis=2)
            found[f"distance_from_{days}d_high"] = close / highest - 1.0
        for days in (10, 20):
            found[f"distance_from_{days}d_mean"] = (
                close / self._windows(self._close, days).mean(axis=2) - 1.0
            )
        lows = self._windows(self._low, 30)
        since = 29.0 - lows.argmin(axis=2)
        found["days_since_30d_low"] = np.where(np.isnan(lows).any(axis=2), np.nan, since)
        return found

    def _returns(self) -> Mapping[str, FloatArray]:
        week, month = self._windows(self._log_return, 7), self._windows(self._log_return, 30)
        volatility = month.std(axis=2, ddof=1)
        centred = month - month.mean(axis=2, keepdims=True)
        spread = month.std(axis=2)
        skewness = (centred**3).mean(axis=2) / np.where(spread > 0, spread, 1.0) ** 3
        return {
            "max_3d": np.expm1(week[..., -3:].max(axis=2)),
            "max_7d": np.expm1(week.max(axis=2)),
            "min_7d": np.expm1(week.min(axis=2)),
            "volatility_7d": week.std(axis=2, ddof=1),
            "volatility_30d": volatility,
            "upside_volatility_30d": np.sqrt((np.maximum(month, 0.0) ** 2).mean(axis=2)),
            "skewness_30d": skewness,
            "scaled_reversal_1d": _over(month[..., -1], volatility),
            "range_over_volatility_30d": _over(self._ranges(30), volatility),
        }

    def _candles(self) -> Mapping[str, FloatArray]:
        last = slice(-self._last, None)
        span = self._high - self._low
        moves = np.where(span == 0, 1.0, span)
        position = np.where(span == 0, 0.5, (self._close - self._low) / moves)
        shadow = (self._high - np.maximum(self._open, self._close)) / self._close
        return {
            **{f"range_{days}d": self._ranges(days) for days in (1, 7, 14, 30)},
            "range_position_7d": self._windows(position, 7).mean(axis=2),
            "body_1d": ((self._close - self._open) / moves)[:, last],
            "upper_shadow_1d": shadow[:, last],
            "upper_shadow_7d": self._windows(shadow, 7).mean(axis=2),
        }

    def _ranges(self, days: int) -> FloatArray:
        found: FloatArray = self._windows(np.log(self._high / self._low), days).mean(axis=2)
        return found

    def _turnovers(self) -> Mapping[str, FloatArray]:
        month = self._windows(self._turnover, 30)
        typical = np.median(month, axis=2)
        typical = np.where(typical > 0, typical, np.nan)
        relative = month / typical[..., None]
        logs = np.log(relative + _THIN)
        moved = np.abs(self._windows(self._log_return, 30))
        price_of_trading = moved / np.maximum(month, _THIN * typical[..., None])
        steps = np.arange(14.0) - 6.5
        returns = self._windows(self._log_return, 20)
        return {
            "turnover_30d": typical,
            "turnover_7d": month[..., -7:].mean(axis=2),
            "volume_surge": relative[..., -1],
            "volume_surge_7d": np.median(relative[..., -7:], axis=2),
            "turnover_trend_14d": (logs[..., -14:] * steps).sum(axis=2) / float((steps**2).sum()),
            "turnover_volatility_30d": logs.std(axis=2, ddof=1),
            "illiquidity_7d": price_of_trading[..., -7:].mean(axis=2),
            "illiquidity_30d": price_of_trading.mean(axis=2),
            "price_volume_correlation_20d": _correlation(returns, np.diff(logs[..., -21:], axis=2)),
        }


def _newest(field: FloatArray, columns: int) -> FloatArray:
    """The last `columns` columns, padded with NaN on the left where there are fewer."""
    short = columns - field.shape[1]
    if short <= 0:
        return field[:, -columns:]
    return np.pad(field, ((0, 0), (short, 0)), constant_values=np.nan)


def _over(values: FloatArray, divisor: FloatArray) -> FloatArray:
    """The quotient, 0 where nothing moves."""
    return np.where(divisor == 0, 0.0, values / np.where(divisor == 0, 1.0, divisor))


def _correlation(left: FloatArray, right: FloatArray) -> FloatArray:
    """Pearson's, over the last axis; 0 where a side stands still."""
    left = left - left.mean(axis=2, keepdims=True)
    right = right - right.mean(axis=2, keepdims=True)
    size = np.sqrt((left**2).sum(axis=2) * (right**2).sum(axis=2))
    return _over((left * right).sum(axis=2), size)
