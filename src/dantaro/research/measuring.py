"""How one ranking did: rank IC, hit rate, fifths, top lists and portfolios, each with its uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dantaro.analysis import measures
from dantaro.analysis.estimates import (
    Estimate,
    hit_rate,
    icir,
    newey_west,
    overlap_lags,
    paired_difference,
)
from dantaro.analysis.panel import FloatArray, IntArray
from dantaro.analysis.portfolios import max_drawdown, portfolio, sharpe
from dantaro.research.baselines import Ranking
from dantaro.research.report_data import (
    Contender,
    DailyIC,
    Equity,
    HorizonSeries,
    Measured,
    PairedDifference,
    Portfolio,
    QuintileGrowth,
    RandomRankings,
    TopList,
    series,
    unmeasured,
)

GROUPS = 5
_ROLLING_DAYS = 60
_LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)
_BINS = 40
_NO_DAY = "no day had enough markets with a score and an outcome"


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What followed the measured decisions of one recording, over C days.

    Attributes:
        at_ms: int64[C], when the decisions were taken.
        returns: by horizon float64[M, C], NaN where a market was not ranked.
        day_returns: float64[M, C], of the day after each decision, of every market.
        cost_per_side: fee and half the spread, as a fraction of the traded value.
    """

    at_ms: IntArray
    returns: Mapping[int, FloatArray]
    day_returns: FloatArray
    cost_per_side: float

    def lags(self, horizon: int) -> int:
        return overlap_lags(horizon, self.at_ms.size)


def daily_ic(ranking: Ranking, outcomes: Outcomes, horizon: int) -> FloatArray:
    """The ranking's rank IC on each day, float64[C]."""
    return measures.rank_correlations(ranking.at(horizon), outcomes.returns[horizon])


def measured(estimate: Estimate, *, n: int | None = None) -> Measured:
    """An estimate as the report keeps it; `n` replaces its number of observations."""
    if estimate.value is None:
        return unmeasured(_NO_DAY)
    return Measured(
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        t_stat=estimate.t_stat,
        n=estimate.n if n is None else n,
        days=estimate.days,
    )


def mean_of(daily: FloatArray, lags: int, *, n: int | None = None) -> Measured:
    """The mean of a daily series, with the interval of Newey and West."""
    return measured(newey_west(daily, lags=lags), n=n)


def contender(
    ranking: Ranking,
    outcomes: Outcomes,
    horizon: int,
    *,
    tops: Mapping[int, FloatArray],
    ic: FloatArray,
) -> Contender:
    """The ranking's record at one horizon; `tops` are its `top_weights_of`, `ic` its `daily_ic`."""
    scores, returns = ranking.at(horizon), outcomes.returns[horizon]
    lags = outcomes.lags(horizon)
    pairs = int((np.isfinite(scores) & np.isfinite(returns))[:, np.isfinite(ic)].sum())
    fifths = measures.quantile_means(scores, returns, groups=GROUPS)
    quintiles = tuple(mean_of(daily, lags) for daily in fifths)
    means = [found.value for found in quintiles]
    known = [value for value in means if value is not None]
    return Contender(
        name=ranking.name,
        kind=ranking.kind,
        label=ranking.label,
        horizon_days=horizon,
        rank_ic=mean_of(ic, lags, n=pairs),
        icir=icir(ic),
        hit_rate=measured(hit_rate(ic, lags=lags)),
        tops=tuple(top_list(scores, outcomes, horizon, *each) for each in tops.items()),
        quintiles=quintiles,
        spread=mean_of(fifths[0] - fifths[-1], lags),
        monotone=bool(np.all(np.diff(known) <= 0)) if len(known) == GROUPS else None,
    )


def top_list(
    scores: FloatArray, outcomes: Outcomes, horizon: int, count: int, weights: FloatArray
) -> TopList:
    """The first `count` markets, renewed once a horizon; costs on the share that is replaced."""
    gross, net, replaced = daily_top(scores, outcomes, horizon, count, weights)
    lags = outcomes.lags(horizon)
    return TopList(count, mean_of(gross, lags), mean_of(net, lags), mean_of(replaced, lags))


def daily_top(
    scores: FloatArray,
    outcomes: Outcomes,
    horizon: int,
    count: int,
    weights: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Excess over the universe mean before and after costs, and turnover, float64[C] each.

    What leaves the list is sold and what enters is bought: two trades of the replaced share. `weights`
    are the list's `top_weights`, where they are known already.
    """
    if weights is None:
        weights = measures.top_weights(scores, count=count)
    returns = outcomes.returns[horizon]
    gross = measures.top_excess(scores, returns, count=count, weights=weights)
    replaced = measures.replaced(weights, every=horizon)
    return gross, gross - 2.0 * outcomes.cost_per_side * replaced, replaced


def differences(
    total: FloatArray, baselines: Mapping[str, FloatArray], *, horizon: int, lags: int
) -> tuple[PairedDifference, ...]:
    """Daily rank IC `total` minus that of each baseline; `best` marks the baseline of the highest mean
    on the days of both.
    """
    means = {}
    for name, ic in baselines.items():
        common = np.isfinite(total) & np.isfinite(ic)
        means[name] = float(ic[common].mean()) if common.any() else -np.inf
    best = max(means, key=lambda name: means[name]) if means else ""
    return tuple(
        PairedDifference(
            baseline=name,
            horizon_days=horizon,
            difference=measured(paired_difference(total, ic, lags=lags)),
            best=name == best and means[name] > -np.inf,
        )
        for name, ic in baselines.items()
    )


def held(
    weights: FloatArray, outcomes: Outcomes, horizon: int, *, costs: bool
) -> tuple[FloatArray, FloatArray]:
    """Daily returns after and before costs of a book in equal parts over the horizon, float64[C]."""
    cost = outcomes.cost_per_side if costs else 0.0
    book = portfolio(weights, outcomes.day_returns, holding_days=horizon, cost_per_side=cost)
    return book.returns, book.before_costs


def portfolio_record(name: str, horizon: int, daily: FloatArray) -> Portfolio:
    """What the daily returns of a portfolio amount to."""
    known = daily[np.isfinite(daily)]
    if known.size < 2:
        reason = "too few days with a list and a next open"
        return Portfolio(name, horizon, unmeasured(reason), None, None, None, reason)
    grown = float(np.prod(1.0 + known))
    return Portfolio(
        name=name,
        horizon_days=horizon,
        sharpe=measured(sharpe(daily)),
        annual_return=grown ** (365.0 / known.size) - 1.0,
        volatility=float(known.std(ddof=1) * np.sqrt(365.0)),
        max_drawdown=max_drawdown(daily),
    )


def curves(
    ic: FloatArray,
    outcomes: Outcomes,
    horizon: int,
    *,
    scores: FloatArray,
    top: FloatArray,
    universe: FloatArray,
) -> HorizonSeries:
    """The plots of the total at one horizon; `top` and `universe` are daily portfolio returns."""
    at_ms = tuple(outcomes.at_ms.tolist())
    groups = measures.groups_of(scores, groups=GROUPS)
    growth = []
    for group in range(GROUPS):
        chosen = np.where(groups == group, 1.0, 0.0)
        number = chosen.sum(axis=0)
        weights = np.where(number > 0, chosen / np.maximum(number, 1), np.nan)
        growth.append(_grown(held(weights, outcomes, horizon, costs=False)[0]))
    return HorizonSeries(
        horizon_days=horizon,
        ic=_rolling(ic, at_ms, outcomes.lags(horizon)),
        quintiles=QuintileGrowth(at_ms, tuple(map(series, growth))),
        equity=Equity(at_ms, series(_grown(top)), series(_grown(universe))),
    )


def against_chance(
    ic: FloatArray, excess: FloatArray, draws: measures.RandomRankings, *, horizon: int
) -> tuple[RandomRankings, ...]:
    """The total's mean rank IC and top excess among those of rankings drawn by chance."""
    pairs = (
        ("rank_ic", ic, draws.rank_correlation),
        ("excess_return", excess, draws.top_excess),
    )
    return tuple(_among(name, horizon, daily, drawn) for name, daily, drawn in pairs)


def _among(measure: str, horizon: int, daily: FloatArray, drawn: FloatArray) -> RandomRankings:
    days = np.isfinite(daily) & np.isfinite(drawn[0])
    if not days.any():
        return RandomRankings(horizon, measure, len(drawn), None, None, (), (), (), ())
    observed = float(daily[days].mean())
    chance = drawn[:, days].mean(axis=1)
    counts, edges = np.histogram(chance, bins=min(_BINS, max(5, len(drawn) // 25)))
    return RandomRankings(
        horizon_days=horizon,
        measure=measure,
        draws=len(drawn),
        observed=observed,
        p_value=measures.p_value(observed, chance),
        levels=_LEVELS,
        quantiles=tuple(np.quantile(chance, _LEVELS).tolist()),
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
    )


def _rolling(ic: FloatArray, at_ms: tuple[int, ...], lags: int) -> DailyIC:
    found = np.full((3, ic.size), np.nan)
    for end in range(_ROLLING_DAYS, ic.size + 1):
        window = ic[end - _ROLLING_DAYS : end]
        if np.isfinite(window).sum() >= _ROLLING_DAYS // 2:
            estimate = newey_west(window, lags=min(lags, _ROLLING_DAYS // 4))
            found[:, end - 1] = [
                np.nan if value is None else value
                for value in (estimate.value, estimate.low, estimate.high)
            ]
    rolling, low, high = (series(values) for values in found)
    return DailyIC(at_ms, series(ic), rolling, low, high, _ROLLING_DAYS)


def _grown(daily: FloatArray) -> FloatArray:
    """What 1 became, float64[C]; NaN before the first return."""
    began = np.logical_or.accumulate(np.isfinite(daily))
    grown: FloatArray = np.where(began, np.cumprod(1.0 + np.nan_to_num(daily)), np.nan)
    return grown
