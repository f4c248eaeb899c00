"""Which engine is taken, and how much of its record may be luck."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from dantaro.analysis import measures
from dantaro.analysis.estimates import Estimate, overlap_lags, paired_difference
from dantaro.analysis.panel import BoolArray, FloatArray
from dantaro.errors import NotMeasurable
from dantaro.research import overfitting
from dantaro.research.engines import Engine
from dantaro.research.ledger import Entry
from dantaro.research.measuring import Outcomes, daily_top, held, mean_of, measured
from dantaro.research.report_data import (
    DeflatedSharpe,
    EngineRecord,
    Overfitting,
    Parameter,
    unmeasured,
)

_BLOCKS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An engine with what it did out of sample over C days.

    Attributes:
        engine, family: the engine and its kind.
        scores: float64[M, C], what it said.
        ic: by horizon float64[C], its daily rank IC.
        net: by horizon float64[C], the daily net excess of its top portfolio over the universe's.
    """

    engine: Engine
    family: str
    scores: FloatArray
    ic: Mapping[int, FloatArray]
    net: Mapping[int, FloatArray]


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine taken, and why, in words."""

    name: str
    why: str


def candidate(
    engine: Engine, family: str, scores: FloatArray, outcomes: Outcomes, *, count: int
) -> Candidate:
    """Measure what an engine said."""
    weights = measures.top_weights(scores, count=count)
    every = measures.universe_weights(scores)
    net = {}
    for horizon in outcomes.returns:
        top, _ = held(weights, outcomes, horizon, costs=True)
        universe, _ = held(every, outcomes, horizon, costs=False)
        net[horizon] = top - universe
    ic = {h: measures.rank_correlations(scores, outcomes.returns[h]) for h in outcomes.returns}
    return Candidate(engine, family, scores, ic, net)


def choose(candidates: Sequence[Candidate], days: BoolArray) -> Choice:
    """The simplest engine that is not significantly worse than the best.

    Engines are compared by their daily rank IC, averaged over the horizons, on `days` (bool[C]) alone,
    those that are not held back. Not significantly worse: the 95 % interval of Newey and West of the
    paired difference to the best reaches zero. Of two that are equally simple the better one comes
    first. Only engines whose models can be served are compared; what others would add is said.
    """
    daily = {found.engine.name: _choice_series(found, days) for found in candidates}
    means = {name: float(np.nanmean(values)) for name, values in daily.items()}
    servable = [found.engine for found in candidates if found.engine.servable]
    if not servable:
        raise NotMeasurable("no engine whose model can be served was tried: name one with --engine")
    best = max((engine.name for engine in servable), key=lambda name: means[name])
    longest = max(candidates[0].ic)
    beyond = _beyond(daily, means, best, longest)
    for engine in sorted(servable, key=lambda each: (each.complexity, -means[each.name])):
        name = engine.name
        if name == best:
            why = f"the best mean rank IC over the horizons, {means[name]:+.4f}"
            return Choice(name, why + beyond)
        difference = _to(daily[name], daily[best], longest)
        if difference.high is not None and difference.high >= 0:
            return Choice(
                name,
                f"the simplest engine that is not significantly worse than the best, {best}: mean rank "
                f"IC {means[name]:+.4f} against {means[best]:+.4f}, difference {_words(difference)}"
                + beyond,
            )
    raise AssertionError("the best engine is among the engines")


def _beyond(
    daily: Mapping[str, FloatArray], means: Mapping[str, float], best: str, longest: int
) -> str:
    """What an engine that cannot be served would have added, in words; "" if nothing."""
    name = max(means, key=lambda each: means[each])
    if name == best:
        return ""
    difference = _to(daily[name], daily[best], longest)
    return (
        f"; {name}, whose model cannot be served, reached {means[name]:+.4f}, "
        f"difference to {best} {_words(difference)}"
    )


def engine_records(
    candidates: Sequence[Candidate], outcomes: Outcomes, days: BoolArray, *, count: int
) -> tuple[EngineRecord, ...]:
    """Every engine's record at every horizon on `days`, and on the days held back."""
    found = []
    for horizon in outcomes.returns:
        lags = outcomes.lags(horizon)
        means = {each.engine.name: _mean(each.ic[horizon], days) for each in candidates}
        best = max(means, key=lambda name: means[name])
        best_ic = next(each.ic[horizon] for each in candidates if each.engine.name == best)
        for each in candidates:
            ic = np.where(days, each.ic[horizon], np.nan)
            _, net, replaced = daily_top(each.scores, outcomes, horizon, count)
            to_best = (
                unmeasured("this is the best engine")
                if each.engine.name == best
                else measured(paired_difference(ic, np.where(days, best_ic, np.nan), lags=lags))
            )
            found.append(
                EngineRecord(
                    engine=each.engine.name,
                    family=each.family,
                    horizon_days=horizon,
                    rank_ic=mean_of(ic, lags),
                    net_excess=mean_of(np.where(days, net, np.nan), lags),
                    turnover=mean_of(np.where(days, replaced, np.nan), lags).value,
                    to_best=to_best,
                    held_back_ic=mean_of(np.where(days, np.nan, each.ic[horizon]), lags),
                )
            )
    return tuple(found)


def entries(
    candidates: Sequence[Candidate],
    outcomes: Outcomes,
    days: BoolArray,
    *,
    data: str,
    sha256: str,
    folds: str,
) -> tuple[Entry, ...]:
    """The trials of this run: each engine at each horizon, on `days`."""
    found = []
    for each in candidates:
        parameters: dict[str, Parameter] = {
            **each.engine.parameters,
            "features": len(each.engine.features),
        }
        for horizon in outcomes.returns:
            net = each.net[horizon]
            used = days & np.isfinite(net)
            found.append(
                Entry(
                    name=each.engine.name,
                    family=each.family,
                    subject="recommendations",
                    parameters=parameters,
                    data=data,
                    sha256=sha256,
                    folds=folds,
                    metric=f"rank_ic {horizon}d",
                    value=_mean(each.ic[horizon], days),
                    sharpe=_daily_sharpe(net[used]),
                    at_ms=tuple(outcomes.at_ms[used].tolist()),
                    daily=tuple(np.round(net[used], 12).tolist()),
                )
            )
    return tuple(found)


def deflated(trials: Sequence[Entry], chosen: str, horizon: int) -> DeflatedSharpe:
    """The chosen engine's Sharpe ratio at one horizon, deflated by all trials of the ledger there."""
    matrix, names = _performance(trials, horizon)
    try:
        at = len(names) - 1 - names[::-1].index(chosen)  # the newest entry of that name
        found = overfitting.deflated_sharpe(matrix, chosen=at)
    except (NotMeasurable, ValueError) as error:
        return DeflatedSharpe(
            horizon, None, None, len(names), None, None, None, len(matrix), None, str(error)
        )
    ratios = matrix.mean(axis=0) / matrix.std(axis=0)
    return DeflatedSharpe(
        horizon_days=horizon,
        sharpe=found.sharpe,
        expected_best=found.luck,
        trials=len(names),
        trial_deviation=float(ratios.std(ddof=1)) if len(names) > 1 else None,
        skewness=float(stats.skew(matrix[:, at])),
        kurtosis=float(stats.kurtosis(matrix[:, at], fisher=False)),
        days=found.days,
        probability=found.probability,
    )


def overfitted(trials: Sequence[Entry], horizon: int) -> Overfitting:
    """The probability that the trial that was best in one half of the days is none in the other."""
    matrix, names = _performance(trials, horizon)
    measure = f"net excess of the top list, {horizon} d"
    try:
        found = overfitting.backtest_overfitting(matrix, blocks=_BLOCKS)
    except NotMeasurable as error:
        return Overfitting(measure, _BLOCKS, len(names), (), None, str(error))
    return Overfitting(
        measure=measure,
        blocks=_BLOCKS,
        variants=len(names),
        logits=tuple(found.logits.tolist()),
        probability=found.probability,
    )


def _performance(trials: Sequence[Entry], horizon: int) -> tuple[FloatArray, list[str]]:
    """Daily net excess [T, N] of the trials at a horizon, on the days of the newest one."""
    metric = f"rank_ic {horizon}d"
    there = [entry for entry in trials if entry.metric == metric and entry.daily]
    if not there:
        return np.empty((0, 0)), []
    newest = there[-1]
    same = [entry for entry in there if entry.at_ms == newest.at_ms]
    return np.array([entry.daily for entry in same]).T, [entry.name for entry in same]


def _choice_series(found: Candidate, days: BoolArray) -> FloatArray:
    mean: FloatArray = np.mean(list(found.ic.values()), axis=0)
    return np.where(days, mean, np.nan)


def _to(values: FloatArray, best: FloatArray, horizon: int) -> Estimate:
    return paired_difference(values, best, lags=overlap_lags(horizon, values.size))


def _mean(values: FloatArray, days: BoolArray) -> float:
    known = values[days & np.isfinite(values)]
    return float(known.mean()) if known.size else -np.inf


def _daily_sharpe(net: FloatArray) -> float | None:
    if net.size < 2 or np.ptp(net) == 0:
        return None
    return float(net.mean() / net.std(ddof=1))


def _words(difference: Estimate) -> str:
    if difference.value is None or difference.low is None or difference.high is None:
        return "not known"
    return f"{difference.value:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"
