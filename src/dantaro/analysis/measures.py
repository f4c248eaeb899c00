"""What the scores of a day were worth: rank correlation, groups, top lists, classes.

`scores` and `outcomes` are float64[M, C], market by day, NaN where a market has none: `scores[i, c]` was
known at the close of day c, `outcomes[i, c]` is the return that followed it. A higher score is meant to
go with a higher outcome. The **universe mean** of a day is the mean outcome of all markets that have a
score and an outcome on that day: the mean, not the median, because a few markets carry it and nearly
everything beats the median of a skewed market.

Groups and top lists are chosen from all scored markets, as they were when nobody knew the outcome; a
chosen market without an outcome is left out of the mean. Equal scores are treated alike: they share the
mean of their ranks, and a top list that cannot take all of them takes the same fraction of each. So no
result depends on the order of the markets, and each day's depends on that day alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dantaro.analysis.panel import BoolArray, FloatArray, IntArray
from dantaro.analysis.scores import STRENGTH_FLOORS
from dantaro.errors import NotMeasurable

LEAST_MARKETS = 20
"""A day with fewer markets says nothing about a ranking."""

_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Monotonicity:
    """Whether groups, best first, have falling means.

    Attributes:
        in_order: share of neighbouring groups whose better one has the higher mean, 0..1.
        rank_correlation: Spearman between how good the group is and its mean, -1..1; 1 when every
            group does worse than the one before it.
    """

    in_order: float
    rank_correlation: float | None


@dataclass(frozen=True, slots=True, eq=False)
class RandomRankings:
    """What rankings drawn at random reach on the same days: `rank_correlation` and `top_excess`
    float64[draws, C], NaN on days with too few markets.
    """

    rank_correlation: FloatArray
    top_excess: FloatArray


def rank_correlations(
    scores: FloatArray, outcomes: FloatArray, *, least: int = LEAST_MARKETS
) -> FloatArray:
    """Spearman's rank correlation of each day (the rank IC), float64[C] in -1..1.

    Over the markets that have both; ties share the mean of their ranks. NaN on days with fewer than
    `least` of them, or when all scores or all outcomes are equal.
    Source: C. Spearman, The proof and measurement of association between two things, 1904.
    """
    present = _pairs(scores, outcomes)
    first, second = _centred_ranks(scores, present), _centred_ranks(outcomes, present)
    # centred ranks, doubled, are whole numbers: these sums are exact in any order
    spread = np.sqrt((first * first).sum(axis=0) * (second * second).sum(axis=0))
    enough = (present.sum(axis=0) >= least) & (spread > 0)
    result = np.full(scores.shape[1], np.nan)
    np.divide((first * second).sum(axis=0), spread, out=result, where=enough)
    return result.clip(-1.0, 1.0)


def random_rankings(
    outcomes: FloatArray, *, count: int, seed: int, draws: int = 1000, least: int = LEAST_MARKETS
) -> RandomRankings:
    """Rank correlation and top-`count` excess of rankings drawn anew, at random, for every day.

    `outcomes` float64[M, C], NaN for a market that is not in the day's universe. Days are drawn in their
    order, so later days change nothing about earlier ones.
    """
    return random_rankings_over({0: outcomes}, count=count, seed=seed, draws=draws, least=least)[0]


def random_rankings_over(
    outcomes: Mapping[int, FloatArray],
    *,
    count: int,
    seed: int,
    draws: int = 1000,
    least: int = LEAST_MARKETS,
) -> Mapping[int, RandomRankings]:
    """The same for several outcomes of the same days (float64[M, C] by horizon), from one set of draws.

    A draw is an order of the day's n markets. Which market stands where in it is as random for one
    outcome as for another, so that a day with n outcomes at every horizon is drawn once.
    """
    if draws < 1 or count < 1:
        raise NotMeasurable(f"{draws} draws of a top {count}: give at least one of each")
    for values in outcomes.values():
        _finite_or_nan("outcomes", values)
    generator = np.random.Generator(np.random.PCG64(seed))
    days = next(iter(outcomes.values())).shape[1] if outcomes else 0
    found = {
        horizon: RandomRankings(np.full((draws, days), np.nan), np.full((draws, days), np.nan))
        for horizon in outcomes
    }
    for day in range(days):
        drawn: dict[int, FloatArray] = {}
        for horizon, values in outcomes.items():
            known = np.sort(values[np.isfinite(values[:, day]), day])
            number = len(known)
            if number < max(least, 2):
                continue
            if number not in drawn:
                markets = np.arange(number, dtype=np.float64)
                drawn[number] = generator.permuted(
                    np.broadcast_to(markets, (draws, number)), axis=1
                )
            best_first = drawn[number]
            found[horizon].rank_correlation[:, day] = _correlation_with(best_first, known)
            if number > count:
                chosen = best_first[:, :count].astype(np.intp)
                excess = known[chosen].mean(axis=1) - known.mean()
                found[horizon].top_excess[:, day] = excess
    return found


def p_value(value: float, draws: FloatArray) -> float:
    """Probability of reaching `value` by chance, from `draws` [n] of what chance reached: one-sided,
    `(1 + draws at or above) / (1 + n)`, so never zero. NaN among the draws is skipped.

    Source: Phipson and Smyth, Permutation P-values should never be zero, 2010.
    """
    known = draws[np.isfinite(draws)]
    return float((1 + np.count_nonzero(known >= value)) / (1 + len(known)))


def groups_of(values: FloatArray, *, groups: int) -> IntArray:
    """Each day's markets in `groups` groups of nearly equal size, 0 the highest values; int64[M, C], -1
    where there is no value. Equal values fall into one group.

    With turnover and three groups: the tiers of liquidity.
    """
    if groups < 2:
        raise NotMeasurable(f"{groups} groups: give at least two")
    present = ~np.isnan(values)
    better, tied, number = _places(values, present)
    twice_rank = 2 * better + tied  # of the rank counted from the best, less a half
    group = twice_rank * groups // (2 * np.maximum(number, 1))
    return np.where(present, group, -1)


def strength_classes(totals: FloatArray) -> IntArray:
    """The strength of each total within its day, int64[M, C]: 0 STRONG_BUY, 1 BUY, 2 HOLD, 3 SELL,
    4 STRONG_SELL (the order of `scores.STRENGTH_FLOORS`), -1 where there is no total.
    """
    present = ~np.isnan(totals)
    better, tied, number = _places(totals, present)
    quantile = 1 - (2 * better + tied) / (2 * np.maximum(number, 1))
    classes = np.zeros(totals.shape, np.int64)
    for floor, _ in STRENGTH_FLOORS[:-1]:
        classes += quantile < floor - _EPSILON
    return np.where(present, classes, -1)


def class_means(
    labels: IntArray, outcomes: FloatArray, *, classes: int, least: int = LEAST_MARKETS
) -> FloatArray:
    """Mean outcome of each class minus the universe mean, by day: float64[classes, C].

    `labels` int64[M, C] are 0..classes - 1, -1 for a market that is not in the day's universe. NaN where
    a class is empty and on days with fewer than `least` markets that have both.
    """
    if labels.shape != outcomes.shape:
        raise _unlike("labels", labels.shape, outcomes.shape)
    _finite_or_nan("outcomes", outcomes)
    present = (labels >= 0) & np.isfinite(outcomes)
    known = np.where(present, outcomes, 0.0)
    universe = _mean_of(known, present)
    universe[present.sum(axis=0) < least] = np.nan
    return np.array(
        [_mean_of(known, present & (labels == label)) - universe for label in range(classes)]
    )


def quantile_means(
    scores: FloatArray, outcomes: FloatArray, *, groups: int = 5, least: int = LEAST_MARKETS
) -> FloatArray:
    """Mean outcome of each group of scores minus the universe mean, by day: float64[groups, C], the
    best scores first. NaN on days with fewer than `least` markets that have both.
    """
    _pairs(scores, outcomes)
    return class_means(groups_of(scores, groups=groups), outcomes, classes=groups, least=least)


def monotonicity(means: FloatArray) -> Monotonicity:
    """How well `means` [groups], best group first, fall from group to group."""
    if means.ndim != 1 or len(means) < 2 or not np.isfinite(means).all():
        raise NotMeasurable(
            f"means of groups {means!r}: give one finite mean for each of at least two groups"
        )
    goodness = -np.arange(len(means), dtype=np.float64)
    correlation = float(rank_correlations(goodness[:, None], means[:, None], least=2)[0])
    return Monotonicity(
        in_order=float(np.mean(means[:-1] > means[1:])),
        rank_correlation=None if np.isnan(correlation) else correlation,
    )


def top_weights(scores: FloatArray, *, count: int) -> FloatArray:
    """Weights of the day's `count` best scores, float64[M, C]: 1 / count each, 0 for the others, and
    equal parts of what is left for those that tie for the last places.

    A day with no more than `count` scores has no top list: its column is NaN.
    """
    return top_weights_of(scores, counts=(count,))[count]


def top_weights_of(scores: FloatArray, *, counts: Sequence[int]) -> Mapping[int, FloatArray]:
    """`top_weights` of several lengths, by length."""
    if not counts or min(counts) < 1:
        shortest = min(counts, default=0)
        raise NotMeasurable(f"a top list of {shortest}: give at least one")
    present = ~np.isnan(scores)
    better, tied, number = _places(scores, present)
    found = {}
    for count in counts:
        weights = np.clip((count - better) / tied, 0.0, 1.0) / count
        weights[~present] = 0.0
        weights[:, number <= count] = np.nan
        found[count] = weights
    return found


def universe_weights(scores: FloatArray) -> FloatArray:
    """The same weight for each scored market, float64[M, C]; NaN in a column without scores."""
    present = ~np.isnan(scores)
    number = present.sum(axis=0)
    return np.where(number > 0, present / np.maximum(number, 1), np.nan)


def top_excess(
    scores: FloatArray,
    outcomes: FloatArray,
    *,
    count: int,
    least: int = LEAST_MARKETS,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Mean outcome of the `count` best scores minus the universe mean, by day: float64[C].

    NaN on days with fewer than `least` markets that have both, with no more than `count` scores, or
    when no market of the list has an outcome. `weights` are the list's `top_weights`, where they are
    known already.
    """
    if weights is None:
        weights = top_weights(scores, count=count)
    present = _pairs(scores, outcomes)
    known = np.where(present, outcomes, 0.0)
    weights = np.where(present, weights, 0.0)
    listed = (~np.isnan(scores)).sum(axis=0) > count
    held = _by_day(weights)
    enough = (present.sum(axis=0) >= least) & listed & (held > 0)
    result = np.full(scores.shape[1], np.nan)
    np.divide(_by_day(weights * known), held, out=result, where=enough)
    return result - _mean_of(known, present)


def turnover(scores: FloatArray, *, count: int, every: int = 1) -> FloatArray:
    """Share of the top list that was not in the one `every` days before: float64[C] in 0..1.

    NaN on the first `every` days and where either list is missing.
    """
    return replaced(top_weights(scores, count=count), every=every)


def replaced(weights: FloatArray, *, every: int = 1) -> FloatArray:
    """`turnover` of lists by their `top_weights`, float64[M, C]."""
    if every < 1:
        raise NotMeasurable(f"a list renewed every {every} days: give at least one")
    result = np.full(weights.shape[1], np.nan)
    kept = _by_day(np.minimum(weights[:, every:], weights[:, :-every]))
    result[every:] = np.clip(1 - kept, 0.0, 1.0)
    return result


def _pairs(scores: FloatArray, outcomes: FloatArray) -> BoolArray:
    if scores.shape != outcomes.shape or scores.ndim != 2:
        raise _unlike("scores", scores.shape, outcomes.shape)
    _finite_or_nan("scores", scores)
    _finite_or_nan("outcomes", outcomes)
    present: BoolArray = np.isfinite(scores) & np.isfinite(outcomes)
    return present


def _unlike(what: str, shape: tuple[int, ...], outcomes: tuple[int, ...]) -> NotMeasurable:
    return NotMeasurable(
        f"{what} of the shape {shape} against outcomes of {outcomes}:"
        " give both as [markets, days] over the same markets and days"
    )


def _finite_or_nan(what: str, values: FloatArray) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        places = np.argwhere(infinite)[0].tolist()
        raise NotMeasurable(f"{what} are infinite at {places}: mark what is missing with NaN")


def _by_day(values: FloatArray) -> FloatArray:
    """Sums over the markets, float64[C]; along memory, so that a day is rounded alike however many."""
    sums: FloatArray = np.ascontiguousarray(values.T).sum(axis=1)
    return sums


def _mean_of(known: FloatArray, chosen: BoolArray) -> FloatArray:
    number = chosen.sum(axis=0)
    result = np.full(known.shape[1], np.nan)
    np.divide(_by_day(np.where(chosen, known, 0.0)), number, out=result, where=number > 0)
    return result


def _bounds(values: FloatArray, present: BoolArray) -> tuple[IntArray, IntArray]:
    """First and last place of each value among its equals, from 0 = lowest, within its day."""
    by_day = np.ascontiguousarray(np.where(present, values, np.inf).T)  # sorts along memory
    order = np.argsort(by_day, axis=1, kind="stable")
    ordered = np.take_along_axis(by_day, order, axis=1)
    differs = ordered[:, 1:] != ordered[:, :-1]
    edge = np.ones((len(by_day), 1), np.bool_)
    place = np.arange(by_day.shape[1])
    first_sorted = np.maximum.accumulate(np.where(np.hstack([edge, differs]), place, 0), axis=1)
    last_sorted = np.minimum.accumulate(
        np.where(np.hstack([differs, edge]), place, by_day.shape[1])[:, ::-1], axis=1
    )[:, ::-1]
    first, last = np.empty(by_day.shape, np.int64), np.empty(by_day.shape, np.int64)
    np.put_along_axis(first, order, first_sorted, axis=1)
    np.put_along_axis(last, order, last_sorted, axis=1)
    return first.T, last.T


def _places(values: FloatArray, present: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """How many are better than each value, how many equal it (itself included), and the day's number."""
    first, last = _bounds(values, present)
    number = present.sum(axis=0)
    return np.where(present, number - 1 - last, 0), np.where(present, last - first + 1, 1), number


def _centred_ranks(values: FloatArray, present: BoolArray) -> FloatArray:
    """Twice the rank less its mean, a whole number; 0 where nothing is present."""
    first, last = _bounds(values, present)
    return np.where(present, first + last - (present.sum(axis=0) - 1), 0).astype(np.float64)


def _correlation_with(best_first: FloatArray, known: FloatArray) -> FloatArray:
    """Of each row of `best_first` [draws, n], orders of the places in the ascending outcomes [n]."""
    number = len(known)
    every = np.ones((number, 1), np.bool_)
    outcome = _centred_ranks(known[:, None], every)[:, 0]
    centred = (number - 1) - 2 * np.arange(
        number, dtype=np.float64
    )  # twice the rank, less its mean
    spread = np.sqrt((outcome * outcome).sum() * (centred * centred).sum())
    if spread == 0:
        return np.full(len(best_first), np.nan)
    if (np.diff(known) > 0).all():  # the place says the rank; its mean falls out: sum(centred) = 0
        return np.asarray(2 * (best_first @ centred) / spread)
    return np.asarray(outcome[best_first.astype(np.intp)] @ centred / spread)
