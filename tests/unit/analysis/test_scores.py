"""Ranks, scores and strengths, by hand and by law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis_worlds import a_market
from dantaro.analysis.features import SCORED
from dantaro.analysis.panel import FloatArray
from dantaro.analysis.scores import (
    GROUPS,
    RankedSet,
    cross_sectional_ranks,
    score_set,
    strength_of,
    summarise,
    weights,
)
from dantaro.market.results import Score, Strength

GROUP_SIZES = {group: sum(f.group == group for f in SCORED) for group in GROUPS}


def scores_of(
    columns: dict[str, FloatArray], members: list[int] | None = None
) -> tuple[Score, ...]:
    count = len(next(iter(columns.values())))
    rows = np.array(range(count) if members is None else members, dtype=np.int64)
    markets = [a_market(f"C{row:03}") for row in range(count)]
    return score_set(RankedSet("okx:USDT", rows, {}), markets, columns)


def random_columns(seed: int, count: int) -> dict[str, FloatArray]:
    rng = np.random.default_rng(seed)
    return {feature.name: rng.normal(size=count) for feature in SCORED}


def test_ranks_are_shares_of_the_set_and_ties_share_their_mean() -> None:
    ranks = cross_sectional_ranks(np.array([5.0, 1.0, 5.0, 9.0]))
    assert ranks.tolist() == [0.5, 0.125, 0.5, 0.875]
    assert cross_sectional_ranks(np.array([3.0])).tolist() == [0.5]


def test_a_sign_turns_the_rank_so_that_one_is_favourable() -> None:
    columns = {feature.name: np.array([1.0, 2.0]) for feature in SCORED}
    first = next(score for score in scores_of(columns) if score.symbol == "C000/USDT")
    expected = {f.name: 0.75 if f.sign == -1 else 0.25 for f in SCORED}
    assert first.ranks == expected
    # technical: reversal 0.75, momentum 0.75, distance 0.25; all else 0.75
    assert first.technical == pytest.approx((0.75 + 0.75 + 0.25) / 3)
    assert (first.volume, first.volatility, first.risk) == (0.75, 0.75, 0.75)
    assert first.total == pytest.approx((6 * 0.75 + 0.25) / 7)


@pytest.mark.parametrize(
    ("quantile", "strength"),
    [
        (0.95, Strength.STRONG_BUY),
        (0.9, Strength.STRONG_BUY),
        (0.1 * 9, Strength.STRONG_BUY),
        (0.89, Strength.BUY),
        (0.7, Strength.BUY),
        (0.5, Strength.HOLD),
        (0.3, Strength.HOLD),
        (0.29, Strength.SELL),
        (0.1, Strength.SELL),
        (0.09, Strength.STRONG_SELL),
        (0.001, Strength.STRONG_SELL),
    ],
)
def test_the_strength_follows_the_quantile_of_the_total(
    quantile: float, strength: Strength
) -> None:
    assert strength_of(quantile) is strength


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_scores_stay_in_range_and_the_total_is_the_weighted_mean_of_the_groups(
    seed: int, count: int
) -> None:
    scores = scores_of(random_columns(seed, count))
    assert [score.rank for score in scores] == list(range(1, count + 1))
    assert [s.total for s in scores] == sorted((s.total for s in scores), reverse=True)
    for score in scores:
        groups = {group: getattr(score, group) for group in GROUPS}
        assert all(0 < value < 1 for value in (*groups.values(), *score.ranks.values()))
        mean = sum(GROUP_SIZES[group] * value for group, value in groups.items()) / len(SCORED)
        assert score.total == pytest.approx(mean)


@given(st.integers(0, 10_000))
def test_the_order_of_the_markets_does_not_matter(seed: int) -> None:
    columns = random_columns(seed, 25)
    order = np.random.default_rng(seed).permutation(25)
    markets = [a_market(f"C{row:03}") for row in range(25)]
    rows = np.arange(25)
    plain = score_set(RankedSet("all", rows, {}), markets, columns)
    shuffled = score_set(
        RankedSet("all", rows, {}),
        [markets[row] for row in order],
        {name: column[order] for name, column in columns.items()},
    )
    assert plain == shuffled


@given(st.integers(0, 10_000))
def test_any_rising_function_of_a_feature_gives_the_same_scores(seed: int) -> None:
    columns = random_columns(seed, 20)
    assert scores_of({name: np.exp(3 * column) for name, column in columns.items()}) == scores_of(
        columns
    )


def test_equal_markets_share_a_score_and_are_listed_by_name() -> None:
    scores = scores_of({feature.name: np.zeros(3) for feature in SCORED})
    assert [score.total for score in scores] == [0.5, 0.5, 0.5]
    assert [score.symbol for score in scores] == ["C000/USDT", "C001/USDT", "C002/USDT"]
    assert {score.strength for score in scores} == {Strength.HOLD}


def test_a_set_ranks_its_members_only() -> None:
    columns = random_columns(1, 10)
    part = scores_of(columns, members=[2, 5])
    assert {score.symbol for score in part} == {"C002/USDT", "C005/USDT"}
    assert {rank for score in part for rank in score.ranks.values()} == {0.25, 0.75}
    assert scores_of(columns, members=[]) == ()


def test_the_summary_tells_the_weights_and_when_the_data_is_stale() -> None:
    ranked = RankedSet("all", np.arange(4), {"KRW": "no rate"})
    summary = summarise(ranked, data_as_of_ms=1_000_000, interval_ms=3_600_000)
    assert sum(summary.weights.values()) == pytest.approx(1.0)
    assert summary.weights == weights()
    assert summary.stale_after_ms == 1_000_000 + 2 * 3_600_000 + 300_000
    assert (summary.size, summary.missing) == (4, {"KRW": "no rate"})
