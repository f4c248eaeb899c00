"""Day features: what the scores are made of, in natural units.

Every feature is computed from the last `HISTORY_DAYS` columns of a panel of days (rolling 24-hour
windows of hourly candles, or UTC daily candles), for all markets at once. A market whose days are
fewer than a feature needs gets NaN for it.

Which features, and which way they point, is measured and not assumed: on Binance spot 2021 to 2023
the mean daily rank IC with the next day's return was +0.07 for low volatility, +0.08 for a small
MAX, +0.06 for the one-day reversal, -0.07 for seven-day momentum, -0.08 for the volume surge and
+0.02 for nearness to the seven-day high.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dantaro.analysis.panel import FloatArray, Panel

Group = Literal["technical", "volume", "volatility", "risk"]

HISTORY_DAYS = 31
"""Days that all features together need: thirty returns, hence thirty-one closes."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: `sign` +1 when more is favourable, -1 when less is; `group` the score it enters
    (None: shown, not scored); `days` the number of days that it needs.
    """

    name: str
    sign: Literal[1, -1]
    group: Group | None
    days: int
    description: str


FEATURES: tuple[Feature, ...] = (
    Feature(
        "reversal_1d",
        -1,
        "technical",
        2,
        "Return of the last day: yesterday's winners give back (short-term reversal, Jegadeesh 1990).",
    ),
    Feature(
        "momentum_7d",
        -1,
        "technical",
        8,
        "Return of the last seven days; across coins it reverts within a day to a week.",
    ),
    Feature(
        "distance_from_7d_high",
        1,
        "technical",
        7,
        "Close over the highest high of seven days, minus one: 0 at the high, negative below it.",
    ),
    Feature(
        "turnover_30d",
        -1,
        "volume",
        30,
        "Median daily turnover (close times volume) of thirty days, in quote currency.",
    ),
    Feature(
        "volume_surge",
        -1,
        "volume",
        30,
        "Turnover of the last day over the median of thirty days.",
    ),
    Feature(
        "volatility_30d",
        -1,
        "volatility",
        31,
        "Sample standard deviation of the last thirty daily log returns.",
    ),
    Feature(
        "max_7d",
        -1,
        "risk",
        8,
        "Largest daily return of the last seven days (MAX; Bali, Cakici and Whitelaw 2011).",
    ),
    Feature(
        "momentum_30d",
        -1,
        None,
        31,
        "Return of the last thirty days; shown, and not part of the scores.",
    ),
)

SCORED: tuple[Feature, ...] = tuple(feature for feature in FEATURES if feature.group)


def day_features(days: Panel) -> Mapping[str, FloatArray]:
    """Every feature of `FEATURES`, float64[M], as of the panel's last column; NaN where the market
    has fewer days than the feature needs, or where its thirty-day median turnover is zero.
    """
    close, high = _last(days.close), _last(days.high)
    turnover = close * _last(days.volume)
    returns = close[:, 1:] / close[:, :-1] - 1.0
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # a median over a short row is NaN, and that is its value: nothing to warn of
        warnings.simplefilter("ignore", RuntimeWarning)
        typical = np.median(turnover[:, -30:], axis=1)
        features = {
            "reversal_1d": returns[:, -1],
            "momentum_7d": close[:, -1] / close[:, -8] - 1.0,
            "distance_from_7d_high": close[:, -1] / high[:, -7:].max(axis=1) - 1.0,
            "turnover_30d": typical,
            "volume_surge": turnover[:, -1] / np.where(typical > 0, typical, np.nan),
            "volatility_30d": np.std(np.log1p(returns[:, -30:]), axis=1, ddof=1),
            "max_7d": returns[:, -7:].max(axis=1),
            "momentum_30d": close[:, -1] / close[:, -31] - 1.0,
        }
    return {feature.name: features[feature.name] for feature in FEATURES}


def _last(field: FloatArray) -> FloatArray:
    """The last `HISTORY_DAYS` columns, padded with NaN on the left where the panel is narrower."""
    short = HISTORY_DAYS - field.shape[1]
    if short <= 0:
        return field[:, -HISTORY_DAYS:]
    return np.pad(field, ((0, 0), (short, 0)), constant_values=np.nan)
