"""The overlapping portfolio, day by day as one would keep its books by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dantaro.analysis.measures import top_weights, universe_weights
from dantaro.analysis.panel import FloatArray
from dantaro.analysis.portfolios import max_drawdown, portfolio, sharpe
from dantaro.errors import NotMeasurable

NAN = np.nan
FIRST, SECOND = [1.0, 0.0], [0.0, 1.0]
"""A list of the first or of the second market alone."""


def lists(*days: list[float]) -> FloatArray:
    return np.array(days).T


# ---------------------------------------------------------------------------- portfolio


def test_a_list_replaced_every_day_pays_for_selling_and_buying_all_of_it() -> None:
    returns = np.array([[0.10, -0.50], [0.90, 0.20]])
    book = portfolio(lists(FIRST, SECOND), returns, holding_days=1, cost_per_side=0.01)
    # day 0: buys 1 for 0.01, 0.99 grows by 10 % to 1.089
    # day 1: sells and buys 1.089 each for 0.02178; 1.06722 grows by 20 %: 1.280664 / 1.089 = 1.176
    np.testing.assert_allclose(book.returns, [0.089, 0.176])
    np.testing.assert_allclose(book.before_costs, [0.10, 0.20])
    np.testing.assert_allclose(book.traded, [1.0, 2.0])


def test_a_list_that_stays_trades_nothing_and_is_left_to_drift() -> None:
    both = [0.5, 0.5]
    returns = np.array([[1.0, 0.5], [0.0, 0.0]])
    book = portfolio(lists(both, FIRST), returns, holding_days=2, cost_per_side=0.0)
    # each half: 0.25 + 0.25, the first doubles to 0.5 + 0.25, together 1.5
    # day 1: one half (0.75) sells its 0.25 of the second market and buys the first for it
    #        it grows to 1.125; the other drifts to 0.75 + 0.25: 2.125 / 1.5
    np.testing.assert_allclose(book.returns, [0.5, 2.125 / 1.5 - 1])
    np.testing.assert_allclose(book.traded, [1.0, 0.5 / 1.5])
    stays = portfolio(lists(FIRST, FIRST), returns, holding_days=1, cost_per_side=0.01)
    np.testing.assert_allclose(stays.traded, [1.0, 0.0])
    np.testing.assert_allclose(stays.returns, [0.99 * 2 - 1, 0.5])


def test_one_part_of_the_book_is_renewed_each_day() -> None:
    days = [FIRST, SECOND, SECOND, SECOND]
    returns = np.array([[0.0, 0.0, 0.0, 0.3], [0.0, 0.0, 0.3, 0.3]])
    book = portfolio(lists(*days), returns, holding_days=3, cost_per_side=0.0)
    # of three thirds, the second is renewed on day 1, the third on day 2, the first on day 3
    np.testing.assert_allclose(book.traded, [1.0, 2 / 3, 2 / 3, 2 * (1 / 3) / 1.2])
    np.testing.assert_allclose(book.returns, [0.0, 0.0, 0.2, 0.3])


def test_a_delisted_coin_is_sold_at_its_last_price() -> None:
    returns = np.array([[-0.4, NAN, NAN], [0.0, 0.1, 0.1]])
    days = [[0.5, 0.5], [0.5, 0.5], SECOND]
    book = portfolio(lists(*days), returns, holding_days=1, cost_per_side=0.0)
    # day 0: 0.5 * 0.6 + 0.5 = 0.8; day 1: the 0.3 are sold, and buy the second market instead,
    # since the first has no next open: traded 0.6 / 0.8; all grows by 10 %
    np.testing.assert_allclose(book.returns, [-0.2, 0.1, 0.1])
    np.testing.assert_allclose(book.traded, [1.0, 0.75, 0.0])
    paid = portfolio(lists(*days), returns, holding_days=1, cost_per_side=0.01)
    # day 0: 0.99 * 0.8 = 0.792, of it 0.297 gone for 0.00297; bought for (0.29403) another 0.0029403
    assert paid.returns[1] == pytest.approx((0.792 - 0.00297 - 0.0029403) * 1.1 / 0.792 - 1)


def test_what_a_delisted_coin_brought_waits_as_cash_until_its_part_is_renewed() -> None:
    returns = np.array([[0.0, NAN, 5.0, 0.0], [0.0, 0.1, 0.1, 0.1]])
    days = [FIRST, SECOND, SECOND, SECOND]
    book = portfolio(lists(*days), returns, holding_days=2, cost_per_side=0.0)
    # day 1: both halves are sold, one buys the second market and earns: 0.5 + 0.55
    # day 2: a new coin under the old name gains 500 %, of which nobody holds anything; the other
    #        half buys: all earns 10 %
    np.testing.assert_allclose(book.returns, [0.0, 0.05, 0.1, 0.1])


def test_a_day_without_a_list_keeps_the_book_and_one_without_prices_does_not_count() -> None:
    none = [NAN, NAN]
    returns = np.array([[0.7, 0.1, 0.2, NAN, 0.1], [0.0, 0.0, 0.0, NAN, 0.0]])
    days = [none, FIRST, none, SECOND, SECOND]
    book = portfolio(lists(*days), returns, holding_days=1, cost_per_side=0.0)
    np.testing.assert_allclose(book.returns, [NAN, 0.1, 0.2, NAN, 0.0])
    np.testing.assert_allclose(book.traded, [NAN, 1.0, 0.0, NAN, 2.0])


def test_a_book_that_lost_everything_has_no_further_returns() -> None:
    returns = np.array([[-1.0, 0.5], [0.0, 0.0]])
    book = portfolio(lists(FIRST, FIRST), returns, holding_days=1, cost_per_side=0.001)
    np.testing.assert_allclose(book.returns, [-1.0, NAN])


def test_a_book_of_all_markets_earns_the_universe_s_mean() -> None:
    returns = np.random.default_rng(1).normal(0, 0.03, size=(6, 20))
    returns[2, 5:] = NAN
    book = portfolio(universe_weights(returns), returns, holding_days=1, cost_per_side=0.0)
    np.testing.assert_allclose(book.returns, np.nanmean(returns, axis=0), atol=1e-12)


books = st.tuples(st.integers(3, 6), st.integers(1, 6)).flatmap(
    lambda shape: st.tuples(
        npst.arrays(np.float64, shape, elements=st.integers(0, 5).map(float)),
        npst.arrays(
            np.float64,
            shape,
            elements=st.one_of(st.integers(-8, 12).map(lambda x: x / 10), st.just(NAN)),
        ),
        st.integers(1, 4),
    )
)


@given(books)
def test_a_book_earns_within_its_markets_and_costs_only_take(
    case: tuple[FloatArray, FloatArray, int],
) -> None:
    scores, returns, holding_days = case
    weights = top_weights(scores, count=2)
    free = portfolio(weights, returns, holding_days=holding_days, cost_per_side=0.0)
    paid = portfolio(weights, returns, holding_days=holding_days, cost_per_side=0.002)
    np.testing.assert_array_equal(np.isnan(free.returns), np.isnan(paid.returns))
    known = np.isfinite(free.returns)
    np.testing.assert_allclose(free.returns[known], free.before_costs[known], atol=1e-12)
    lowest = np.minimum(np.nan_to_num(returns, nan=0.0).min(axis=0), 0.0)
    highest = np.maximum(np.nan_to_num(returns, nan=0.0).max(axis=0), 0.0)
    assert (free.returns[known] >= lowest[known] - 1e-12).all()
    assert (free.returns[known] <= highest[known] + 1e-12).all()
    assert ((free.traded[known] >= 0) & (free.traded[known] <= 2 + 1e-12)).all()
    assert np.prod(1 + paid.returns[known]) <= np.prod(1 + free.returns[known]) + 1e-12


@given(books, st.data())
def test_later_days_change_no_earlier_return(
    case: tuple[FloatArray, FloatArray, int], data: st.DataObject
) -> None:
    scores, returns, holding_days = case
    weights = top_weights(scores, count=2)
    cut = data.draw(st.integers(1, scores.shape[1]))
    whole = portfolio(weights, returns, holding_days=holding_days, cost_per_side=0.002)
    early = portfolio(
        weights[:, :cut], returns[:, :cut], holding_days=holding_days, cost_per_side=0.002
    )
    np.testing.assert_array_equal(whole.returns[:cut], early.returns)


@given(books)
def test_the_order_of_the_markets_changes_no_return(
    case: tuple[FloatArray, FloatArray, int],
) -> None:
    scores, returns, holding_days = case
    weights = top_weights(scores, count=2)
    one = portfolio(weights, returns, holding_days=holding_days, cost_per_side=0.002)
    other = portfolio(weights[::-1], returns[::-1], holding_days=holding_days, cost_per_side=0.002)
    np.testing.assert_allclose(one.returns, other.returns, atol=1e-12)


# ---------------------------------------------------------------------------- Sharpe and drawdown


def test_a_sharpe_ratio_is_the_mean_over_the_deviation_for_a_year() -> None:
    # mean 0.01, deviations -0.02 0 0.02 0.02 -0.02: squares 0.0016 / 4, deviation 0.02; 0.5 a day
    daily = np.array([-0.01, 0.01, NAN, 0.03, 0.03, -0.01])
    estimate = sharpe(daily)
    assert estimate.value == pytest.approx(0.5 * 365**0.5)
    # skewness 0; fourth powers 4 * 1.6e-7 / 5 over (0.0016 / 5)^2: kurtosis 1.25
    # error sqrt((1 + 0.25 / 4 * 0.25) / 5)
    error = ((1 + 0.0625 * 0.25) / 5) ** 0.5
    assert estimate.t_stat == pytest.approx(0.5 / error)
    assert estimate.low == pytest.approx((0.5 - 1.959964 * error) * 365**0.5, rel=1e-6)
    assert estimate.high == pytest.approx((0.5 + 1.959964 * error) * 365**0.5, rel=1e-6)
    assert (estimate.n, estimate.days) == (5, 5)
    assert sharpe(daily, periods=1).value == pytest.approx(0.5)


def test_the_interval_of_a_sharpe_ratio_holds_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(400):
        daily = (
            np.random.default_rng(seed).exponential(1.0, size=250) - 0.9
        )  # skewed, true ratio 0.1
        estimate = sharpe(daily, periods=1)
        assert estimate.low is not None
        assert estimate.high is not None
        held += estimate.low <= 0.1 <= estimate.high
    assert 0.92 <= held / 400 <= 0.98


def test_returns_that_never_vary_have_no_sharpe_ratio() -> None:
    assert sharpe(np.full(5, 0.01)).value is None
    assert sharpe(np.array([0.01, NAN])).value is None


def test_a_drawdown_is_measured_from_the_highest_value_before() -> None:
    # 1.1, 0.55, 0.66, 1.32, 0.99: from 1.1 to 0.55 is the largest fall
    assert max_drawdown(np.array([0.1, -0.5, NAN, 0.2, 1.0, -0.25])) == pytest.approx(0.5)
    assert max_drawdown(np.array([-0.2, 0.1])) == pytest.approx(0.2)  # from the start
    assert max_drawdown(np.array([0.1, 0.0])) == 0.0
    assert max_drawdown(np.array([-1.0, 0.5])) == 1.0
    assert max_drawdown(np.array([NAN])) is None


def test_what_cannot_be_held_is_refused_by_name() -> None:
    weights, returns = lists(FIRST), np.array([[0.1], [0.1]])
    with pytest.raises(NotMeasurable, match="weights of the shape"):
        portfolio(weights, returns[:1], holding_days=1, cost_per_side=0.0)
    with pytest.raises(NotMeasurable, match="held for 0 days"):
        portfolio(weights, returns, holding_days=0, cost_per_side=0.0)
    with pytest.raises(NotMeasurable, match=r"0\.002 for 20 bp"):
        portfolio(weights, returns, holding_days=1, cost_per_side=20)
    with pytest.raises(NotMeasurable, match="below -1"):
        portfolio(weights, returns - 2, holding_days=1, cost_per_side=0.0)
