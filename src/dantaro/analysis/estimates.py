"""A figure with its uncertainty: means of daily series, shares, and their 95 % intervals.

A daily series is float64[T], one value per day in the order of the days, NaN where there is none.
Outcomes over h days that are taken every day overlap, so neighbouring days are not independent; every
standard error here allows for that, up to `lags` days apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from dantaro.analysis.panel import FloatArray
from dantaro.errors import NotMeasurable

NORMAL_95 = 1.959963984540054
"""Standard errors on either side of a 95 % interval of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured figure.

    Attributes:
        value: the figure; None when there is nothing to measure it on.
        low, high: its 95 % interval; None when one observation or day is all there is.
        t_stat: the figure (or its distance from what chance gives, where the function says so) over
            its standard error; None when the standard error is zero or unknown.
        n: observations.
        days: the days they fall on.
    """

    value: float | None
    low: float | None
    high: float | None
    t_stat: float | None
    n: int
    days: int

    @property
    def above_zero(self) -> bool | None:
        """Whether the whole interval lies above zero; None without an interval."""
        return None if self.low is None else self.low > 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A daily series held against the best of several: `difference` is its mean advantage over
    `baseline`, and `beats` whether the lower bound of that is above zero (None without a bound).
    """

    baseline: str
    difference: Estimate
    beats: bool | None


def overlap_lags(horizon_days: int, days: int) -> int:
    """Days apart up to which outcomes over `horizon_days` are taken to be correlated.

    Three horizons, or the rule of thumb 4 (T/100)^(2/9) where that is more, but at most a quarter of
    the `days`. Outcomes over h days share part of their time with the h - 1 next ones, but the Bartlett
    kernel counts a correlation l days apart with the weight 1 - l/(lags + 1) only: with lags = h - 1 and
    h = 7 it finds two thirds of the variance, with three horizons nine tenths.
    Source of the rule: Newey and West, Automatic lag selection in covariance matrix estimation, 1994.
    """
    rule = int(4 * (days / 100) ** (2 / 9))
    return max(0, min(max(3 * horizon_days if horizon_days > 1 else 0, rule), days // 4))


def newey_west(
    values: FloatArray,
    *,
    lags: int,
    observations: int | None = None,
    fixed_bandwidth: bool = False,
) -> Estimate:
    """The mean of a daily series with the standard error of Newey and West (1987), Bartlett kernel.

    The variance of the mean is `(g0 + 2 sum over l of (1 - l / (lags + 1)) g_l) / n^2` with
    `g_l` the sum of products of deviations l days apart. A missing day is left out, and what lies before
    and after it stays as many days apart as it is (Datta and Du 2012: amplitude modulation).

    Args:
        values: float64[T].
        lags: days apart up to which correlation is allowed for; 0 gives the ordinary standard error.
        observations: `n` of the result where a day's value rests on many markets; default: the days.
        fixed_bandwidth: take the interval's width from the fixed-b distribution of Kiefer and Vogelsang
            (2005) instead of the normal one: wider when the lags are a good part of the days, which
            is what a short series needs.
    """
    mean, error, days = _mean_and_error(values, lags)
    n = days if observations is None else observations
    if error is None or mean is None:
        return Estimate(mean, None, None, None, n, days)
    width = _fixed_bandwidth_width((lags + 1) / days) if fixed_bandwidth else NORMAL_95
    t_stat = mean / error if error > 0 else None
    return Estimate(mean, mean - width * error, mean + width * error, t_stat, n, days)


def paired_difference(
    first: FloatArray, second: FloatArray, *, lags: int, fixed_bandwidth: bool = False
) -> Estimate:
    """Mean of `first - second` over the days that both have, as `newey_west` estimates it."""
    _same_shape("the two series", first, second)
    return newey_west(first - second, lags=lags, fixed_bandwidth=fixed_bandwidth)


def against_best(
    values: FloatArray,
    baselines: Mapping[str, FloatArray],
    *,
    lags: int,
    fixed_bandwidth: bool = False,
) -> Comparison:
    """A daily series against that baseline whose mean, on the days of both, is the highest.

    Equal means are decided by name. Raises NotMeasurable when there is no baseline with a common day.
    """
    means: dict[str, float] = {}
    for name in sorted(baselines):
        _same_shape(f"the series and its baseline {name}", values, baselines[name])
        common = baselines[name][np.isfinite(values) & np.isfinite(baselines[name])]
        if len(common):
            means[name] = float(common.mean())
    if not means:
        raise NotMeasurable(
            "no baseline has a day in common with the series: give at least one that was measured on"
            " the same days"
        )
    best = max(means, key=lambda name: means[name])
    difference = paired_difference(
        values, baselines[best], lags=lags, fixed_bandwidth=fixed_bandwidth
    )
    return Comparison(best, difference, difference.above_zero)


def icir(values: FloatArray) -> float | None:
    """Mean over standard deviation (n - 1) of a daily series of rank correlations, per day, not
    annualised; None with fewer than two days or without variation.

    Source: Grinold and Kahn, Active Portfolio Management, 2000 (the IC's information ratio).
    """
    present = values[np.isfinite(values)]
    if len(present) < 2 or _is_constant(present):
        return None
    return float(present.mean() / present.std(ddof=1))


def hit_rate(values: FloatArray, *, lags: int) -> Estimate:
    """Share of the days whose value is above zero; `t_stat` is that of its distance from one half.

    The interval is Wilson's, with as many days as independent ones would give the standard error of
    Newey and West (a run of equal outcomes counts every `lags + 1` days).
    """
    present = np.isfinite(values)
    hits = np.where(present, (values > 0).astype(np.float64), np.nan)
    share, error, days = _mean_and_error(hits, lags)
    if share is None:
        return Estimate(None, None, None, None, 0, 0)
    low, high = wilson_interval(share, _effective_number(share, error, days, lags + 1))
    t_stat = (share - 0.5) / error if error else None
    return Estimate(share, low, high, t_stat, days, days)


def wilson(successes: int, n: int) -> Estimate:
    """A share with Wilson's score interval, for independent observations; `days` is `n`.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if not 0 <= successes <= n:
        raise NotMeasurable(f"{successes} successes of {n} observations: give 0 <= successes <= n")
    if n == 0:
        return Estimate(None, None, None, None, 0, 0)
    low, high = wilson_interval(successes / n, n)
    return Estimate(successes / n, low, high, None, n, n)


def wilson_interval(share: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `n` (above 0, not necessarily whole) observations."""
    spread = NORMAL_95**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def block_bootstrap(values: FloatArray, *, block: int, seed: int, draws: int = 2000) -> Estimate:
    """The mean of a daily series with the percentile interval of the moving-block bootstrap.

    Each draw joins blocks of `block` consecutive days, drawn with replacement, to a series as long as
    the original; missing days stay missing within their block. `t_stat` is the mean over the standard
    deviation of the draws. A check on `newey_west` that rests on other assumptions.
    Source: H. R. Kuensch, The jackknife and the bootstrap for general stationary observations, 1989.
    """
    if block < 1 or draws < 2:
        raise NotMeasurable(
            f"blocks of {block} days, {draws} draws: give block >= 1 and draws >= 2"
        )
    present = np.flatnonzero(np.isfinite(values))
    if not len(present):
        return Estimate(None, None, None, None, 0, 0)
    series = values[present[0] : present[-1] + 1]
    mean, days = float(values[present].mean()), len(present)
    if days < 2:
        return Estimate(mean, None, None, None, days, days)
    means = _resampled_means(series, min(block, len(series)), seed, draws)
    low, high = np.quantile(means, [0.025, 0.975])
    error = float(means.std(ddof=1))
    t_stat = mean / error if error > 0 else None
    return Estimate(mean, float(low), float(high), t_stat, days, days)


def long_run_sum(deviations: FloatArray, lags: int) -> float:
    """Sum of squares plus, with the Bartlett weights, twice the sums of products up to `lags` apart."""
    if lags < 0:
        raise NotMeasurable(f"lags is {lags}: give 0 or more")
    total = float(np.sum(deviations * deviations))
    for lag in range(1, min(lags, len(deviations) - 1) + 1):
        weight = 1 - lag / (lags + 1)
        total += 2 * weight * float(np.sum(deviations[lag:] * deviations[:-lag]))
    return max(total, 0.0)


def share_interval(
    share: float, error: float | None, n: int, largest_inflation: float
) -> tuple[float, float]:
    """Wilson's interval of a share whose standard error is `error`, for lack of independence wider
    than that of `n` independent observations; never narrower.

    Source: Korn and Graubard, Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data, 1998 (the effective number of observations).
    """
    return wilson_interval(share, _effective_number(share, error, n, largest_inflation))


def _effective_number(share: float, error: float | None, n: int, largest_inflation: float) -> float:
    independent = share * (1 - share) / n
    if error is None or independent == 0:  # all alike: nothing shows how dependent they are
        return n / max(1.0, min(largest_inflation, n))
    return n / max(1.0, error * error / independent)


def _mean_and_error(values: FloatArray, lags: int) -> tuple[float | None, float | None, int]:
    if values.ndim != 1:
        raise NotMeasurable(f"a daily series has one axis, not the shape {values.shape}")
    present = np.isfinite(values)
    days = int(np.count_nonzero(present))
    if days == 0:
        return None, None, 0
    known, places = values[present], np.flatnonzero(present)
    constant = _is_constant(known)
    mean = float(known[0]) if constant else float(known.mean())
    deviations = np.zeros(places[-1] - places[0] + 1)  # so that days before and after change no bit
    deviations[places - places[0]] = known - mean
    variance = 0.0 if constant else long_run_sum(deviations, lags) / days**2
    return mean, sqrt(variance) if days > 1 else None, days


def _is_constant(values: FloatArray) -> bool:
    return bool(np.all(values == values[0]))


def _fixed_bandwidth_width(share: float) -> float:
    """97.5 % point of the t statistic when the kernel's bandwidth is `share` of the days.

    Source: Kiefer and Vogelsang, A new asymptotic theory for heteroskedasticity-autocorrelation robust
    tests, 2005, table 1, Bartlett kernel.
    """
    b = min(share, 1.0)
    return NORMAL_95 + 2.9694 * b + 0.4160 * b**2 - 0.5324 * b**3


def _resampled_means(series: FloatArray, block: int, seed: int, draws: int) -> FloatArray:
    generator = np.random.Generator(np.random.PCG64(seed))
    blocks = -(-len(series) // block)
    starts = generator.integers(0, len(series) - block + 1, size=(draws, blocks))
    places = (starts[:, :, None] + np.arange(block)).reshape(draws, -1)[:, : len(series)]
    drawn = series[places]
    known = np.isfinite(drawn)
    counts = known.sum(axis=1)
    sums = np.where(known, drawn, 0.0).sum(axis=1)
    means: FloatArray = sums[counts > 0] / counts[counts > 0]
    return means


def _same_shape(what: str, first: FloatArray, second: FloatArray) -> None:
    if first.shape != second.shape:
        raise NotMeasurable(
            f"{what} have the shapes {first.shape} and {second.shape}: give both over the same days"
        )
