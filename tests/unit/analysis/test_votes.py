"""The vote rules, against the published functions where they agree and by hand where they do not.

The published functions are those of the older rule set; `dantaro.analysis.votes` says where the revision
of 2024-11-29 differs.
"""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradingview_ta.technicals import Compute

from dantaro.analysis import votes as rule
from dantaro.analysis.panel import FloatArray
from dantaro.analysis.rating import label

WORD = {"BUY": 1.0, "SELL": -1.0, "NEUTRAL": 0.0}
NAN = float("nan")

# quarters are exact in binary, far apart against rounding noise, and hit thresholds and ties often
percents = st.integers(0, 400).map(lambda quarter: quarter / 4)
around_zero = st.integers(-12, 12).map(lambda quarter: quarter / 4)
cci_values = st.integers(-480, 480).map(lambda quarter: quarter / 4)
prices = st.integers(1, 20).map(lambda quarter: quarter / 4)


def vote(function: Callable[..., FloatArray], *values: float, **named: float) -> float:
    return float(
        function(
            *(np.array([value]) for value in values),
            **{name: np.array([value]) for name, value in named.items()},
        )[0]
    )


@given(prices, prices)
def test_average_votes_are_the_published_ones(average: float, close: float) -> None:
    assert vote(rule.average_vote, average, close) == WORD[Compute.MA(average, close)]


@given(percents, percents)
def test_rsi_votes_are_the_published_ones(now: float, before: float) -> None:
    assert vote(rule.rsi_vote, now, before) == WORD[Compute.RSI(now, before)]


@given(cci_values, cci_values)
def test_cci_votes_are_the_published_ones(now: float, before: float) -> None:
    assert vote(rule.cci_vote, now, before) == WORD[Compute.CCI20(now, before)]


@given(around_zero, around_zero)
def test_momentum_votes_are_the_published_ones(now: float, before: float) -> None:
    assert vote(rule.momentum_vote, now, before, 1.0) == WORD[Compute.Mom(now, before)]


@given(around_zero, around_zero)
def test_macd_votes_are_the_published_ones(line: float, signal: float) -> None:
    assert vote(rule.macd_vote, line, signal, 1.0) == WORD[Compute.MACD(line, signal)]


@given(around_zero, around_zero.filter(bool), around_zero)
def test_awesome_votes_are_the_published_ones(ao: float, ao_1: float, ao_2: float) -> None:
    assert vote(rule.awesome_vote, ao, ao_1, ao_2, 1.0) == WORD[Compute.AO(ao, ao_1, ao_2)]


def test_an_awesome_oscillator_that_leaves_zero_has_crossed_it() -> None:
    assert vote(rule.awesome_vote, 1.0, 0.0, 1.0, 1.0) == 1
    assert vote(rule.awesome_vote, -1.0, 0.0, -1.0, 1.0) == -1
    assert vote(rule.awesome_vote, 0.0, -1.0, -1.0, 1.0) == 0


@given(percents, percents, percents, percents)
def test_a_stochastic_vote_by_the_older_rule_is_one_by_the_newer(
    k: float, d: float, k_1: float, d_1: float
) -> None:
    published = WORD[Compute.Stoch(k, d, k_1, d_1)]
    assert published in {0.0, vote(rule.stochastic_vote, k, d)}


@pytest.mark.parametrize(
    ("k", "d", "expected"),
    [(15, 10, 1), (10, 15, 0), (20, 10, 0), (15, 20, 0), (85, 90, -1), (90, 85, 0), (80, 90, 0)],
)
def test_the_stochastic_votes_at_its_edges_without_a_crossing(
    k: float, d: float, expected: float
) -> None:
    assert vote(rule.stochastic_vote, k, d) == expected


@given(*[st.tuples(percents, percents)] * 3)
def test_an_adx_vote_by_the_older_rule_is_one_by_the_newer_while_the_trend_gains(
    strength: tuple[float, float], plus_di: tuple[float, float], minus_di: tuple[float, float]
) -> None:
    (adx, adx_1), (plus, plus_1), (minus, minus_1) = strength, plus_di, minus_di
    published = WORD[Compute.ADX(adx, plus, minus, plus_1, minus_1)]
    newer = vote(rule.adx_vote, adx, adx_1, plus, minus)
    if adx > adx_1:
        assert published in {0.0, newer}
    else:
        assert newer == 0.0


@pytest.mark.parametrize(
    ("adx", "adx_1", "plus", "minus", "expected"),
    [(25, 24, 30, 10, 1), (25, 24, 10, 30, -1), (25, 24, 20, 20, 0), (25, 25, 30, 10, 0), (20, 19, 30, 10, 0)],
)  # fmt: skip
def test_adx_votes_with_a_gaining_trend(
    adx: float, adx_1: float, plus: float, minus: float, expected: float
) -> None:
    assert vote(rule.adx_vote, adx, adx_1, plus, minus) == expected


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [(-85, -90, 1), (-90, -85, 0), (-80, -90, 0), (-15, -10, -1), (-10, -15, 0), (-20, -10, 0)],
)
def test_williams_votes_when_it_turns_at_the_edges(
    now: float, before: float, expected: float
) -> None:
    assert vote(rule.williams_vote, now, before) == expected


@pytest.mark.parametrize(("value", "expected"), [(71, 1), (70, 0), (50, 0), (30, 0), (29, -1)])
def test_the_ultimate_oscillator_votes_beyond_its_thresholds(value: float, expected: float) -> None:
    assert vote(rule.ultimate_vote, value) == expected


@pytest.mark.parametrize(
    ("k", "d", "close", "trend", "expected"),
    [
        (15, 10, 9, 10, 1),
        (15, 10, 11, 10, 0),
        (15, 10, 10, 10, 0),
        (85, 90, 11, 10, -1),
        (85, 90, 9, 10, 0),
        (10, 15, 9, 10, 0),
    ],
)
def test_the_stochastic_rsi_votes_against_the_trend_only(
    k: float, d: float, close: float, trend: float, expected: float
) -> None:
    assert vote(rule.stochastic_rsi_vote, k, d, close, trend) == expected


@pytest.mark.parametrize(
    ("powers", "close", "expected"),
    [
        ((3, 3, -1, -2), 11, 1),  # uptrend, bears weaken
        ((3, 3, -2, -1), 11, 0),
        ((3, 3, 1, 0), 11, 0),
        ((3, 3, -1, -2), 9, 0),
        ((1, 2, -3, -3), 9, -1),  # downtrend, bulls weaken
        ((2, 1, -3, -3), 9, 0),
        ((-1, 2, -3, -3), 9, 0),
        ((1, 2, -3, -3), 11, 0),
    ],
)
def test_the_weakening_side_against_the_trend_votes_for_the_trend(
    powers: tuple[float, float, float, float], close: float, expected: float
) -> None:
    got = vote(rule.bull_bear_vote, *powers, close=close, trend_average=10.0)
    assert got == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((4, 3, 2, 1, 5), 1),
        ((2, 3, 4, 5, 1), -1),
        ((4, 3, 1, 2, 5), 0),
        ((3, 4, 2, 1, 5), 0),
        ((4, 2, 3, 1, 5), 0),
        ((5, 3, 2, 1, 5), 0),
    ],
)
def test_ichimoku_votes_when_all_lines_are_in_order(
    lines: tuple[float, ...], expected: float
) -> None:
    assert vote(rule.ichimoku_vote, *lines) == expected


def test_a_difference_of_rounding_is_no_vote() -> None:
    price = 0.1 + 0.2  # 0.30000000000000004
    assert vote(rule.average_vote, 0.3, price) == 0
    assert vote(rule.macd_vote, 0.3, price, 0.3) == 0
    assert vote(rule.momentum_vote, 0.3, price, 0.3) == 0
    assert vote(rule.rsi_vote, 20.0 + 1e-13, 20.0) == 0
    assert vote(rule.average_vote, 0.3, 0.3 * (1 + 1e-11)) == 1


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (rule.average_vote, 2),
        (rule.ichimoku_vote, 5),
        (rule.rsi_vote, 2),
        (rule.stochastic_vote, 2),
        (rule.cci_vote, 2),
        (rule.adx_vote, 4),
        (rule.awesome_vote, 4),
        (rule.momentum_vote, 3),
        (rule.macd_vote, 3),
        (rule.stochastic_rsi_vote, 4),
        (rule.williams_vote, 2),
        (rule.ultimate_vote, 1),
    ],
)
def test_a_vote_without_one_of_its_values_is_no_vote(
    function: Callable[..., FloatArray], arguments: int
) -> None:
    needed = arguments - (function in {rule.awesome_vote, rule.momentum_vote, rule.macd_vote})
    for missing in range(needed):
        values = [NAN if place == missing else 15.0 for place in range(arguments)]
        assert np.isnan(vote(function, *values))
    assert not np.isnan(vote(function, *[15.0] * arguments))


@given(st.floats(-1, 1))
def test_labels_are_the_published_ones(rating: float) -> None:
    assert label(rating).value == Compute.Recommend(rating)


@pytest.mark.parametrize("edge", [-1.0, -0.5, -0.1, 0.1, 0.5, 1.0])
def test_labels_at_the_edges_are_the_published_ones(edge: float) -> None:
    for value in (edge, np.nextafter(edge, -2), np.nextafter(edge, 2)):
        if -1 <= value <= 1:
            assert label(float(value)).value == Compute.Recommend(value)
