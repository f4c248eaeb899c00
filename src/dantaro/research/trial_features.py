"""Features beyond the served ones, tried in the evaluation and not served.

They need other markets (the universe's mean return, BTC), more than a month of history, or the past of
the recording itself, so serving them has a price. Whether they pay it is what the evaluation answers: an
engine that is given them as well stands beside the others.

All are float64[M, C] over a daily history, NaN where a day that they need is missing. x is the daily log
return, m the mean x of the ranked markets, b that of BTC.
"""

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dantaro.analysis.history import History
from dantaro.analysis.panel import BoolArray, FloatArray

TRIALS: Mapping[str, tuple[int, str]] = {
    "idiosyncratic_volatility_30d": (
        -1,
        "Deviation of what m does not explain of x over thirty days (Ang et al. 2006).",
    ),
    "beta_30d": (-1, "Slope of x on m over thirty days (Sharpe 1964)."),
    "downside_beta_60d": (-1, "The same over the days of sixty on which m fell (Ang et al. 2006)."),
    "residual_momentum_7d": (-1, "Sum of x - beta b over seven days (Blitz et al. 2011)."),
    "residual_momentum_30d": (-1, "The same over thirty days."),
    "liquidity_shock": (-1, "Mean of |x| / V over seven days, over that of thirty (Amihud 2002)."),
    "weekday_return_4w": (
        1,
        "Mean x of the coming weekday in the last four weeks (Heston, Sadka 2008).",
    ),
    "days_listed": (1, "Days of unbroken history in the recording."),
    "volatility_90d": (-1, "Deviation of ninety daily log returns."),
    "momentum_90d": (-1, "Return of ninety days."),
}
"""Sign and description of each, by name."""


def trial_features(history: History, ranked: BoolArray) -> Mapping[str, FloatArray]:
    """Every feature of `TRIALS`, float64[M, C].

    `ranked` bool[M, C] is the universe of each day; what a day's feature uses of it ends that day.
    """
    close, volume = history.by_market(history.close), history.by_market(history.volume)
    moves = _log_returns(history)
    market = _mean_of(moves, ranked)
    bitcoin = _bitcoin(history, moves, market)
    beta, unexplained = _regressed(moves, market, 30)
    downside, _ = _regressed(moves, market, 60, falling=True)
    to_bitcoin, _ = _regressed(moves, bitcoin, 60)
    with np.errstate(divide="ignore", invalid="ignore"):
        illiquidity = np.abs(moves) / np.where(volume > 0, close * volume, np.nan)
        shock = _windows(illiquidity, 7).mean(axis=2) / _windows(illiquidity, 30).mean(axis=2)
    found = {
        "idiosyncratic_volatility_30d": unexplained,
        "beta_30d": beta,
        "downside_beta_60d": downside,
        "liquidity_shock": shock,
        "weekday_return_4w": np.mean([_ago(moves, 7 * week - 1) for week in (1, 2, 3, 4)], axis=0),
        "days_listed": np.where(history.ages() > 0, history.ages(), np.nan).astype(np.float64),
        "volatility_90d": _windows(moves, 90).std(axis=2, ddof=1),
        "momentum_90d": np.expm1(_windows(moves, 90).sum(axis=2)),
    }
    for days in (7, 30):
        own = _windows(moves, days).sum(axis=2)
        found[f"residual_momentum_{days}d"] = own - to_bitcoin * _windows(bitcoin, days).sum(axis=2)
    return {name: found[name] for name in TRIALS}


def _log_returns(history: History) -> FloatArray:
    moves = np.full(history.close.shape, np.nan)
    moves[:, 1:] = np.log(history.close[:, 1:] / history.close[:, :-1])
    return history.by_market(moves)


def _mean_of(moves: FloatArray, ranked: BoolArray) -> FloatArray:
    """float64[1, C]: the mean over the markets that were ranked and moved that day."""
    chosen = ranked & np.isfinite(moves)
    count = chosen.sum(axis=0)
    total = np.where(chosen, moves, 0.0).sum(axis=0)
    mean: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)[None, :]
    return mean


def _bitcoin(history: History, moves: FloatArray, otherwise: FloatArray) -> FloatArray:
    """float64[1, C]: BTC's moves, or the market's where the recording has no BTC."""
    rows = [row for row, market in enumerate(history.markets) if market.base == "BTC"]
    return moves[rows[:1]] if rows else otherwise


def _windows(values: FloatArray, days: int) -> FloatArray:
    """float64[rows, C, days], NaN before the first whole window."""
    short = np.pad(values, ((0, 0), (days - 1, 0)), constant_values=np.nan)
    return np.ascontiguousarray(sliding_window_view(short, days, axis=1))


def _regressed(
    moves: FloatArray, market: FloatArray, days: int, *, falling: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Slope on `market` and deviation of the rest, over `days` (or those on which the market fell)."""
    own, other = _windows(moves, days), _windows(market, days)
    used = np.where(other < 0, 1.0, 0.0) if falling else np.ones(other.shape)
    used[np.isnan(other)] = np.nan
    count = used.sum(axis=2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        other = used * (other - (used * other).sum(axis=2, keepdims=True) / count)
        own = used * (own - (used * own).sum(axis=2, keepdims=True) / count)
        slope = (own * other).sum(axis=2) / (other**2).sum(axis=2)
        rest = own - slope[..., None] * other
        deviation = np.sqrt((rest**2).sum(axis=2) / count[..., 0])
    return slope, deviation


def _ago(values: FloatArray, days: int) -> FloatArray:
    result = np.full(values.shape, np.nan)
    result[:, days:] = values[:, : values.shape[1] - days]
    return result
