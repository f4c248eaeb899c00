"""Every measure of a ranking on panels small enough to reckon by hand, against SciPy, and its laws."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import stats

from dantaro.analysis.measures import (
    Monotonicity,
    class_means,
    groups_of,
    monotonicity,
    p_value,
    quantile_means,
    random_rankings,
    random_rankings_over,
    rank_correlations,
    replaced,
    strength_classes,
    top_excess,
    top_weights,
    top_weights_of,
    turnover,
    universe_weights,
)
from dantaro.analysis.panel import FloatArray
from dantaro.analysis.scores import STRENGTH_FLOORS, cross_sectional_ranks, strength_of
from dantaro.errors import NotMeasurable

NAN = np.nan


def column(*values: float) -> FloatArray:
    """One day of a panel."""
    return np.array(values, np.float64)[:, None]


def panels(least_markets: int = 3) -> st.SearchStrategy[tuple[FloatArray, FloatArray]]:
    """Scores and outcomes of a few markets and days, with ties and gaps."""
    values = st.one_of(st.integers(-4, 4).map(lambda whole: whole / 4), st.just(NAN))
    shapes = st.tuples(st.integers(least_markets, 12), st.integers(1, 5))
    return shapes.flatmap(
        lambda shape: st.tuples(
            npst.arrays(np.float64, shape, elements=values),
            npst.arrays(np.float64, shape, elements=values),
        )
    )


def noise(markets: int, days: int, *, seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(markets, days))


# ---------------------------------------------------------------------------- rank correlation


def test_a_rank_correlation_is_that_of_the_squared_rank_differences() -> None:
    # ranks 1 2 3 4 5 against 2 1 4 3 5: d^2 = 1 + 1 + 1 + 1 + 0 = 4; 1 - 6 * 4 / (5 * 24) = 0.8
    scores = column(0.1, 0.2, 0.3, 0.4, 0.5)
    outcomes = column(-0.02, -0.03, 0.05, 0.01, 0.90)
    assert rank_correlations(scores, outcomes, least=2)[0] == pytest.approx(0.8, abs=1e-15)


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    # ranks 1 2.5 2.5 4 and 1 2 3 4, less 2.5: (-1.5 0 0 1.5) and (-1.5 -0.5 0.5 1.5)
    # product 4.5, squares 4.5 and 5: 4.5 / sqrt(22.5) = 0.94868
    correlation = rank_correlations(column(1, 2, 2, 3), column(1, 2, 3, 4), least=2)[0]
    assert correlation == pytest.approx(4.5 / 22.5**0.5, abs=1e-15)


def test_a_market_without_an_outcome_is_no_pair_and_shifts_no_rank() -> None:
    # without the second market: ranks 1 2 3 against 3 1 2, d^2 = 4 + 1 + 1 = 6; 1 - 36 / 24 = -0.5
    scores, outcomes = column(1, 2, 3, 4), column(9, NAN, 1, 5)
    assert rank_correlations(scores, outcomes, least=3)[0] == pytest.approx(-0.5, abs=1e-15)
    assert np.isnan(rank_correlations(scores, outcomes, least=4)[0])


def test_a_day_on_which_all_scores_are_equal_ranks_nothing() -> None:
    assert np.isnan(rank_correlations(column(1, 1, 1), column(1, 2, 3), least=2)[0])


@given(panels())
def test_rank_correlations_are_those_of_scipy(pair: tuple[FloatArray, FloatArray]) -> None:
    scores, outcomes = pair
    ours = rank_correlations(scores, outcomes, least=3)
    for day in range(scores.shape[1]):
        both = np.isfinite(scores[:, day]) & np.isfinite(outcomes[:, day])
        first, second = scores[both, day], outcomes[both, day]
        if len(first) < 3 or len(set(first)) < 2 or len(set(second)) < 2:
            assert np.isnan(ours[day])
        else:
            theirs = stats.spearmanr(first, second).statistic
            assert ours[day] == pytest.approx(theirs, abs=1e-12)


@given(panels())
def test_a_rank_correlation_depends_on_the_order_of_the_values_alone(
    pair: tuple[FloatArray, FloatArray],
) -> None:
    scores, outcomes = pair
    ours = rank_correlations(scores, outcomes, least=3)
    np.testing.assert_array_equal(
        ours, rank_correlations(np.exp(3 * scores), 7 * outcomes + 1, least=3)
    )
    np.testing.assert_array_equal(ours, -rank_correlations(-scores, outcomes, least=3))
    np.testing.assert_array_equal(ours, rank_correlations(outcomes, scores, least=3))
    assert (np.isnan(ours) | (np.abs(ours) <= 1)).all()


@given(panels(), st.randoms(use_true_random=False))
def test_the_order_of_the_markets_changes_nothing(
    pair: tuple[FloatArray, FloatArray], random: Random
) -> None:
    scores, outcomes = pair
    order = list(range(len(scores)))
    random.shuffle(order)
    moved, followed = scores[order], outcomes[order]
    np.testing.assert_array_equal(  # to the last bit: doubled ranks are whole numbers
        rank_correlations(scores, outcomes, least=3), rank_correlations(moved, followed, least=3)
    )
    for first, second in (
        (quantile_means(scores, outcomes, least=3), quantile_means(moved, followed, least=3)),
        (
            top_excess(scores, outcomes, count=2, least=3),
            top_excess(moved, followed, count=2, least=3),
        ),
        (turnover(scores, count=2), turnover(moved, count=2)),
    ):
        np.testing.assert_allclose(first, second, atol=1e-12)
    np.testing.assert_array_equal(top_weights(scores, count=2)[order], top_weights(moved, count=2))
    np.testing.assert_array_equal(groups_of(scores, groups=3)[order], groups_of(moved, groups=3))


def test_a_day_alone_is_rounded_as_it_is_among_others() -> None:
    scores, outcomes = noise(57, 5, seed=6), noise(57, 5, seed=7)
    alone, its_outcomes = scores[:, :1], outcomes[:, :1]
    assert top_excess(scores, outcomes, count=20)[0] == top_excess(alone, its_outcomes, count=20)[0]
    assert np.array_equal(
        quantile_means(scores, outcomes)[:, 0], quantile_means(alone, its_outcomes)[:, 0]
    )


@given(panels(), st.data())
def test_later_days_change_no_earlier_measure(
    pair: tuple[FloatArray, FloatArray], data: st.DataObject
) -> None:
    scores, outcomes = pair
    cut = data.draw(st.integers(1, scores.shape[1]))
    early, followed = scores[:, :cut], outcomes[:, :cut]
    for whole, part in (
        (rank_correlations(scores, outcomes, least=3), rank_correlations(early, followed, least=3)),
        (quantile_means(scores, outcomes, least=3), quantile_means(early, followed, least=3)),
        (
            top_excess(scores, outcomes, count=2, least=3),
            top_excess(early, followed, count=2, least=3),
        ),
        (turnover(scores, count=2), turnover(early, count=2)),
        (
            random_rankings(outcomes, count=2, seed=1, draws=5, least=3).rank_correlation,
            random_rankings(followed, count=2, seed=1, draws=5, least=3).rank_correlation,
        ),
    ):
        np.testing.assert_array_equal(whole[..., :cut], part)


# ---------------------------------------------------------------------------- groups and classes


def test_groups_are_of_nearly_equal_size_with_the_highest_values_first() -> None:
    values = column(10, 20, 30, 40, 50, 60, 70)  # best first: 70 60 | 50 40 30 | 20 10
    # (2 r - 1) * 3 // 14 for r = 1..7 from the best: 3/14 9/14 | 15/14 21/14 27/14 | 33/14 39/14
    np.testing.assert_array_equal(groups_of(values, groups=3)[:, 0], [2, 2, 1, 1, 1, 0, 0])


def test_equal_values_fall_into_one_group_and_missing_ones_into_none() -> None:
    # best first: 5 5 at (2 * 1.5 - 1) * 2 / 8 = 0.5, then 4: 5 * 2 / 8 = 1.25, then 3: 7 * 2 / 8
    np.testing.assert_array_equal(
        groups_of(column(5, NAN, 3, 5, 4), groups=2)[:, 0], [0, -1, 1, 0, 1]
    )


@given(st.integers(2, 6), st.integers(6, 60))
def test_groups_of_different_values_differ_by_no_more_than_one_market(
    groups: int, markets: int
) -> None:
    sizes = np.bincount(
        groups_of(noise(markets, 1, seed=markets), groups=groups)[:, 0], minlength=groups
    )
    assert sizes.max() - sizes.min() <= 1


def test_the_mean_of_a_group_is_taken_against_the_mean_of_all_and_not_their_median() -> None:
    # outcomes 8 0 1 -1 (mean 2, median 0.5); the better half is 8 and 0: mean 4, so +2; the worse -2
    means = quantile_means(column(9, 8, 7, 6), column(8, 0, 1, -1), groups=2, least=4)
    np.testing.assert_allclose(means[:, 0], [2.0, -2.0])


def test_a_group_whose_markets_have_no_outcome_has_no_mean() -> None:
    means = quantile_means(column(9, 8, 7, 6), column(NAN, NAN, 1, -1), groups=2, least=2)
    np.testing.assert_array_equal(means[:, 0], [NAN, 0.0])


def test_classes_are_measured_against_the_day_they_stand_in() -> None:
    labels = np.array([[0, 0], [0, 1], [1, 1], [-1, 1]])
    outcomes = np.array([[3.0, 1.0], [1.0, 2.0], [-1.0, 3.0], [50.0, 6.0]])
    # day 0: the unlabelled market is outside: mean 1, class 0 mean 2, class 1 -1
    # day 1: mean 3, class 0 1, class 1 mean 11/3
    np.testing.assert_allclose(
        class_means(labels, outcomes, classes=3, least=2),
        [[1.0, -2.0], [-2.0, 2 / 3], [NAN, NAN]],
    )
    assert np.isnan(class_means(labels, outcomes, classes=3, least=4)[:, 0]).all()


@given(panels())
def test_what_groups_do_better_and_worse_than_the_universe_cancels(
    pair: tuple[FloatArray, FloatArray],
) -> None:
    scores, outcomes = pair
    means = quantile_means(scores, outcomes, groups=3, least=1)
    group = np.where(np.isfinite(outcomes), groups_of(scores, groups=3), -1)
    sizes = np.array([(group == label).sum(axis=0) for label in range(3)])
    np.testing.assert_allclose(np.nansum(means * sizes, axis=0), 0.0, atol=1e-12)


@given(panels())
def test_adding_the_same_to_all_outcomes_changes_no_excess(
    pair: tuple[FloatArray, FloatArray],
) -> None:
    scores, outcomes = pair
    np.testing.assert_allclose(
        quantile_means(scores, outcomes, least=3),
        quantile_means(scores, outcomes + 5, least=3),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        top_excess(scores, outcomes, count=2, least=3),
        top_excess(scores, outcomes + 5, count=2, least=3),
        atol=1e-12,
    )


def test_strength_classes_are_those_that_are_served() -> None:
    totals = noise(37, 3, seed=5).round(1)  # with ties
    totals[4] = NAN
    best_first = [strength for _, strength in STRENGTH_FLOORS]
    classes = strength_classes(totals)
    assert (classes[4] == -1).all()
    for day in range(3):
        served = cross_sectional_ranks(np.delete(totals[:, day], 4))
        assert np.delete(classes[:, day], 4).tolist() == [
            best_first.index(strength_of(float(quantile))) for quantile in served
        ]


def test_monotonicity_counts_the_steps_in_order() -> None:
    # 4 > 2, 2 < 3, 3 > 1: two of three; ranks 4 2 3 1 against 4 3 2 1: 1 - 6 * 2 / 60 = 0.8
    assert monotonicity(np.array([4.0, 2.0, 3.0, 1.0])) == Monotonicity(2 / 3, 8 / 10)
    assert monotonicity(np.array([1.0, 2.0, 3.0])) == Monotonicity(0.0, -1.0)
    assert monotonicity(np.array([1.0, 1.0, 1.0])) == Monotonicity(0.0, None)


# ---------------------------------------------------------------------------- top lists


def test_a_top_list_shares_its_last_places_among_equal_scores() -> None:
    # three places, one better score, three equal ones for the other two: 2/3 of a place each
    weights = top_weights(column(9, 5, 5, 5, 1, NAN), count=3)[:, 0]
    np.testing.assert_allclose(weights, [1 / 3, 2 / 9, 2 / 9, 2 / 9, 0, 0])


def test_a_list_of_all_markets_is_no_top_list() -> None:
    assert np.isnan(top_weights(column(3, 2, 1, NAN), count=3)).all()
    assert np.isfinite(top_weights(column(3, 2, 1, NAN), count=2)).all()


def test_the_excess_of_a_top_list_is_its_mean_less_that_of_the_universe() -> None:
    # best two: 4 and 0, mean 2; all: (4 + 0 + 10 - 2) / 4 = 3; so -1, though the median is 2
    assert top_excess(column(9, 8, 7, 6), column(4, 0, 10, -2), count=2, least=4)[0] == -1.0


def test_a_listed_market_without_an_outcome_is_not_replaced_by_one_known_later() -> None:
    # chosen: the first two, of which only the second has an outcome: 0 - (0 + 10 - 2) / 3
    excess = top_excess(column(9, 8, 7, 6), column(NAN, 0, 10, -2), count=2, least=3)[0]
    assert excess == pytest.approx(-8 / 3)
    assert np.isnan(top_excess(column(9, 8, 7, 6), column(NAN, NAN, 1, 2), count=2, least=2)[0])


def test_turnover_is_the_share_of_the_list_that_is_new() -> None:
    scores = np.array([[9.0, 9.0, 1.0], [8.0, 1.0, 2.0], [7.0, 8.0, 8.0], [6.0, 2.0, 9.0]])
    # lists {0 1}, {0 2}, {3 2}: half new each day, all new over two days
    np.testing.assert_allclose(turnover(scores, count=2), [NAN, 0.5, 0.5])
    np.testing.assert_allclose(turnover(scores, count=2, every=2), [NAN, NAN, 1.0])


def test_universe_weights_are_equal_among_the_scored() -> None:
    scores = np.array([[1.0, NAN], [2.0, NAN], [NAN, NAN]])
    np.testing.assert_array_equal(universe_weights(scores), [[0.5, NAN], [0.5, NAN], [0.0, NAN]])


@given(panels(), st.integers(1, 4))
def test_the_weights_of_a_list_sum_to_one_and_favour_no_worse_score(
    pair: tuple[FloatArray, FloatArray], count: int
) -> None:
    scores, _ = pair
    weights = top_weights(scores, count=count)
    for day in range(scores.shape[1]):
        known = np.isfinite(scores[:, day])
        if known.sum() <= count:
            assert np.isnan(weights[:, day]).all()
            continue
        assert weights[:, day].sum() == pytest.approx(1)
        assert (weights[~known, day] == 0).all()
        order = np.argsort(-scores[known, day], kind="stable")
        assert (np.diff(weights[known, day][order]) <= 1e-15).all()


# ---------------------------------------------------------------------------- random rankings


def test_random_rankings_of_three_markets_reach_every_order_equally_often() -> None:
    drawn = random_rankings(column(5, 1, 3), count=1, seed=1, draws=6000, least=3)
    # the six orders against 1 2 3: correlations 1, 0.5 (twice), -0.5 (twice), -1; universe mean 3
    values, counts = np.unique(drawn.rank_correlation.round(9), return_counts=True)
    np.testing.assert_array_equal(values, [-1, -0.5, 0.5, 1])
    np.testing.assert_allclose(counts / 6000, [1 / 6, 1 / 3, 1 / 3, 1 / 6], atol=0.02)
    values, counts = np.unique(drawn.top_excess, return_counts=True)
    np.testing.assert_array_equal(values, [-2, 0, 2])
    np.testing.assert_allclose(counts / 6000, 1 / 3, atol=0.02)


def test_random_rankings_are_measured_as_any_other_ranking() -> None:
    outcomes = np.sort(noise(9, 1, seed=2).round(1), axis=0)  # with ties
    drawn = random_rankings(outcomes, count=2, seed=3, draws=50, least=3)
    orders = np.random.Generator(np.random.PCG64(3)).permuted(
        np.broadcast_to(np.arange(9.0), (50, 9)), axis=1
    )
    scores = -np.argsort(orders, axis=1).T.astype(np.float64)  # orders[d, k] stands at place k
    every_draw = np.repeat(outcomes, 50, axis=1)
    np.testing.assert_allclose(
        drawn.rank_correlation[:, 0], rank_correlations(scores, every_draw, least=3), atol=1e-15
    )
    np.testing.assert_allclose(
        drawn.top_excess[:, 0], top_excess(scores, every_draw, count=2, least=3), atol=1e-15
    )


def test_several_outcomes_share_the_draws_of_a_day_and_nothing_else() -> None:
    near, far = noise(25, 6, seed=4), noise(25, 6, seed=5)
    far[3, 4:] = NAN  # fewer markets on the last days
    both = random_rankings_over({1: near, 7: far}, count=5, seed=3, draws=30)
    alone = random_rankings(near, count=5, seed=3, draws=30)
    assert np.array_equal(both[1].rank_correlation[:, :5], alone.rank_correlation[:, :5])
    assert np.array_equal(both[1].top_excess[:, :5], alone.top_excess[:, :5])
    shared = random_rankings_over({1: near, 7: near}, count=5, seed=3, draws=30)
    assert np.array_equal(shared[1].rank_correlation, shared[7].rank_correlation)
    assert np.isfinite(both[7].top_excess).all()


def test_the_lists_of_several_lengths_are_those_of_each() -> None:
    scores = noise(25, 6, seed=4).round(1)
    found = top_weights_of(scores, counts=(3, 10))
    for count, weights in found.items():
        assert np.array_equal(weights, top_weights(scores, count=count))
        assert np.array_equal(
            replaced(weights, every=2), turnover(scores, count=count, every=2), equal_nan=True
        )


def test_random_rankings_scatter_about_zero_as_permutations_do() -> None:
    outcomes = noise(30, 40, seed=2)
    outcomes[3, :20] = NAN
    drawn = random_rankings(outcomes, count=5, seed=3, draws=400)
    spread = drawn.rank_correlation.std(axis=0)
    np.testing.assert_allclose(spread[:20].mean(), 28**-0.5, rtol=0.03)  # 1 / sqrt(n - 1)
    np.testing.assert_allclose(spread[20:].mean(), 29**-0.5, rtol=0.03)
    for figures in (drawn.rank_correlation, drawn.top_excess):
        assert figures.shape == (400, 40)
        assert abs(figures.mean()) < 4 * figures.std() / (400 * 40) ** 0.5


def test_random_rankings_repeat_with_their_seed_and_know_no_market() -> None:
    outcomes = noise(25, 6, seed=4)
    drawn = random_rankings(outcomes, count=5, seed=3, draws=20)
    again = random_rankings(outcomes[::-1], count=5, seed=3, draws=20)
    other = random_rankings(outcomes, count=5, seed=4, draws=20)
    np.testing.assert_array_equal(drawn.rank_correlation, again.rank_correlation)
    np.testing.assert_array_equal(drawn.top_excess, again.top_excess)
    assert (drawn.rank_correlation != other.rank_correlation).any()


def test_a_day_with_too_few_outcomes_or_equal_ones_has_no_random_ranking() -> None:
    outcomes = np.array([[1.0, 1.0, 1.0], [2.0, 1.0, NAN], [3.0, 1.0, 2.0]])
    drawn = random_rankings(outcomes, count=1, seed=1, draws=2, least=3)
    np.testing.assert_array_equal(np.isnan(drawn.rank_correlation[0]), [False, True, True])
    np.testing.assert_array_equal(np.isnan(drawn.top_excess[0]), [False, False, True])


def test_a_p_value_counts_the_draws_that_reach_as_far_and_is_never_zero() -> None:
    draws = np.array([0.1, 0.2, 0.3, NAN])
    assert p_value(0.2, draws) == pytest.approx(3 / 4)  # (1 + 2) / (1 + 3)
    assert p_value(9.9, draws) == pytest.approx(1 / 4)


# ---------------------------------------------------------------------------- what cannot be measured


def test_what_does_not_fit_together_is_refused_by_name() -> None:
    with pytest.raises(NotMeasurable, match=r"scores of the shape \(3, 1\)"):
        rank_correlations(column(1, 2, 3), column(1, 2))
    with pytest.raises(NotMeasurable, match=r"outcomes are infinite at \[1, 0\]"):
        quantile_means(column(1, 2, 3), column(1, np.inf, 3))
    with pytest.raises(NotMeasurable, match="labels of the shape"):
        class_means(np.zeros((2, 1), np.int64), column(1, 2, 3), classes=2)
    with pytest.raises(NotMeasurable, match="at least two"):
        groups_of(column(1, 2), groups=1)
    with pytest.raises(NotMeasurable, match="top list of 0"):
        top_weights(column(1, 2), count=0)
    with pytest.raises(NotMeasurable, match="every 0 days"):
        turnover(column(1, 2), count=1, every=0)
    with pytest.raises(NotMeasurable, match="finite mean"):
        monotonicity(np.array([1.0, NAN]))
    with pytest.raises(NotMeasurable, match="0 draws"):
        random_rankings(column(1, 2), count=1, seed=1, draws=0)


def test_a_panel_without_days_or_markets_has_empty_measures() -> None:
    nothing = np.empty((5, 0))
    assert rank_correlations(nothing, nothing).shape == (0,)
    assert quantile_means(nothing, nothing).shape == (5, 0)
    assert np.isnan(rank_correlations(np.empty((0, 2)), np.empty((0, 2)))).all()
    assert np.isnan(top_excess(np.empty((0, 2)), np.empty((0, 2)), count=3)).all()
