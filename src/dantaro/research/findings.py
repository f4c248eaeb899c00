"""All that is found of rankings on one recording, once it is known what they said."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dantaro.analysis import measures
from dantaro.analysis.panel import BoolArray, FloatArray
from dantaro.analysis.parameters import Parameters
from dantaro.market.timeframes import DAY_MS
from dantaro.research.baselines import Ranking
from dantaro.research.decisions import Decisions
from dantaro.research.measuring import (
    Outcomes,
    against_chance,
    contender,
    curves,
    daily_ic,
    daily_top,
    differences,
    held,
    portfolio_record,
)
from dantaro.research.recordings import Recording
from dantaro.research.report_data import (
    Anomaly,
    Contender,
    Delisting,
    ExclusionCount,
    FeatureCheck,
    HorizonSeries,
    PairedDifference,
    Portfolio,
    RandomRankings,
    RecordingFindings,
    Slice,
    StrengthReturn,
    Universe,
)
from dantaro.research.slices import day_slices, market_regimes, strength_returns, tier_slices
from dantaro.research.universe import price_jumps

_EXAMPLES = 8
_MONTH = 30


@dataclass(frozen=True, slots=True)
class Measuring:
    """How it is measured: `top` is the length of the top list that is held against the universe,
    `draws` the number of random rankings.
    """

    horizons: tuple[int, ...]
    cost_per_side: float
    top: int
    draws: int
    seed: int


def window(ranking: Ranking, days: slice) -> Ranking:
    """The ranking on some days."""
    return Ranking(
        ranking.name,
        ranking.kind,
        ranking.label,
        ranking.scores[:, days],
        {horizon: scores[:, days] for horizon, scores in ranking.by_horizon.items()},
    )


def measured_days(scores: FloatArray) -> slice:
    """From the first to the last day on which `scores` [M, C] ranks enough markets."""
    known = np.isfinite(scores).sum(axis=0) >= measures.LEAST_MARKETS
    if not known.any():
        return slice(0, 0)
    return slice(int(known.argmax()), known.size - int(known[::-1].argmax()))


def outcomes_of(decisions: Decisions, days: slice, measuring: Measuring) -> Outcomes:
    """What followed the decisions of some days."""
    return Outcomes(
        at_ms=decisions.decided_at_ms[days],
        returns={horizon: decisions.returns[horizon][:, days] for horizon in measuring.horizons},
        day_returns=decisions.day_returns[:, days],
        cost_per_side=measuring.cost_per_side,
    )


def recording_findings(
    recording: Recording,
    decisions: Decisions,
    total: Ranking,
    others: Sequence[Ranking],
    *,
    role: str,
    folds: Mapping[str, BoolArray],
    features: tuple[FeatureCheck, ...],
    parameters: Parameters,
    measuring: Measuring,
) -> RecordingFindings:
    """Measure `total` and the `others` (scores and baselines) on the days that `total` ranks.

    `folds` are days bool[C] by name, each a slice of its own.
    """
    days = measured_days(total.scores)
    outcomes = outcomes_of(decisions, days, measuring)
    found = _Rankings(
        window(total, days),
        [window(other, days) for other in others],
        outcomes,
        measuring,
        turnover=decisions.features["turnover_30d"][:, days],
        parts={
            "regime": {n: d[days] for n, d in market_regimes(decisions.days).items()},
            "fold": {name: chosen[days] for name, chosen in folds.items()},
        },
    )
    measured = outcomes.at_ms
    return RecordingFindings(
        name=recording.name,
        exchange=recording.exchange,
        timeframe=recording.timeframe.name,
        role=role,
        from_ms=int(measured[0]) if measured.size else 0,
        until_ms=int(measured[-1]) if measured.size else 0,
        days=int(measured.size),
        universe=universe_findings(recording, decisions, parameters),
        contenders=tuple(sorted(found.contenders(), key=lambda each: each.horizon_days)),
        differences=tuple(found.differences()),
        portfolios=tuple(found.portfolios()),
        series=tuple(found.series()),
        random=tuple(found.random()),
        strengths=tuple(found.strengths()),
        slices=tuple(found.slices()),
        features=features,
        missing={} if measured.size else {"contenders": "no day had a total of enough markets"},
    )


class _Rankings:
    """The rankings on the measured days, and what is found of them at each horizon."""

    def __init__(
        self,
        total: Ranking,
        others: Sequence[Ranking],
        outcomes: Outcomes,
        measuring: Measuring,
        *,
        turnover: FloatArray,
        parts: Mapping[str, Mapping[str, BoolArray]],
    ) -> None:
        self._total, self._others = total, list(others)
        self._outcomes, self._measuring = outcomes, measuring
        self._turnover, self._parts = turnover, parts
        self._horizons = measuring.horizons if outcomes.at_ms.size else ()
        self._ic = {
            (ranking.name, horizon): daily_ic(ranking, outcomes, horizon)
            for ranking in (total, *others)
            for horizon in self._horizons
        }
        self._books = {horizon: self._held(horizon) for horizon in self._horizons}

    def contenders(self) -> Iterator[Contender]:
        counts = sorted({10, 20, 50, self._measuring.top})
        for ranking in (self._total, *self._others):
            tops: Mapping[int, FloatArray] = {}
            for horizon in self._horizons:
                if not tops or ranking.by_horizon:
                    tops = measures.top_weights_of(ranking.at(horizon), counts=counts)
                ic = self._ic[ranking.name, horizon]
                yield contender(ranking, self._outcomes, horizon, tops=tops, ic=ic)

    def differences(self) -> Iterator[PairedDifference]:
        for horizon in self._horizons:
            yield from differences(
                self._ic["total", horizon],
                {
                    ranking.name: self._ic[ranking.name, horizon]
                    for ranking in self._others
                    if ranking.kind == "baseline"
                },
                horizon=horizon,
                lags=self._outcomes.lags(horizon),
            )

    def portfolios(self) -> Iterator[Portfolio]:
        top = self._measuring.top
        for horizon in self._horizons:
            net, gross, universe = self._books[horizon]
            yield portfolio_record(f"top_{top}", horizon, net)
            yield portfolio_record(f"top_{top}_gross", horizon, gross)
            yield portfolio_record("universe", horizon, universe)

    def series(self) -> Iterator[HorizonSeries]:
        for horizon in self._horizons:
            net, _, universe = self._books[horizon]
            yield curves(
                self._ic["total", horizon],
                self._outcomes,
                horizon,
                scores=self._total.at(horizon),
                top=net,
                universe=universe,
            )

    def random(self) -> Iterator[RandomRankings]:
        measuring, returns = self._measuring, self._outcomes.returns
        draws = measures.random_rankings_over(
            {
                h: np.where(np.isfinite(self._total.at(h)), returns[h], np.nan)
                for h in self._horizons
            },
            count=measuring.top,
            seed=measuring.seed,
            draws=measuring.draws,
        )
        for horizon in self._horizons:
            scores, ic = self._total.at(horizon), self._ic["total", horizon]
            excess = measures.top_excess(scores, returns[horizon], count=measuring.top)
            yield from against_chance(ic, excess, draws[horizon], horizon=horizon)

    def strengths(self) -> Iterator[StrengthReturn]:
        for horizon in self._horizons:
            yield from strength_returns(self._total.at(horizon), self._outcomes, horizon)

    def slices(self) -> Iterator[Slice]:
        top = self._measuring.top
        for horizon in self._horizons:
            scores = self._total.at(horizon)
            yield from tier_slices(
                scores, self._turnover, self._outcomes, horizon=horizon, count=top
            )
            _, net, _ = daily_top(scores, self._outcomes, horizon, top)
            ic = self._ic["total", horizon]
            for group, parts in self._parts.items():
                yield from day_slices(group, parts, ic, net, self._outcomes, horizon=horizon)

    def _held(self, horizon: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Daily returns of the top list after and before costs, and of the universe without costs."""
        scores = self._total.at(horizon)
        top = measures.top_weights(scores, count=self._measuring.top)
        net, gross = held(top, self._outcomes, horizon, costs=True)
        universe = measures.universe_weights(scores)
        return net, gross, held(universe, self._outcomes, horizon, costs=False)[0]


def universe_findings(
    recording: Recording, decisions: Decisions, parameters: Parameters
) -> Universe:
    """Who was ranked on each day, who was not and why, who ended, and whose price jumped."""
    universe, markets = decisions.universe, decisions.markets
    exclusions = []
    for reason, applied in sorted(universe.reasons.items()):
        rows = np.flatnonzero(applied.any(axis=1))
        symbols = sorted(markets[row].symbol for row in rows.tolist())
        if symbols:
            exclusions.append(
                ExclusionCount(
                    str(reason), len(symbols), int(applied.sum()), tuple(symbols[:_EXAMPLES])
                )
            )
    return Universe(
        at_ms=tuple(decisions.decided_at_ms.tolist()),
        ranked=tuple(universe.ranked.sum(axis=0).tolist()),
        listed=tuple(universe.listed.sum(axis=0).tolist()),
        exclusions=tuple(exclusions),
        delistings=tuple(_delistings(recording)),
        anomalies=tuple(_anomalies(decisions, parameters)),
    )


def _delistings(recording: Recording) -> Iterator[Delisting]:
    """Markets whose candles end more than a day before the recording does."""
    for market in recording.markets:
        candles = recording.series[market.key]
        last_ms = int(candles.opened_at_ms[-1]) + recording.timeframe.milliseconds
        if last_ms + DAY_MS > recording.until_ms:
            continue
        begun = np.searchsorted(candles.opened_at_ms, last_ms - _MONTH * DAY_MS)
        before = float(candles.close[begun])
        whole = int(candles.opened_at_ms[0]) <= last_ms - _MONTH * DAY_MS
        change = float(candles.close[-1]) / before - 1.0 if whole else None
        yield Delisting(market.symbol, last_ms, change)


def _anomalies(decisions: Decisions, parameters: Parameters) -> Iterator[Anomaly]:
    days = decisions.days
    for jump in price_jumps(days, parameters):
        ratio = f"{jump.ratio:.4g} times the price before"
        detail = f"{ratio}: out of the ranking until the new price has a history of its own"
        yield Anomaly(
            decisions.markets[jump.market].symbol,
            int(days.opened_at_ms[jump.column]),
            jump.ratio,
            detail,
        )
