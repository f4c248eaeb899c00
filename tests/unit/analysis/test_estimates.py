"""Means and shares of daily series: arithmetic by hand, statsmodels, and how often the intervals hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint

from dantaro.analysis.estimates import (
    NORMAL_95,
    Estimate,
    against_best,
    block_bootstrap,
    hit_rate,
    icir,
    newey_west,
    overlap_lags,
    paired_difference,
    wilson,
)
from dantaro.analysis.panel import FloatArray
from dantaro.errors import NotMeasurable

NAN = np.nan
NOTHING = Estimate(None, None, None, None, 0, 0)


def overlapping_sums(days: int, horizon: int, *, seed: int) -> FloatArray:
    """What a worthless ranking has: outcomes over `horizon` days, one a day, their true mean zero."""
    noise = np.random.default_rng(seed).normal(size=days + horizon - 1)
    return np.convolve(noise, np.ones(horizon), mode="valid")


def interval(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


# ---------------------------------------------------------------------------- Newey and West


def test_the_standard_error_adds_weighted_products_of_neighbouring_days() -> None:
    # mean 2; deviations -1 0 1 0 (of 1 2 3 2)... squares sum 2; one day apart: 0 + 0 + 0 = 0
    # two days apart: -1 * 1 + 0 * 0 = -1, weight 1 - 2/3; S = 2 + 2 * (0 * 2/3 - 1 * 1/3) = 4/3
    estimate = newey_west(np.array([1.0, 2.0, 3.0, 2.0]), lags=2)
    error = (4 / 3) ** 0.5 / 4
    assert estimate.value == 2
    assert estimate.t_stat == pytest.approx(2 / error)
    assert estimate.low == pytest.approx(2 - 1.959964 * error, rel=1e-6)
    assert estimate.high == pytest.approx(2 + 1.959964 * error, rel=1e-6)
    assert (estimate.n, estimate.days) == (4, 4)


def test_without_lags_it_is_the_ordinary_standard_error() -> None:
    # mean 3, squares 4 + 0 + 4 = 8; variance of the mean 8 / 9
    estimate = newey_west(np.array([1.0, 3.0, 5.0]), lags=0, observations=60)
    assert estimate.t_stat == pytest.approx(3 / (8 / 9) ** 0.5)
    assert (estimate.n, estimate.days) == (60, 3)


@pytest.mark.parametrize("lags", [0, 1, 6, 21])
def test_the_interval_is_that_of_statsmodels(lags: int) -> None:
    values = 0.2 + overlapping_sums(120, 7, seed=lags)
    ours = newey_west(values, lags=lags)
    theirs = OLS(values, np.ones(120)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
    )
    assert ours.value == pytest.approx(theirs.params[0], rel=1e-12)
    assert ours.t_stat == pytest.approx(theirs.tvalues[0], rel=1e-10)
    np.testing.assert_allclose(interval(ours), theirs.conf_int()[0], rtol=1e-10)


def test_a_missing_day_keeps_its_neighbours_two_days_apart() -> None:
    # 1 . 3: mean 2, deviations -1 . 1; nothing is one day apart, so one lag adds nothing: S = 2
    estimate = newey_west(np.array([1.0, NAN, 3.0]), lags=1)
    assert estimate.t_stat == pytest.approx(2 / (2**0.5 / 2))
    # closed up they would be neighbours: S = 2 + 2 * 1/2 * (-1) = 1
    assert newey_west(np.array([1.0, 3.0]), lags=1).t_stat == pytest.approx(2 / (1 / 2))


@given(
    npst.arrays(
        np.float64,
        st.integers(1, 30),
        elements=st.one_of(st.integers(-8, 8).map(lambda whole: whole / 8), st.just(NAN)),
    ),
    st.integers(0, 35),
)
def test_a_mean_lies_in_its_interval_and_follows_its_unit(values: FloatArray, lags: int) -> None:
    estimate = newey_west(values, lags=lags)
    percent = newey_west(values * 100, lags=lags)
    padded = newey_west(np.concatenate([[NAN] * 3, values, [NAN]]), lags=lags)
    assert padded == estimate
    if estimate.value is None or estimate.low is None or estimate.high is None:
        assert np.isfinite(values).sum() <= 1
        return
    assert estimate.low <= estimate.value <= estimate.high
    assert percent.high == pytest.approx(estimate.high * 100, abs=1e-9)
    negative = newey_west(-values, lags=lags)
    assert negative.low == pytest.approx(-estimate.high, abs=1e-12)


def test_one_day_or_none_has_no_interval_and_equal_days_no_t() -> None:
    assert newey_west(np.array([NAN, NAN]), lags=1) == NOTHING
    assert newey_west(np.array([NAN, 0.3]), lags=1) == Estimate(0.3, None, None, None, 1, 1)
    assert newey_west(np.full(7, 0.1), lags=2) == Estimate(0.1, 0.1, 0.1, None, 7, 7)
    assert newey_west(np.array([NAN, 0.3]), lags=1).above_zero is None
    assert newey_west(np.full(7, 0.1), lags=2).above_zero is True


def test_lags_follow_the_overlap_and_never_exceed_a_quarter_of_the_days() -> None:
    assert overlap_lags(7, 1000) == 21  # three horizons
    assert overlap_lags(1, 1000) == 6  # 4 * 10^(2/9) = 6.67
    assert overlap_lags(7, 40) == 10
    assert overlap_lags(7, 3) == 0


def coverage(horizon: int, days: int, *, lags: int, fixed_bandwidth: bool = False) -> float:
    """How often the interval of 600 worthless series contains the true mean, zero."""
    held = 0
    for seed in range(600):
        estimate = newey_west(
            overlapping_sums(days, horizon, seed=seed), lags=lags, fixed_bandwidth=fixed_bandwidth
        )
        low, high = interval(estimate)
        held += low <= 0 <= high
    return held / 600


def test_intervals_of_overlapping_outcomes_hold_about_as_often_as_they_say() -> None:
    assert 0.90 <= coverage(7, 600, lags=overlap_lags(7, 600)) <= 0.97


def test_the_control_without_lags_or_with_too_few_holds_far_less_often() -> None:
    assert coverage(7, 600, lags=0) < 0.65
    assert coverage(7, 600, lags=6) < coverage(7, 600, lags=21)


def test_a_short_series_needs_the_wider_interval_of_the_fixed_bandwidth() -> None:
    lags = overlap_lags(3, 40)
    plain, wide = coverage(3, 40, lags=lags), coverage(3, 40, lags=lags, fixed_bandwidth=True)
    assert plain < 0.91
    assert plain < wide
    assert 0.91 <= wide <= 0.98


def test_the_fixed_bandwidth_distribution_is_that_of_kiefer_and_vogelsang() -> None:
    """With the bandwidth equal to the days its 97.5 % point is 4.77 (their paper of 2002, table I)."""
    values = np.array([1.0, 2.0, 4.0, 3.0])
    normal = newey_west(values, lags=3)
    wide = newey_west(values, lags=3, fixed_bandwidth=True)
    ratio = (interval(wide)[1] - 2.5) / (interval(normal)[1] - 2.5)
    assert ratio * NORMAL_95 == pytest.approx(4.77, abs=0.05)


# ---------------------------------------------------------------------------- comparisons


def test_a_paired_difference_leaves_out_what_both_series_share() -> None:
    shared = np.array([5.0, -3.0, 8.0, 1.0])
    first, second = shared + np.array([0.2, 0.1, 0.2, 0.1]), shared
    # differences 0.2 0.1 0.2 0.1: mean 0.15, squares 4 * 0.0025 = 0.01, error 0.1 / 4
    estimate = paired_difference(first, second, lags=0)
    assert estimate.value == pytest.approx(0.15)
    assert estimate.t_stat == pytest.approx(6)
    assert paired_difference(first, np.array([NAN, NAN, 8.0, 1.0]), lags=0).days == 2


def test_a_series_is_held_against_the_best_of_its_baselines() -> None:
    values = np.array([0.3, 0.1, 0.3, 0.1, NAN])
    baselines = {
        "weak": np.array([0.0, 0.0, 0.0, 0.0, 0.0]),
        "strong": np.array([0.2, 0.0, 0.1, 0.1, NAN]),
        # the best only on a day that the series does not have
        "elsewhere": np.array([-0.1, -0.1, -0.1, -0.1, 9.0]),
        "never": np.full(5, NAN),
    }
    comparison = against_best(values, baselines, lags=0)
    assert comparison.baseline == "strong"
    assert comparison.difference == paired_difference(values, baselines["strong"], lags=0)
    # differences 0.1 0.1 0.2 0: mean 0.1, squares 0.02, error 0.0354: the lower bound is 0.031
    assert comparison.beats is True
    assert against_best(baselines["strong"], {"values": values}, lags=0).beats is False
    one_day = against_best(np.array([0.3, NAN]), {"weak": np.zeros(2)}, lags=0)
    assert one_day.beats is None
    with pytest.raises(NotMeasurable, match="no baseline"):
        against_best(values, {"never": np.full(5, NAN)}, lags=0)
    with pytest.raises(NotMeasurable, match="its baseline short"):
        against_best(values, {"short": np.zeros(2)}, lags=0)


def test_equally_good_baselines_are_decided_by_name() -> None:
    same = np.array([0.1, 0.2])
    assert against_best(same, {"b": same, "a": same}, lags=0).baseline == "a"


# ---------------------------------------------------------------------------- IC ratio and hit rate


def test_the_information_ratio_is_the_mean_over_the_deviation() -> None:
    # mean 0.2, squares 0.01 + 0 + 0.01 over n - 1 = 2: deviation 0.1
    assert icir(np.array([0.1, NAN, 0.2, 0.3])) == pytest.approx(2.0)
    assert icir(np.array([0.1, NAN])) is None
    assert icir(np.array([0.1, 0.1, 0.1])) is None


def test_a_hit_rate_counts_the_days_above_zero() -> None:
    # three of four (zero is no hit), independent: Wilson's interval of 3 / 4; t = 0.25 / sqrt(3/64)
    estimate = hit_rate(np.array([0.1, 0.2, NAN, 0.0, 0.3]), lags=0)
    theirs = proportion_confint(3, 4, method="wilson")
    assert estimate.value == 0.75
    np.testing.assert_allclose(interval(estimate), theirs, rtol=1e-12)
    assert estimate.t_stat == pytest.approx(0.25 / (0.75 * 0.25 / 4) ** 0.5)
    assert estimate.days == 4
    assert hit_rate(np.array([NAN]), lags=2) == NOTHING


def test_runs_of_hits_widen_the_interval_of_a_hit_rate() -> None:
    runs = np.repeat(np.tile([1.0, -1.0], 10), 10)  # ten days up, ten days down
    apart, together = hit_rate(np.tile([1.0, -1.0], 100), lags=10), hit_rate(runs, lags=10)
    assert interval(together)[0] < interval(apart)[0] - 0.05
    theirs = proportion_confint(100, 200, method="wilson")
    assert interval(apart)[0] == pytest.approx(theirs[0])  # never narrower than independent days


def test_hits_on_all_days_are_still_no_certainty() -> None:
    # 20 equal days with 4 lags count as 4 independent ones
    estimate = hit_rate(np.full(20, 0.1), lags=4)
    np.testing.assert_allclose(
        interval(estimate), proportion_confint(4, 4, method="wilson"), rtol=1e-12
    )
    assert estimate.t_stat is None


@given(st.integers(0, 50), st.integers(1, 50))
def test_the_interval_of_a_share_is_wilson_s(successes: int, more: int) -> None:
    n = successes + more
    for share in (wilson(successes, n), wilson(more, n)):
        assert share.value is not None
        theirs = proportion_confint(round(share.value * n), n, method="wilson")
        np.testing.assert_allclose(interval(share), theirs, atol=1e-12)


def test_a_share_of_nothing_has_no_value_and_more_successes_than_cases_are_refused() -> None:
    assert wilson(0, 0) == NOTHING
    with pytest.raises(NotMeasurable, match="4 successes of 3"):
        wilson(4, 3)


# ---------------------------------------------------------------------------- bootstrap


def test_the_bootstrap_of_overlapping_outcomes_agrees_with_newey_and_west() -> None:
    values = 0.5 + overlapping_sums(800, 7, seed=1)
    theirs = newey_west(values, lags=21)
    ours = block_bootstrap(values, block=22, seed=1)
    assert ours.value == pytest.approx(theirs.value)
    assert ours.t_stat == pytest.approx(theirs.t_stat, rel=0.1)
    assert ours.low == pytest.approx(theirs.low, abs=0.06)
    assert ours.high == pytest.approx(theirs.high, abs=0.06)


def test_the_bootstrap_of_single_days_misses_the_overlap() -> None:
    values = overlapping_sums(800, 7, seed=1)
    single, blocks = (interval(block_bootstrap(values, block=block, seed=1)) for block in (1, 22))
    assert single[1] - single[0] < 0.5 * (blocks[1] - blocks[0])


def test_the_bootstrap_repeats_with_its_seed_and_skips_missing_days() -> None:
    values = np.array([NAN, 1.0, NAN, 2.0, 4.0, 1.0, 3.0, NAN])
    assert block_bootstrap(values, block=2, seed=7) == block_bootstrap(values, block=2, seed=7)
    assert block_bootstrap(values, block=2, seed=7) != block_bootstrap(values, block=2, seed=8)
    estimate = block_bootstrap(values, block=2, seed=7)
    assert (estimate.value, estimate.days) == (2.2, 5)
    low, high = interval(estimate)
    assert 1.0 <= low < 2.2 < high <= 4.0
    assert block_bootstrap(np.array([NAN]), block=2, seed=7) == NOTHING
    assert block_bootstrap(np.array([3.0]), block=2, seed=7).low is None


def test_what_cannot_be_estimated_is_refused_by_name() -> None:
    with pytest.raises(NotMeasurable, match="lags is -1"):
        newey_west(np.array([1.0, 2.0]), lags=-1)
    with pytest.raises(NotMeasurable, match="one axis"):
        newey_west(np.zeros((2, 2)), lags=0)
    with pytest.raises(NotMeasurable, match="blocks of 0 days"):
        block_bootstrap(np.zeros(3), block=0, seed=1)
    with pytest.raises(NotMeasurable, match="same days"):
        paired_difference(np.zeros(3), np.zeros(4), lags=0)
