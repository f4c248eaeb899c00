"""How much of a good result is owed to having looked often: corrections for many trials.

`performance` is float64[T, N]: what each of N trials (variants, parameters) earned on each of T days, all
on the same days and without a gap. Ratios are per day, not annualised, unless said otherwise.
"""

from dataclasses import dataclass
from itertools import combinations
from math import e, sqrt

import numpy as np
from scipy import stats

from dantaro.analysis.panel import BoolArray, FloatArray
from dantaro.errors import NotMeasurable


@dataclass(frozen=True, slots=True)
class DeflatedSharpe:
    """The best trial's Sharpe ratio against what the best of so many trials reaches by luck.

    Attributes:
        sharpe: of the chosen returns, per day.
        luck: expected maximum of `trials` ratios without any skill, per day.
        probability: that the true ratio is above `luck`; below 0.95 it may well be luck.
        trials: independent trials assumed.
        days: length of the returns.
    """

    sharpe: float
    luck: float
    probability: float
    trials: float
    days: int


@dataclass(frozen=True, slots=True, eq=False)
class Overfitting:
    """What became, out of sample, of the trial that was best in sample, over all splits.

    Attributes:
        probability: share of the splits in which it did no better than the median trial (the probability
            of backtest overfitting): 0.5 for pure noise, near 0 for a real difference.
        probability_of_loss: share of the splits in which it earned a mean below zero.
        shown, kept: its mean Sharpe ratio in sample, and what was left of it out of sample, per day.
        logits: float64[splits], log odds of its relative rank out of sample.
        splits: number of ways in which half of the blocks was taken as the sample.
    """

    probability: float
    probability_of_loss: float
    shown: float
    kept: float
    logits: FloatArray
    splits: int


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """P-values corrected for their number: `adjusted` float64[n], and `rejected` bool[n], those whose
    adjusted value is at most the chosen level.
    """

    adjusted: FloatArray
    rejected: BoolArray


def probabilistic_sharpe(
    sharpe: float, *, benchmark: float, days: int, skewness: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Probability that the true Sharpe ratio is above `benchmark` (both per day), given `sharpe` measured
    over `days` returns of this skewness and kurtosis (3 for the normal distribution).

    Source: Bailey and Lopez de Prado, The Sharpe ratio efficient frontier, 2012.
    """
    variance = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    if days < 2 or variance <= 0:
        raise NotMeasurable(
            f"a Sharpe ratio of {sharpe} over {days} days with skewness {skewness} and kurtosis"
            f" {kurtosis} has no standard error: give at least two days of varying returns"
        )
    return float(stats.norm.cdf((sharpe - benchmark) * sqrt(days - 1) / sqrt(variance)))


def expected_maximum_sharpe(*, variance: float, trials: float) -> float:
    """Expected highest Sharpe ratio among `trials` independent ones without skill, whose measured ratios
    have this `variance`; 0 for a single trial.

    Source: Bailey and Lopez de Prado, The deflated Sharpe ratio, 2014, equation 1.
    """
    if variance < 0 or trials < 1:
        raise NotMeasurable(
            f"{trials} trials with a variance of {variance}: give at least one trial and no negative"
            " variance"
        )
    if trials == 1:
        return 0.0
    gamma = float(np.euler_gamma)
    highest = (1 - gamma) * stats.norm.ppf(1 - 1 / trials) + gamma * stats.norm.ppf(
        1 - 1 / (trials * e)
    )
    return sqrt(variance) * max(0.0, float(highest))


def independent_trials(performance: FloatArray) -> float:
    """How many independent trials N correlated ones amount to: `r + (1 - r) N` with r their mean pairwise
    correlation, at least 1 and at most N. Trials that never vary are not counted.

    Source: Bailey and Lopez de Prado, The deflated Sharpe ratio, 2014, appendix on the number of
    independent trials.
    """
    _check(performance, least_trials=1)
    varying = performance[:, np.ptp(performance, axis=0) > 0]
    number = int(varying.shape[1])
    if number < 2:
        return 1.0
    correlation = np.corrcoef(varying, rowvar=False)
    mean = float((correlation.sum() - number) / (number * (number - 1)))
    return min(float(number), max(1.0, mean + (1 - mean) * number))


def deflated_sharpe(performance: FloatArray, *, chosen: int) -> DeflatedSharpe:
    """The Sharpe ratio of trial `chosen`, deflated by the number, correlation and spread of all trials.

    Every trial that was looked at must be in `performance` [T, N], or the result flatters.
    Source: Bailey and Lopez de Prado, The deflated Sharpe ratio, 2014.
    """
    _check(performance, least_trials=1)
    days, number = performance.shape
    if not 0 <= chosen < number:
        raise NotMeasurable(f"trial {chosen} of {number}: give 0 to {number - 1}")
    returns = performance[:, chosen]
    if np.ptp(returns) == 0:
        raise NotMeasurable(f"trial {chosen} has the same return every day: it has no Sharpe ratio")
    ratios = _ratios(performance.mean(axis=0), performance.var(axis=0))
    trials = independent_trials(performance)
    luck = expected_maximum_sharpe(
        variance=float(ratios.var(ddof=1)) if number > 1 else 0.0, trials=trials
    )
    probability = probabilistic_sharpe(
        float(ratios[chosen]),
        benchmark=luck,
        days=days,
        skewness=float(stats.skew(returns)),
        kurtosis=float(stats.kurtosis(returns, fisher=False)),
    )
    return DeflatedSharpe(float(ratios[chosen]), luck, probability, trials, days)


def backtest_overfitting(performance: FloatArray, *, blocks: int = 16) -> Overfitting:
    """Probability of backtest overfitting by combinatorially symmetric cross-validation.

    The days are cut into `blocks` (an even number) runs of equal length, the oldest days that do not
    fill one being left out. For every choice of half of them, the trial with the highest Sharpe ratio
    there is looked up in the other half: its rank w among the N trials, relative to N + 1, gives the
    logit ln(w / (1 - w)). A rank that is shared counts with its mean.
    Source: Bailey, Borwein, Lopez de Prado and Zhu, The probability of backtest overfitting, 2017.
    """
    _check(performance, least_trials=2)
    if blocks < 2 or blocks % 2 or len(performance) < 2 * blocks:
        raise NotMeasurable(
            f"{blocks} blocks of {len(performance)} days: give an even number with at least two days"
            " in each"
        )
    in_sample, out_of_sample = _split_moments(performance, blocks)
    inside, outside = _ratios(*in_sample), _ratios(*out_of_sample)
    best = np.argmax(inside, axis=1)
    rows = np.arange(len(best))
    kept = outside[rows, best]
    rank = (outside < kept[:, None]).sum(axis=1)
    rank = rank + ((outside == kept[:, None]).sum(axis=1) + 1) / 2
    logits = np.log(rank / (performance.shape[1] + 1 - rank))
    return Overfitting(
        probability=float(np.mean(logits <= 0)),
        probability_of_loss=float(np.mean(kept < 0)),
        shown=float(inside[rows, best].mean()),
        kept=float(kept.mean()),
        logits=logits,
        splits=len(best),
    )


def benjamini_hochberg(p_values: FloatArray, *, level: float = 0.05) -> Correction:
    """Keeps the expected share of false discoveries among the rejected below `level`.

    Source: Benjamini and Hochberg, Controlling the false discovery rate, 1995; for independent or
    positively dependent tests.
    """
    _check_p_values(p_values)
    adjusted = stats.false_discovery_control(p_values) if len(p_values) else np.empty(0)
    return Correction(adjusted, adjusted <= level)


def holm(p_values: FloatArray, *, level: float = 0.05) -> Correction:
    """Keeps the probability of any false rejection below `level`, whatever the dependence.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    _check_p_values(p_values)
    order = np.argsort(p_values, kind="stable")
    # four lines instead of statsmodels' multipletests, which collects garbage at every call (0.1 s)
    adjusted = np.empty(len(p_values))
    factors = np.arange(len(p_values), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return Correction(adjusted, adjusted <= level)


def _check_p_values(p_values: FloatArray) -> None:
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        raise NotMeasurable(
            "a p-value is missing or not within 0..1: give one for each test, and leave out tests that"
            " have none"
        )


def _split_moments(
    performance: FloatArray, blocks: int
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """Mean and variance [splits, N] of every half of the blocks, and of the half left over."""
    length = len(performance) // blocks
    kept = performance[len(performance) - length * blocks :]
    kept = kept.reshape(blocks, length, -1)
    centre = kept.mean(axis=(0, 1))  # the squares of small numbers about it lose no digits
    sums, squares = (kept - centre).sum(axis=1), ((kept - centre) ** 2).sum(axis=1)
    chosen = np.array(
        [
            np.isin(np.arange(blocks), half).astype(np.float64)
            for half in combinations(range(blocks), blocks // 2)
        ]
    )
    number = length * blocks // 2

    def moments(of: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean = of @ sums / number
        return mean + centre, np.maximum(of @ squares / number - mean**2, 0.0)

    return moments(chosen), moments(1 - chosen)


def _ratios(mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Mean over standard deviation; a trial that never varies has the ratio zero."""
    varies = variance > 0
    return np.where(varies, mean / np.sqrt(np.where(varies, variance, 1.0)), 0.0)


def _check(performance: FloatArray, *, least_trials: int) -> None:
    if performance.ndim != 2 or performance.shape[1] < least_trials or len(performance) < 2:
        raise NotMeasurable(
            f"performance of the shape {performance.shape}: give [days, trials] with at least two days"
            f" and {least_trials} trial(s)"
        )
    if not np.isfinite(performance).all():
        raise NotMeasurable(
            "performance has a gap or an infinite value: keep the days that all trials have"
        )
