"""A recording as a table of decisions: on each day the ranked markets, what was known, what followed.

Decisions are taken at 00:00 UTC, at the close of the day's candle; a recording of shorter candles is
joined to days first (they equal the rolling 24 hours that the live analysis reads at that time).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from dantaro.analysis.features import FEATURES, SCORED, day_features
from dantaro.analysis.history import History, build_history, daily_history, forward_returns
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray, Series
from dantaro.analysis.parameters import Parameters
from dantaro.errors import RecordingInvalid
from dantaro.market.markets import Market
from dantaro.market.timeframes import DAILY, DAY_MS, Timeframe
from dantaro.research.recordings import Recording
from dantaro.research.trial_features import TRIALS, trial_features
from dantaro.research.universe import Universe, frozen_universe


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """M markets over C days.

    Attributes:
        name: of the recording.
        days: the daily history.
        decided_at_ms: int64[C], the close of each day.
        universe: who was ranked.
        features: by name float64[M, C], in natural units, also of markets that were not ranked.
        ranks: by name float64[M, C] in (0, 1), 1 favourable; NaN where not ranked or not known.
        returns: by horizon float64[M, C], what followed a decision; NaN where not ranked or not over.
        day_returns: float64[M, C], the return of the day after each decision, of every market.
    """

    name: str
    days: History
    decided_at_ms: IntArray
    universe: Universe
    features: Mapping[str, FloatArray]
    ranks: Mapping[str, FloatArray]
    returns: Mapping[int, FloatArray]
    day_returns: FloatArray

    @property
    def markets(self) -> tuple[Market, ...]:
        return self.days.markets

    @property
    def ranked(self) -> BoolArray:
        return self.universe.ranked


def prepare_decisions(
    recording: Recording, parameters: Parameters, *, horizons: Sequence[int]
) -> Decisions:
    """Every decision of `recording`.

    Raises:
        RecordingInvalid: its candles are longer than a day, or it has no whole day.
    """
    if recording.timeframe.milliseconds > DAY_MS:
        raise RecordingInvalid(
            f"{recording.file}: candles of {recording.timeframe} are longer than a day; "
            "decisions are daily, so record 1d or shorter"
        )
    source, days = histories(
        recording.markets, recording.series, recording.timeframe, parameters=parameters
    )
    if not days.opened_at_ms.size:
        raise RecordingInvalid(
            f"{recording.file}: it holds no whole UTC day; record at least a day of candles"
        )
    features = history_features(days)
    needed = [feature.name for feature in SCORED]
    universe = frozen_universe(days, features, parameters, needed=needed, source=source)
    return Decisions(
        name=recording.name,
        days=days,
        decided_at_ms=days.opened_at_ms + days.timeframe.milliseconds,
        universe=universe,
        features=features,
        ranks=_ranks(days, features, universe.ranked),
        returns={
            horizon: np.where(universe.ranked, forward_returns(days, horizon), np.nan)
            for horizon in horizons
        },
        day_returns=forward_returns(days, 1),
    )


def _ranks(
    days: History, features: Mapping[str, FloatArray], ranked: BoolArray
) -> Mapping[str, FloatArray]:
    """The ranks of the served features, and of those that are tried only."""
    signed = {feature.name: feature.sign * features[feature.name] for feature in FEATURES}
    tried = trial_features(days, ranked)
    signed |= {name: sign * tried[name] for name, (sign, _) in TRIALS.items()}
    return {name: daily_ranks(values, ranked) for name, values in signed.items()}


def histories(
    markets: Sequence[Market],
    series: Mapping[str, Series],
    timeframe: Timeframe,
    *,
    parameters: Parameters,
) -> tuple[History, History]:
    """The history of the recorded candles, and the daily one made from it (or itself)."""
    source = build_history(markets, series, timeframe, opening_jump=parameters.opening_jump)
    return source, source if timeframe == DAILY else daily_history(source)


def history_features(days: History) -> Mapping[str, FloatArray]:
    """Every feature of every market at every day, float64[M, C]."""
    found = day_features(days, last=days.opened_at_ms.size)
    return {name: days.by_market(values) for name, values in found.items()}


def daily_ranks(values: FloatArray, ranked: BoolArray) -> FloatArray:
    """`(r - 0.5) / n` of each value among the day's ranked ones, ties averaged; float64[M, C].

    NaN where a market is not ranked or has no value, which also takes it out of `n`.
    """
    chosen = np.where(ranked, values, np.nan)
    places: FloatArray = rankdata(chosen, axis=0, nan_policy="omit")
    ranks: FloatArray = (places - 0.5) / np.maximum((~np.isnan(chosen)).sum(axis=0), 1)
    return ranks


def flat(values: FloatArray, where: BoolArray) -> FloatArray:
    """The values of the chosen market-days, day after day: float64[n]."""
    return values.T[where.T]


def unflat(values: FloatArray, where: BoolArray) -> FloatArray:
    """The inverse of `flat`: float64[M, C], NaN elsewhere."""
    result = np.full(where.T.shape, np.nan)
    result[where.T] = values
    return np.ascontiguousarray(result.T)
