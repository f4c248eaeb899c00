"""Hold rates of levels against placebos at the same distance, by classes of levels.

A placebo nearer to the price is entered more often than one farther away, and lines at different distances
hold unequally often, so what was entered of the placebos does not lie where the levels lie. Their hold rate
is therefore taken within side and distance, and weighted as the levels are (post-stratification: W. G.
Cochran, Sampling Techniques, 1977, section 5A.9).
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from dantaro.analysis.estimates import NORMAL_95, Estimate, long_run_sum
from dantaro.analysis.level_outcomes import HELD, SUPPORT
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray
from dantaro.analysis.proportions import clustered_proportion
from dantaro.research.level_cases import Cases, Outcomes, resolved

LAGS = 7
_EDGES = np.array([0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0])
_STRATA = 2 * (_EDGES.size + 1)


@dataclass(frozen=True, slots=True)
class HoldRate:
    """How a class of levels held: its rate, its placebos', the difference, and the p-value of none."""

    issued: int
    rate: Estimate
    placebo_rate: float | None
    placebos: int
    difference: Estimate
    p_value: float | None


@dataclass(frozen=True, slots=True, eq=False)
class _Touches:
    """Touches that were decided: whether they held, the UTC day of the issue, and the stratum."""

    held: BoolArray
    day: IntArray
    stratum: IntArray

    def within(self, strata: BoolArray) -> "_Touches":
        keep = strata[self.stratum]
        return _Touches(self.held[keep], self.day[keep], self.stratum[keep])

    def counts(self) -> FloatArray:
        return np.bincount(self.stratum, minlength=_STRATA).astype(np.float64)


def hold_rate(cases: Cases, outcomes: Outcomes, which: BoolArray) -> HoldRate:
    """How the cases where `which` (bool[N]) is True held, against their placebos."""
    levels, placebos = _levels(cases, outcomes, which), _placebos(cases, outcomes, which)
    both = (levels.counts() > 0) & (placebos.counts() > 0)
    levels, placebos = levels.within(both), placebos.within(both)
    difference = matched_difference(levels, placebos)
    rate = clustered_proportion(levels.held, levels.day, lags=LAGS)
    known = rate.value is not None and difference.value is not None
    t_stat = difference.t_stat
    return HoldRate(
        issued=int(which.sum()),
        rate=rate,
        placebo_rate=rate.value - difference.value  # type: ignore[operator]  # both are known
        if known
        else None,
        placebos=placebos.held.size,
        difference=difference,
        p_value=None if t_stat is None else 2 * NormalDist().cdf(-abs(t_stat)),
    )


def matched_difference(levels: _Touches, placebos: _Touches) -> Estimate:
    """Hold rate of `levels` minus that of `placebos` in the same strata, weighted as the levels are.

    The standard error is clustered by day, with the Bartlett kernel over a week.
    """
    n = levels.held.size
    days = int(np.unique(levels.day).size)
    if not n:
        return Estimate(None, None, None, None, 0, 0)
    wanted, had = levels.counts(), placebos.counts()
    held = np.bincount(placebos.stratum, weights=placebos.held, minlength=_STRATA)
    expected = held / np.maximum(had, 1.0)
    value = float((levels.held - expected[levels.stratum]).mean())
    if days < 2:
        return Estimate(value, None, None, None, n, days)
    first = int(min(levels.day.min(), placebos.day.min()))
    length = int(max(levels.day.max(), placebos.day.max())) - first + 1
    share = (wanted / n / np.maximum(had, 1.0))[placebos.stratum]
    influence = np.bincount(
        levels.day - first,
        weights=(levels.held - expected[levels.stratum] - value) / n,
        minlength=length,
    )
    influence -= np.bincount(
        placebos.day - first,
        weights=share * (placebos.held - expected[placebos.stratum]),
        minlength=length,
    )
    error = sqrt(long_run_sum(influence.astype(np.float64), LAGS) * days / (days - 1))
    width = NORMAL_95 * error
    return Estimate(
        value, value - width, value + width, value / error if error > 0 else None, n, days
    )


def _levels(cases: Cases, outcomes: Outcomes, which: BoolArray) -> _Touches:
    counted = which & outcomes.entered & resolved(outcomes.state)
    return _Touches(
        outcomes.state[counted] == HELD,
        cases.day[counted],
        _stratum(cases.lines.side[counted] == SUPPORT, cases.distance[counted]),
    )


def _placebos(cases: Cases, outcomes: Outcomes, which: BoolArray) -> _Touches:
    counted = which & outcomes.placebo_entered & resolved(outcomes.placebo_state)
    draw, at = np.nonzero(counted)
    return _Touches(
        outcomes.placebo_state[draw, at] == HELD,
        cases.day[at],
        _stratum(cases.lines.side[at] == SUPPORT, outcomes.placebo_distance[draw, at]),
    )


def _stratum(below: BoolArray, distance: FloatArray) -> IntArray:
    place = np.searchsorted(_EDGES, distance, side="right")
    stratum: IntArray = place + np.where(below, 0, _EDGES.size + 1)
    return stratum
