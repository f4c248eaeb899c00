"""Scores of a ranked set: equal-weight means of cross-sectional ranks.

Within a set of `n` markets each feature of `SCORED` is turned into the rank `(r - 0.5) / n`, where
`r` runs from 1 (least favourable) to `n` (most favourable) and ties share the mean of their ranks.
A score is the mean of its group's ranks, the total the mean of all of them, which is the mean of the
group scores weighted by the number of their features. A lone market is in the middle, 0.5.

The strength is the class of the total's own rank, by the same formula, within the set:

    STRONG_BUY >= 0.9 > BUY >= 0.7 > HOLD >= 0.3 > SELL >= 0.1 > STRONG_SELL
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dantaro.analysis.exclusions import stale_after
from dantaro.analysis.features import SCORED
from dantaro.analysis.panel import FloatArray, IntArray
from dantaro.market.markets import Market
from dantaro.market.results import RankedSetSummary, Score, Strength

GROUPS = ("technical", "volume", "volatility", "risk")
STRENGTH_FLOORS: tuple[tuple[float, Strength], ...] = (
    (0.9, Strength.STRONG_BUY),
    (0.7, Strength.BUY),
    (0.3, Strength.HOLD),
    (0.1, Strength.SELL),
    (0.0, Strength.STRONG_SELL),
)
_EPSILON = 1e-9  # a quantile such as 0.9 that rounding left just below its floor still reaches it


@dataclass(frozen=True, slots=True)
class RankedSet:
    """The markets that are ranked among themselves: `members` int64[n], their rows in the panel, and
    `missing`, what was left out of the set because its turnover cannot be compared, with the reason.
    """

    name: str
    members: IntArray
    missing: Mapping[str, str]


def cross_sectional_ranks(values: FloatArray) -> FloatArray:
    """`(r - 0.5) / n` of each value, ties averaged; float64[n] in (0, 1). `values` must be finite."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.searchsorted(ordered, values, side="left")
    last = np.searchsorted(ordered, values, side="right")
    ranks: FloatArray = (first + last) / (2.0 * len(values))  # mean of first+1..last, minus a half
    return ranks


def strength_of(quantile: float) -> Strength:
    """The class of a total whose rank within its set is `quantile`."""
    return next(
        strength
        for floor, strength in STRENGTH_FLOORS
        if quantile >= floor - _EPSILON or floor == 0
    )


def weights() -> Mapping[str, float]:
    """Each scored feature's weight in the total; they sum to one."""
    return {feature.name: 1.0 / len(SCORED) for feature in SCORED}


def feature_ranks(features: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
    """Each scored feature's rank after its sign was applied: 1 is favourable."""
    return {
        feature.name: cross_sectional_ranks(feature.sign * features[feature.name])
        for feature in SCORED
    }


def total_score(ranks: Mapping[str, FloatArray]) -> FloatArray:
    """The mean of the scored features' ranks, float64[n] in (0, 1), to twelve decimals: so that sums
    that differ by rounding alone are equal.
    """
    columns = np.array([ranks[feature.name] for feature in SCORED])
    total: FloatArray = columns.mean(axis=0).round(12)
    return total


def score_set(
    ranked_set: RankedSet, markets: Sequence[Market], features: Mapping[str, FloatArray]
) -> tuple[Score, ...]:
    """The scores of one set, best first; equal totals in the order of `Market.key`.

    `features` are float64[M] over `markets`, finite for the set's members, and comparable between
    them (turnover in one currency).
    """
    members = ranked_set.members
    if not len(members):
        return ()
    ranks = feature_ranks({name: column[members] for name, column in features.items()})
    total = total_score(ranks)
    groups = {group: _group_score(group, ranks) for group in GROUPS}
    quantiles = cross_sectional_ranks(total)
    keys = [markets[row].key for row in members]
    best_first = sorted(range(len(members)), key=lambda at: (-total[at], keys[at]))
    return tuple(
        Score(
            ranked_set=ranked_set.name,
            exchange=markets[members[at]].exchange,
            symbol=markets[members[at]].symbol,
            rank=place,
            total=float(total[at]),
            technical=float(groups["technical"][at]),
            volume=float(groups["volume"][at]),
            volatility=float(groups["volatility"][at]),
            risk=float(groups["risk"][at]),
            strength=strength_of(float(quantiles[at])),
            ranks={name: float(column[at]) for name, column in ranks.items()},
        )
        for place, at in enumerate(best_first, start=1)
    )


def summarise(ranked_set: RankedSet, *, data_as_of_ms: int, interval_ms: int) -> RankedSetSummary:
    """The set's row in the generation: its size, the weights used and the age of its data, which rests
    on candles of `interval_ms`.
    """
    return RankedSetSummary(
        ranked_set=ranked_set.name,
        size=len(ranked_set.members),
        weights=weights(),
        data_as_of_ms=data_as_of_ms,
        stale_after_ms=stale_after(data_as_of_ms, interval_ms),
        missing=ranked_set.missing,
    )


def _group_score(group: str, ranks: Mapping[str, FloatArray]) -> FloatArray:
    score: FloatArray = np.mean(
        [ranks[feature.name] for feature in SCORED if feature.group == group], axis=0
    )
    return score
