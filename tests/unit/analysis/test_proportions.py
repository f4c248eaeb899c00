"""Shares and stated probabilities: arithmetic by hand, statsmodels, scikit-learn, and what clusters do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint

from dantaro.analysis.estimates import Estimate
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray
from dantaro.analysis.proportions import (
    CalibrationBin,
    brier,
    brier_skill,
    calibration,
    calibration_error,
    clustered_proportion,
    difference_by_day,
    difference_of_proportions,
    largest_calibration_error,
    share_by_day,
    skill_by_day,
)
from dantaro.errors import NotMeasurable


def yes(*values: int) -> BoolArray:
    return np.array(values, np.bool_)


def on(*days: int) -> IntArray:
    return np.array(days, np.int64)


def interval(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


def stormy(
    days: int, *, seed: int, shift: float = 0.0, scatter: float = 0.25
) -> tuple[BoolArray, IntArray, BoolArray, IntArray]:
    """Lines and placebos that hold with a probability of their day, the lines `shift` more often."""
    generator = np.random.default_rng(seed)
    chance = generator.uniform(0.5 - scatter, 0.5 + scatter, size=days)
    day = np.repeat(np.arange(days), 10)
    held = generator.random(len(day)) < chance[day] + shift
    placebo = generator.random(len(day)) < chance[day]
    return held, day, placebo, day


# ---------------------------------------------------------------------------- shares by day


def test_the_error_of_a_share_is_taken_over_days() -> None:
    # three of six; by day 2 of 2, 1 of 2, 0 of 2: sums of deviations 1, 0, -1
    # variance 2 * 3 / 2 / 36 = 1 / 12, against 1 / 24 if all were independent: they count as three
    share = clustered_proportion(yes(1, 1, 1, 0, 0, 0), on(5, 5, 7, 7, 8, 8))
    assert share.value == 0.5
    assert share.t_stat == pytest.approx(0.5 / (1 / 12) ** 0.5)
    assert (share.n, share.days) == (6, 3)
    theirs = proportion_confint(1.5, 3, method="wilson")
    np.testing.assert_allclose(interval(share), theirs)


def test_days_more_alike_than_chance_do_not_narrow_the_interval() -> None:
    share = clustered_proportion(yes(1, 0, 1, 0, 1, 0), on(1, 1, 2, 2, 3, 3))
    np.testing.assert_allclose(interval(share), proportion_confint(3, 6, method="wilson"))
    assert share.t_stat is None


def test_a_share_of_all_counts_its_days_alone() -> None:
    share = clustered_proportion(yes(1, 1, 1, 1, 1, 1), on(1, 1, 1, 2, 2, 2))
    np.testing.assert_allclose(interval(share), proportion_confint(2, 2, method="wilson"))


def test_sums_by_day_tell_the_same_as_single_cases() -> None:
    held, day, placebo, other = stormy(30, seed=2, shift=0.1)
    cases, kept = np.bincount(day).astype(float), np.bincount(day, weights=held).astype(float)
    others, came = (
        np.bincount(other).astype(float),
        np.bincount(other, weights=placebo).astype(float),
    )
    assert share_by_day(cases, kept, lags=2) == clustered_proportion(held, day, lags=2)
    assert difference_by_day((cases, kept), (others, came), lags=2) == difference_of_proportions(
        held, day, placebo, other, lags=2
    )


def test_no_case_has_no_share() -> None:
    assert clustered_proportion(yes(), on()) == Estimate(None, None, None, None, 0, 0)


# ---------------------------------------------------------------------------- differences


def test_what_moves_lines_and_placebos_on_one_day_cancels() -> None:
    # day 1: 2 of 2 against 2 of 2, day 2: 0 of 2 against 0 of 2, day 3: 2 of 2 against 1 of 2
    held, placebo = yes(1, 1, 0, 0, 1, 1), yes(1, 1, 0, 0, 1, 0)
    day = on(1, 1, 2, 2, 3, 3)
    # 4/6 - 3/6; deviations by day, first 2/3 -4/3 2/3, second 1 -1 0, difference -1/3 -1/3 2/3
    # squares 6/9 / 36 * 3/2 = 1/36
    estimate = difference_of_proportions(held, day, placebo, day)
    assert estimate.value == pytest.approx(1 / 6)
    assert estimate.t_stat == pytest.approx((1 / 6) / (1 / 6))
    np.testing.assert_allclose(
        interval(estimate), (1 / 6 - 1.959964 / 6, 1 / 6 + 1.959964 / 6), 1e-6
    )
    assert (estimate.n, estimate.days) == (6, 3)


def test_the_difference_is_that_of_a_regression_clustered_by_day() -> None:
    held, day, placebo, other = stormy(40, seed=1, shift=0.1)
    held, day = held[:317], day[:317]  # as many lines as placebos on a day need not be
    ours = difference_of_proportions(held, day, placebo, other)
    outcome = np.concatenate([held, placebo]).astype(float)
    line = np.concatenate([np.ones(len(held)), np.zeros(len(placebo))])
    theirs = OLS(outcome, np.column_stack([np.ones(len(line)), line])).fit(
        cov_type="cluster",
        cov_kwds={"groups": np.concatenate([day, other]), "use_correction": False},
    )
    assert ours.value == pytest.approx(theirs.params[1], rel=1e-10)
    low, high = interval(ours)
    assert (high - low) / (2 * 1.959964) == pytest.approx(
        theirs.bse[1] * (40 / 39) ** 0.5, rel=1e-6
    )


def test_cases_on_neighbouring_days_may_be_taken_as_related() -> None:
    # one case a day, deviations 0.5 0.5 -0.5 -0.5 / 4; S = 1 + 2 * 1/2 * (0.25 - 0.25 + 0.25) = 1.25
    held, day = yes(1, 1, 0, 0), on(1, 2, 3, 4)
    placebo, other = yes(1, 1), on(1, 2)  # never fail: no deviation
    ours = difference_of_proportions(held, day, placebo, other, lags=1)
    assert ours.value == -0.5
    assert ours.t_stat == pytest.approx(-0.5 / (1.25 / 16 * 4 / 3) ** 0.5)


def coverage(*, clustered: bool) -> float:
    """How often the interval of 300 differences without substance holds zero, on days of which each
    has lines alone or placebos alone, so that nothing cancels.
    """
    held_zero = 0
    for seed in range(300):
        held, day, placebo, other = stormy(60, seed=seed)
        first, second = day % 2 == 0, other % 2 == 1
        estimate = difference_of_proportions(
            held[first],
            day[first] if clustered else np.flatnonzero(first),
            placebo[second],
            other[second] if clustered else np.flatnonzero(second),
        )
        low, high = interval(estimate)
        held_zero += low <= 0 <= high
    return held_zero / 300


def test_intervals_clustered_by_day_hold_about_as_often_as_they_say() -> None:
    assert 0.91 <= coverage(clustered=True) <= 0.98


def test_the_control_that_counts_every_touch_as_independent_holds_far_less_often() -> None:
    assert coverage(clustered=False) < 0.88


def test_matched_placebos_show_a_small_difference_that_unmatched_ones_hide() -> None:
    held, day, placebo, other = stormy(150, seed=3, shift=0.05, scatter=0.4)
    matched = interval(difference_of_proportions(held, day, placebo, other))
    apart = interval(difference_of_proportions(held, day, placebo, other + 1000))
    assert matched[1] - matched[0] < 0.7 * (apart[1] - apart[0])


def test_a_difference_to_nothing_or_on_one_day_has_no_interval() -> None:
    nothing = difference_of_proportions(yes(1), on(1), yes(), on())
    assert nothing == Estimate(None, None, None, None, 1, 1)
    one_day = difference_of_proportions(yes(1, 1), on(4, 4), yes(1, 0), on(4, 4))
    assert one_day == Estimate(0.5, None, None, None, 2, 1)


# ---------------------------------------------------------------------------- Brier


def test_a_brier_score_is_the_mean_squared_distance() -> None:
    # (0.2^2 + 0.4^2 + 0.5^2) / 3 = 0.45 / 3
    assert brier(np.array([0.8, 0.4, 0.5]), yes(1, 0, 1)) == pytest.approx(0.15)
    assert np.isnan(brier(np.array([]), yes()))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_a_brier_score_is_that_of_scikit_learn(cases: list[tuple[float, bool]]) -> None:
    probability = np.array([stated for stated, _ in cases])
    happened = np.array([was for _, was in cases])
    theirs = brier_score_loss(happened, probability, labels=[False, True])
    assert brier(probability, happened) == pytest.approx(theirs, abs=1e-12)


def test_skill_is_measured_against_always_stating_the_base_rate() -> None:
    # loss 0.04 + 0.16 + 0.25 + 0.01 = 0.46; base rate 0.5: 4 * 0.25 = 1; skill 0.54
    stated, happened = np.array([0.8, 0.4, 0.5, 0.1]), yes(1, 0, 1, 0)
    skill = brier_skill(stated, happened)
    assert skill.value == pytest.approx(0.54)
    # loss - 0.46 * 0.25 by case: -0.075 0.045 0.135 -0.105; squares 0.0369 * 4/3
    assert skill.t_stat == pytest.approx(0.54 / (0.0369 * 4 / 3) ** 0.5)
    # told beforehand that 0.6 was usual: 2 * 0.16 + 2 * 0.36 = 1.04
    assert brier_skill(stated, happened, base_rate=0.6).value == pytest.approx(1 - 0.46 / 1.04)
    assert brier_skill(np.full(4, 0.5), happened).value == 0
    loss, reference = (stated - happened) ** 2, np.full(4, 0.25)
    assert skill_by_day(np.ones(4), loss, reference) == skill
    assert brier_skill(np.array([0.9]), yes(1)).value is None  # the base rate makes no error


def test_cases_of_one_day_count_once_for_the_error_of_a_skill() -> None:
    stated, happened = np.array([0.8, 0.4, 0.5, 0.1]), yes(1, 0, 1, 0)
    twice = brier_skill(np.tile(stated, 2), np.tile(happened, 2), day=np.tile(np.arange(4), 2))
    once = brier_skill(stated, happened)
    assert (twice.n, twice.days) == (8, 4)
    np.testing.assert_allclose(interval(twice), interval(once))


# ---------------------------------------------------------------------------- calibration


def test_stated_probabilities_are_compared_with_what_happened_range_by_range() -> None:
    stated = np.array([0.05, 0.10, 0.55, 0.60, 0.60, 1.0])
    rows = calibration(stated, yes(0, 1, 1, 1, 0, 1))
    assert [(round(row.low, 9), round(row.high, 9), row.n) for row in rows] == [
        (0.0, 0.1, 2),
        (0.5, 0.6, 3),
        (0.9, 1.0, 1),
    ]
    # stated 0.075, 0.58333, 1; observed 1/2, 2/3, 1; distances 0.425, 0.08333, 0
    np.testing.assert_allclose([row.stated for row in rows], [0.075, 1.75 / 3, 1.0])
    np.testing.assert_allclose([row.error for row in rows], [0.425, 0.25 / 3, 0.0], atol=1e-12)
    np.testing.assert_allclose(
        interval(rows[1].observed), proportion_confint(2, 3, method="wilson")
    )
    assert calibration_error(rows) == pytest.approx((2 * 0.425 + 0.25) / 6)
    assert largest_calibration_error(rows, least=3) == pytest.approx(0.25 / 3)
    assert largest_calibration_error(rows) is None


def test_ranges_of_equal_counts_follow_the_quantiles() -> None:
    stated = np.linspace(0.55, 0.65, 101)
    rows = calibration(stated, stated > 0.6005, bins=4, equal_counts=True)
    assert [row.n for row in rows] == [26, 25, 25, 25]
    assert rows[0].low == 0.55
    assert rows[-1].high == 0.65
    assert [row.observed.value for row in rows] == [0.0, 0.0, 1.0, 1.0]


def test_equal_probabilities_stay_in_one_range() -> None:
    rows = calibration(np.full(8, 0.6), yes(1, 1, 1, 0, 0, 0, 0, 0), equal_counts=True)
    assert [(row.low, row.high, row.n) for row in rows] == [(0.6, 0.6, 8)]
    assert calibration_error(rows) == pytest.approx(0.6 - 3 / 8)
    some = calibration(np.array([0.2, 0.6, 0.6, 0.6]), yes(0, 1, 1, 1), bins=3, equal_counts=True)
    assert sum(row.n for row in some) == 4


def test_nothing_stated_has_no_ranges_and_no_error() -> None:
    rows: tuple[CalibrationBin, ...] = calibration(np.array([]), yes())
    assert rows == ()
    assert calibration_error(rows) is None


@given(
    cases=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    bins=st.integers(1, 12),
    equal_counts=st.booleans(),
)
def test_every_case_is_in_one_range_that_holds_it(
    *, cases: list[tuple[float, bool]], bins: int, equal_counts: bool
) -> None:
    probability: FloatArray = np.array([stated for stated, _ in cases])
    happened = np.array([was for _, was in cases])
    rows = calibration(probability, happened, bins=bins, equal_counts=equal_counts)
    assert sum(row.n for row in rows) == len(cases)
    assert len(rows) <= bins
    for row in rows:
        assert row.low - 1e-12 <= row.stated <= row.high + 1e-12
        inside = (probability > row.low) & (probability <= row.high)
        first = (probability == row.low) & (row is rows[0])
        assert row.n == np.count_nonzero(inside | first)
    error = calibration_error(rows)
    assert error is not None
    assert 0 <= error <= 1
    assert error <= (largest_calibration_error(rows, least=1) or 0.0) + 1e-12


def test_what_fits_no_case_is_refused_by_name() -> None:
    with pytest.raises(NotMeasurable, match=r"not within 0\.\.1"):
        brier(np.array([1.2]), yes(1))
    with pytest.raises(NotMeasurable, match=r"not within 0\.\.1"):
        calibration(np.array([np.nan]), yes(1))
    with pytest.raises(NotMeasurable, match="one of each for every case"):
        difference_of_proportions(yes(1), on(1, 2), yes(1), on(1))
    with pytest.raises(NotMeasurable, match="0 ranges"):
        calibration(np.array([0.5]), yes(1), bins=0)
