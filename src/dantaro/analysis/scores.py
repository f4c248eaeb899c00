"""Scores of a ranked set.

Within a set of `n` markets each feature is turned into the rank `(r - 0.5) / n`, where `r` runs from 1
(least favourable) to `n` (most favourable) and ties share the mean of their ranks. Each of the four
scores is the mean of its group's ranks. The total is the rank, by the same formula, of what the set's
model expects of each market (see `models`); by default, with nothing fitted, that is the mean of the
ranks behind the four scores. A lone market is in the middle, 0.5.

The strength is the class of the total within the set:

    STRONG_BUY >= 0.9 > BUY >= 0.7 > HOLD >= 0.3 > SELL >= 0.1 > STRONG_SELL
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dantaro.analysis.exclusions import stale_after
from dantaro.analysis.features import FEATURES, SCORED
from dantaro.analysis.models import EQUAL_WEIGHTS, RankingModel
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


_SIGNS = {feature.name: feature.sign for feature in FEATURES}
_DECIMALS = 6


def feature_ranks(
    features: Mapping[str, FloatArray], names: Iterable[str]
) -> Mapping[str, FloatArray]:
    """The rank of each named feature after its sign was applied: 1 is favourable."""
    return {name: cross_sectional_ranks(_SIGNS[name] * features[name]) for name in names}


def estimates(model: RankingModel, ranks: Mapping[str, FloatArray]) -> FloatArray:
    """What `model` expects, float64[n], to twelve decimals: sums that differ by rounding are equal."""
    found: FloatArray = model.form.estimates(model.matrix(ranks)).round(12)
    return found


def score_set(
    ranked_set: RankedSet,
    markets: Sequence[Market],
    features: Mapping[str, FloatArray],
    model: RankingModel = EQUAL_WEIGHTS,
    *,
    traced: bool = True,
) -> tuple[Score, ...]:
    """The scores of one set, best first; equal totals in the order of `Market.key`.

    `features` are float64[M] over `markets`, finite for the set's members, and comparable between
    them (turnover in one currency). With `traced` each score holds all ranks and contributions of the
    model, without it only the ranks behind the four scores.
    """
    members = ranked_set.members
    if not len(members):
        return ()
    ranks = feature_ranks(
        {name: column[members] for name, column in features.items()},
        dict.fromkeys((*(feature.name for feature in SCORED), *model.features)),
    )
    estimate = estimates(model, ranks)
    total = cross_sectional_ranks(estimate)
    groups = {group: _group_score(group, ranks) for group in GROUPS}
    shown = ranks if traced else {feature.name: ranks[feature.name] for feature in SCORED}
    rank_rows = _rows(shown)
    parts = _rows(_contributions(model, ranks)) if traced else [{}] * len(members)
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
            strength=strength_of(float(total[at])),
            ranks=rank_rows[at],
            estimate=float(estimate[at]),
            contributions=parts[at],
        )
        for place, at in enumerate(best_first, start=1)
    )


def summarise(
    ranked_set: RankedSet,
    model: RankingModel = EQUAL_WEIGHTS,
    *,
    data_as_of_ms: int,
    interval_ms: int,
) -> RankedSetSummary:
    """The set's row in the generation: its size, the model and its weights, and the age of its data,
    which rests on candles of `interval_ms`.
    """
    return RankedSetSummary(
        ranked_set=ranked_set.name,
        size=len(ranked_set.members),
        weights=weights(model),
        data_as_of_ms=data_as_of_ms,
        stale_after_ms=stale_after(data_as_of_ms, interval_ms),
        missing=ranked_set.missing,
        model=model.name,
        model_sha256=model.sha256,
        base=model.form.base,
    )


def weights(model: RankingModel) -> Mapping[str, float]:
    """Each feature's share in what the model says; they sum to one."""
    shares = model.form.importance().tolist()
    return {name: float(share) for name, share in zip(model.features, shares, strict=True)}


def _contributions(
    model: RankingModel, ranks: Mapping[str, FloatArray]
) -> Mapping[str, FloatArray]:
    columns = model.form.contributions(model.matrix(ranks))
    return dict(zip(model.features, columns.T, strict=True))


def _rows(columns: Mapping[str, FloatArray]) -> list[dict[str, float]]:
    """One mapping per market, to as many decimals as a reader can use."""
    table = np.stack(list(columns.values()), axis=1).round(_DECIMALS)
    return [dict(zip(columns, row, strict=True)) for row in table.tolist()]


def _group_score(group: str, ranks: Mapping[str, FloatArray]) -> FloatArray:
    score: FloatArray = np.mean(
        [ranks[feature.name] for feature in SCORED if feature.group == group], axis=0
    )
    return score
