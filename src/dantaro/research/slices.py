"""The total within parts of the markets and of the days: tiers, strength classes, regimes, folds."""

from collections.abc import Iterator, Mapping

import numpy as np

from dantaro.analysis import measures
from dantaro.analysis.history import History
from dantaro.analysis.panel import BoolArray, FloatArray
from dantaro.analysis.scores import STRENGTH_FLOORS
from dantaro.research.measuring import Outcomes, daily_top, mean_of
from dantaro.research.report_data import Measured, Slice, StrengthReturn, unmeasured

TIERS = ("high", "middle", "low")
TREND_DAYS = 50
VOLATILITY_DAYS = 30


def market_regimes(days: History) -> Mapping[str, BoolArray]:
    """The days of each regime, bool[C], by what was known at their close.

    The market is every market of the recording in equal weights. `bull` and `bear`: its level above or
    below its mean of 50 days. `stressed`, `usual` and `calm`: the thirds of its volatility of 30 days.
    """
    close = days.by_market(days.close)
    moves = np.full(close.shape, np.nan)
    moves[:, 1:] = np.log(close[:, 1:] / close[:, :-1])
    known = np.isfinite(moves)
    market = np.where(known, moves, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    level = np.cumsum(market)
    columns = level.size
    trend, volatility = np.full(columns, np.nan), np.full(columns, np.nan)
    if columns >= TREND_DAYS:
        windows = np.lib.stride_tricks.sliding_window_view(level, TREND_DAYS)
        trend[TREND_DAYS - 1 :] = level[TREND_DAYS - 1 :] - windows.mean(axis=1)
    if columns > VOLATILITY_DAYS:
        windows = np.lib.stride_tricks.sliding_window_view(market[1:], VOLATILITY_DAYS)
        volatility[VOLATILITY_DAYS:] = windows.std(axis=1, ddof=1)
    measured = volatility[np.isfinite(volatility)]
    low, high = np.quantile(measured, (1 / 3, 2 / 3)) if measured.size else (np.nan, np.nan)
    return {
        "bull": trend > 0,
        "bear": trend <= 0,
        "stressed": volatility > high,
        "usual": (volatility > low) & (volatility <= high),
        "calm": volatility <= low,
    }


def tier_slices(
    scores: FloatArray, turnover: FloatArray, outcomes: Outcomes, *, horizon: int, count: int
) -> Iterator[Slice]:
    """By thirds of the 30-day turnover of the ranked markets on each day."""
    tiers = measures.groups_of(np.where(np.isnan(scores), np.nan, turnover), groups=len(TIERS))
    for tier, name in enumerate(TIERS):
        inside = np.where(tiers == tier, scores, np.nan)
        returns = np.where(tiers == tier, outcomes.returns[horizon], np.nan)
        part = Outcomes(
            outcomes.at_ms, {horizon: returns}, outcomes.day_returns, outcomes.cost_per_side
        )
        ic = measures.rank_correlations(inside, returns)
        net = daily_top(inside, part, horizon, count)[1]
        yield _slice("tier", name, ic, net, outcomes=part, horizon=horizon)


def day_slices(
    group: str,
    parts: Mapping[str, BoolArray],
    ic: FloatArray,
    net: FloatArray,
    outcomes: Outcomes,
    *,
    horizon: int,
) -> Iterator[Slice]:
    """By sets of days; `ic` and `net` are the total's daily rank IC and net excess."""
    for name, days in parts.items():
        inside = np.where(days, ic, np.nan), np.where(days, net, np.nan)
        yield _slice(group, name, *inside, outcomes=outcomes, horizon=horizon)


def strength_returns(
    scores: FloatArray, outcomes: Outcomes, horizon: int
) -> tuple[StrengthReturn, ...]:
    """What each strength class did, the best class first."""
    labels, returns = measures.strength_classes(scores), outcomes.returns[horizon]
    lags = outcomes.lags(horizon)
    labels = np.where(np.isfinite(returns), labels, -1)
    excess = measures.class_means(labels, returns, classes=len(STRENGTH_FLOORS))
    given = int((labels >= 0).sum())
    found = []
    for label, (_, strength) in enumerate(STRENGTH_FLOORS):
        inside = labels == label
        number = inside.sum(axis=0)
        means = np.full(number.size, np.nan)
        sums = np.where(inside, returns, 0.0).sum(axis=0)
        np.divide(sums, number, out=means, where=number > 0)
        n = int(number.sum())
        found.append(
            StrengthReturn(
                strength=str(strength),
                horizon_days=horizon,
                excess=mean_of(excess[label], lags, n=n),
                mean_return=mean_of(np.where(np.isnan(excess[label]), np.nan, means), lags, n=n),
                share=n / given if given else None,
            )
        )
    return tuple(found)


def _slice(
    group: str, name: str, ic: FloatArray, net: FloatArray, *, outcomes: Outcomes, horizon: int
) -> Slice:
    lags = outcomes.lags(horizon)
    return Slice(group, name, horizon, mean_of(ic, lags), _net(net, lags))


def _net(net: FloatArray, lags: int) -> Measured:
    if not np.isfinite(net).any():
        return unmeasured("no day had more markets than the list is long")
    return mean_of(net, lags)
