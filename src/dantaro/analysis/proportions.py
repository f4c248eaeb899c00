"""Shares and stated probabilities: hold rates, their differences, Brier score and calibration.

What happens on one day is not independent: when the market falls, levels break everywhere. So cases
are counted by day, and standard errors are taken over days, not over cases (the ratio estimator: W. G.
Cochran, Sampling Techniques, 1977, chapters 6 and 9A). `day` int64[N] is the column or day number on
which a case began. The formulas are in the functions of sums by day (`share_by_day`, `difference_by_day`,
`skill_by_day`), for those who keep no single cases. With `lags` cases up to that many days apart may be
correlated as well (Bartlett kernel, as in `estimates.newey_west`).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from dantaro.analysis.estimates import (
    NORMAL_95,
    Estimate,
    long_run_sum,
    share_interval,
    wilson,
)
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray
from dantaro.errors import NotMeasurable


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Cases whose stated probability lies in one range.

    Attributes:
        low, high: the range: above `low` up to `high` (the first includes its `low`).
        n: cases.
        stated: mean of the stated probabilities.
        observed: share of the cases in which it happened, with Wilson's interval.
    """

    low: float
    high: float
    n: int
    stated: float
    observed: Estimate

    @property
    def error(self) -> float:
        """How far the stated probability is from what happened."""
        return abs(self.stated - (self.observed.value or 0.0))


def clustered_proportion(happened: BoolArray, day: IntArray, *, lags: int = 0) -> Estimate:
    """Share of the cases in which it happened, as `share_by_day` estimates it."""
    _same_length(happened, day)
    return share_by_day(*_sums(day, _grid(day), happened), lags=lags)


def share_by_day(cases: FloatArray, happened: FloatArray, *, lags: int = 0) -> Estimate:
    """Share of the cases in which it happened, with an interval that counts days, not cases.

    `cases` and `happened` are float64[T]: how many there were on each of T consecutive days. Wilson's
    interval with the number of independent cases that would have the clustered standard error; never
    narrower than that of n independent cases.
    """
    n, days = int(cases.sum()), int(np.count_nonzero(cases))
    if n == 0:
        return Estimate(None, None, None, None, 0, 0)
    share = float(happened.sum()) / n
    error = _clustered_error((happened - share * cases) / n, days, lags)
    low, high = share_interval(share, error, n, largest_inflation=n / days * (lags + 1))
    return Estimate(share, low, high, share / error if error else None, n, days)


def difference_of_proportions(
    first: BoolArray,
    first_day: IntArray,
    second: BoolArray,
    second_day: IntArray,
    *,
    lags: int = 0,
) -> Estimate:
    """Share of `first` minus share of `second`, as `difference_by_day` estimates it."""
    _same_length(first, first_day)
    _same_length(second, second_day)
    grid = _grid(np.concatenate([first_day, second_day]))
    return difference_by_day(
        _sums(first_day, grid, first), _sums(second_day, grid, second), lags=lags
    )


def difference_by_day(
    first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray], *, lags: int = 0
) -> Estimate:
    """Share of `first` minus share of `second`, both clustered by the same days; `n` is that of `first`.

    Each is a pair of float64[T]: cases on each of T consecutive days, and in how many of them it happened.
    What moves both on one day cancels. The standard error is that of a regression of the outcomes on
    belonging to `first`, robust to clusters (Liang and Zeger, Longitudinal data analysis using
    generalized linear models, 1986), times `D / (D - 1)` for D days; the interval is normal.
    """
    (cases, happened), (other_cases, other_happened) = first, second
    n, other_n = float(cases.sum()), float(other_cases.sum())
    days = int(np.count_nonzero(cases + other_cases))
    if not n or not other_n:
        return Estimate(None, None, None, None, int(n), days)
    share, other = float(happened.sum()) / n, float(other_happened.sum()) / other_n
    influence = (happened - share * cases) / n - (other_happened - other * other_cases) / other_n
    return _normal(share - other, _clustered_error(influence, days, lags), int(n), days)


def brier(probability: FloatArray, happened: BoolArray) -> float:
    """Mean squared distance of the stated probability from what happened, 0 (best) to 1; NaN when
    there is no case.

    Source: G. W. Brier, Verification of forecasts expressed in terms of probability, 1950.
    """
    _probabilities(probability, happened)
    return float(np.mean((probability - happened) ** 2)) if len(happened) else float("nan")


def brier_skill(
    probability: FloatArray,
    happened: BoolArray,
    *,
    day: IntArray | None = None,
    base_rate: float | None = None,
    lags: int = 0,
) -> Estimate:
    """`1 - Brier score / Brier score of always stating the base rate`; above 0 is better than that.

    `base_rate` defaults to the share in these very cases, which no forecast could have known: the
    strictest. The interval is that of a ratio of sums by `day` (default: each case its own day); no value
    when the base rate makes no error.
    """
    _probabilities(probability, happened)
    day = np.arange(len(happened)) if day is None else day
    _same_length(happened, day)
    outcome = happened.astype(np.float64)
    if base_rate is None:
        base_rate = float(outcome.mean()) if len(outcome) else 0.0
    cases, reference = _sums(day, _grid(day), (outcome - base_rate) ** 2)
    _, loss = _sums(day, _grid(day), (probability - outcome) ** 2)
    return skill_by_day(cases, loss, reference, lags=lags)


def skill_by_day(
    cases: FloatArray, loss: FloatArray, reference: FloatArray, *, lags: int = 0
) -> Estimate:
    """`1 - sum of losses / sum of the reference's losses`, float64[T] on each of T consecutive days."""
    n, days, total = int(cases.sum()), int(np.count_nonzero(cases)), float(reference.sum())
    if total == 0:
        return Estimate(None, None, None, None, n, days)
    ratio = float(loss.sum()) / total
    error = _clustered_error((loss - ratio * reference) / total, days, lags)
    return _normal(1 - ratio, error, n, days)


def calibration(
    probability: FloatArray, happened: BoolArray, *, bins: int = 10, equal_counts: bool = False
) -> tuple[CalibrationBin, ...]:
    """The cases by stated probability in `bins` ranges, without empty ones.

    Ranges of equal width over 0..1, or with `equal_counts` between the quantiles of the probabilities
    (equal probabilities stay together, so there may be fewer).
    """
    _probabilities(probability, happened)
    if bins < 1:
        raise NotMeasurable(f"{bins} ranges of probability: give at least one")
    if not len(probability):
        return ()
    share = np.linspace(0.0, 1.0, bins + 1)
    edges = np.unique(np.quantile(probability, share)) if equal_counts else share
    edges = edges if len(edges) > 1 else np.array([edges[0], edges[0]])
    place = np.clip(np.searchsorted(edges, probability, side="left") - 1, 0, len(edges) - 2)
    return tuple(
        _bin(edges, at, probability[place == at], happened[place == at]) for at in np.unique(place)
    )


def calibration_error(rows: tuple[CalibrationBin, ...]) -> float | None:
    """Mean distance between stated and observed over the ranges, weighted by their cases; None
    without cases.

    Source: Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian
    binning, 2015 (expected calibration error).
    """
    cases = sum(row.n for row in rows)
    return sum(row.n * row.error for row in rows) / cases if cases else None


def largest_calibration_error(
    rows: tuple[CalibrationBin, ...], *, least: int = 200
) -> float | None:
    """Largest distance between stated and observed among the ranges of `least` cases and more; None
    when there is no such range.
    """
    return max((row.error for row in rows if row.n >= least), default=None)


def _bin(
    edges: FloatArray, at: int, probability: FloatArray, happened: BoolArray
) -> CalibrationBin:
    return CalibrationBin(
        low=float(edges[at]),
        high=float(edges[at + 1]),
        n=len(probability),
        stated=float(probability.mean()),
        observed=wilson(int(np.count_nonzero(happened)), len(happened)),
    )


def _grid(day: IntArray) -> tuple[int, int]:
    """The first of the days, and how many there are from it to the last."""
    return (int(day.min()), int(day.max()) - int(day.min()) + 1) if len(day) else (0, 0)


def _sums(
    day: IntArray, grid: tuple[int, int], values: FloatArray | BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Cases on each day of the grid, and the sum of their values."""
    first, length = grid
    cases = np.bincount(day - first, minlength=length)
    sums = np.bincount(day - first, weights=values, minlength=length)
    return cases.astype(np.float64), sums.astype(np.float64)


def _clustered_error(influence: FloatArray, days: int, lags: int) -> float | None:
    if days < 2:
        return None
    return sqrt(long_run_sum(influence, lags) * days / (days - 1))


def _normal(value: float, error: float | None, n: int, days: int) -> Estimate:
    if error is None:
        return Estimate(value, None, None, None, n, days)
    width = NORMAL_95 * error
    return Estimate(
        value, value - width, value + width, value / error if error > 0 else None, n, days
    )


def _same_length(happened: BoolArray, other: FloatArray | IntArray) -> None:
    if happened.shape != other.shape or happened.ndim != 1:
        raise NotMeasurable(
            f"{happened.shape} outcomes against {other.shape} days or probabilities:"
            " give one of each for every case"
        )


def _probabilities(probability: FloatArray, happened: BoolArray) -> None:
    _same_length(happened, probability)
    if not ((probability >= 0) & (probability <= 1)).all():
        raise NotMeasurable(
            "a stated probability is missing or not within 0..1: leave such cases out"
        )
