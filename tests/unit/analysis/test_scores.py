"""Ranks, scores and strengths, by hand and by law."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis_worlds import a_market
from dantaro.analysis.features import FEATURES, NAMES, SCORED
from dantaro.analysis.models import EQUAL_WEIGHTS, Linear, RankingModel, Tree, Trees
from dantaro.analysis.panel import FloatArray
from dantaro.analysis.scores import (
    GROUPS,
    RankedSet,
    cross_sectional_ranks,
    estimates,
    feature_ranks,
    score_set,
    strength_of,
    summarise,
    weights,
)
from dantaro.market.results import Score, Strength

SCORED_NAMES = [feature.name for feature in SCORED]
SIGNS = {feature.name: feature.sign for feature in FEATURES}
# Few and well known: the calm (rank above a half) are expected to do well, the more so near the high.
STUMPS = Trees(
    [
        Tree((0,), (0.5,), (0,), (1,), (2,), (0.4, 0.6), (50.0, 50.0)),
        Tree((1,), (0.5,), (0,), (1,), (2,), (-0.05, 0.05), (50.0, 50.0)),
    ],
    features=2,
)
CALM = RankingModel("calm", ("range_30d", "distance_from_7d_high"), STUMPS, sha256="ab" * 32)


def scores_of(
    columns: Mapping[str, FloatArray],
    members: list[int] | None = None,
    model: RankingModel = EQUAL_WEIGHTS,
    *,
    traced: bool = True,
) -> tuple[Score, ...]:
    count = len(next(iter(columns.values())))
    rows = np.array(range(count) if members is None else members, dtype=np.int64)
    markets = [a_market(f"C{row:03}") for row in range(count)]
    return score_set(RankedSet("okx:USDT", rows, {}), markets, columns, model, traced=traced)


def random_columns(seed: int, count: int) -> dict[str, FloatArray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=count) for name in NAMES}


def test_ranks_are_shares_of_the_set_and_ties_share_their_mean() -> None:
    ranks = cross_sectional_ranks(np.array([5.0, 1.0, 5.0, 9.0]))
    assert ranks.tolist() == [0.5, 0.125, 0.5, 0.875]
    assert cross_sectional_ranks(np.array([3.0])).tolist() == [0.5]


def test_a_sign_turns_the_rank_so_that_one_is_favourable() -> None:
    columns = {name: np.array([1.0, 2.0]) for name in NAMES}
    first = next(score for score in scores_of(columns) if score.symbol == "C000/USDT")
    expected = {f.name: 0.75 if f.sign == -1 else 0.25 for f in SCORED}
    assert first.ranks == expected
    # technical: reversal 0.75, momentum 0.75, distance 0.25; all else 0.75
    assert first.technical == pytest.approx((0.75 + 0.75 + 0.25) / 3)
    assert (first.volume, first.volatility, first.risk) == (0.75, 0.75, 0.75)
    # the mean rank is expected of it; the other has 1 minus that, so of the two it is the better
    assert first.estimate == pytest.approx((6 * 0.75 + 0.25) / 7)
    assert (first.total, first.rank, first.strength) == (0.75, 1, Strength.BUY)


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
def test_scores_stay_in_range_and_the_total_is_the_place_of_the_estimate(
    seed: int, count: int
) -> None:
    scores = scores_of(random_columns(seed, count))
    assert [score.rank for score in scores] == list(range(1, count + 1))
    assert [s.total for s in scores] == sorted((s.total for s in scores), reverse=True)
    expected = [score.estimate for score in scores]
    assert None not in expected
    for score in scores:
        groups = {group: getattr(score, group) for group in GROUPS}
        assert all(
            0 < value < 1 for value in (score.total, *groups.values(), *score.ranks.values())
        )
        assert score.estimate == pytest.approx(np.mean(list(score.ranks.values())), abs=1e-6)
        below = sum(other < score.estimate for other in expected)  # type: ignore[operator]  # not None
        equal = sum(other == score.estimate for other in expected)
        assert score.total == pytest.approx((below + equal / 2) / count, rel=1e-15)
        assert score.strength is strength_of(score.total)


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_a_group_is_the_mean_of_its_ranks(seed: int, count: int) -> None:
    for score in scores_of(random_columns(seed, count)):
        for group in GROUPS:
            ranks = [score.ranks[f.name] for f in SCORED if f.group == group]
            assert getattr(score, group) == pytest.approx(np.mean(ranks), abs=1e-6)


@pytest.mark.parametrize("model", [EQUAL_WEIGHTS, CALM])
def test_base_and_contributions_add_up_to_the_estimate(model: RankingModel) -> None:
    ranked = RankedSet("all", np.arange(30), {})
    assert summarise(ranked, model, data_as_of_ms=0, interval_ms=1).base == pytest.approx(0.5)
    for score in scores_of(random_columns(1, 30), model=model):
        assert set(score.contributions) == set(model.features)
        added = 0.5 + sum(score.contributions.values())
        assert score.estimate == pytest.approx(added, abs=1e-6 * len(model.features))


def test_a_model_of_trees_ranks_by_what_it_expects() -> None:
    columns = {name: np.zeros(4) for name in NAMES}
    # less range is favourable: the ranks are 7/8, 5/8, 3/8, 1/8; nearness to the high: 1/8, 7/8, 5/8, 3/8
    columns["range_30d"] = np.array([1.0, 2.0, 3.0, 4.0])
    columns["distance_from_7d_high"] = np.array([-0.4, -0.1, -0.2, -0.3])
    found = {score.symbol: score for score in scores_of(columns, model=CALM)}
    estimated = {symbol: score.estimate for symbol, score in found.items()}
    assert estimated == pytest.approx(
        {
            "C001/USDT": 0.6 + 0.05,
            "C000/USDT": 0.6 - 0.05,
            "C002/USDT": 0.4 + 0.05,
            "C003/USDT": 0.4 - 0.05,
        }
    )
    totals = {symbol: score.total for symbol, score in found.items()}
    assert totals == {
        "C001/USDT": 0.875,
        "C000/USDT": 0.625,
        "C002/USDT": 0.375,
        "C003/USDT": 0.125,
    }
    best = found["C001/USDT"]
    assert best.contributions == {"range_30d": 0.1, "distance_from_7d_high": 0.05}
    assert best.ranks["range_30d"] == 0.625
    assert set(best.ranks) == {*SCORED_NAMES, "range_30d"}
    # the four scores are what they are without the model
    assert best.volatility == 0.5


def test_what_two_markets_are_expected_to_do_alike_ties_their_totals() -> None:
    columns = {name: np.zeros(3) for name in NAMES}
    columns["range_30d"] = np.array([3.0, 1.0, 2.0])  # ranks 1/6, 5/6, 1/2: two at most a half
    scores = scores_of(columns, model=CALM)
    assert [(s.symbol, s.total, s.rank) for s in scores] == [
        ("C001/USDT", 5 / 6, 1),
        ("C000/USDT", 1 / 3, 2),
        ("C002/USDT", 1 / 3, 3),
    ]


def test_sums_that_differ_by_rounding_alone_are_equal() -> None:
    rng = np.random.default_rng(0)
    rows = np.array(
        [rng.permutation([0.05, 0.15, 0.35, 0.55, 0.65, 0.85, 0.95]) for _ in range(50)]
    )
    form = Linear(0.0, np.full(7, 1 / 7))
    model = RankingModel("no base", EQUAL_WEIGHTS.features, form)
    ranks = dict(zip(SCORED_NAMES, rows.T, strict=True))
    assert len(set(model.form.estimates(model.matrix(ranks)).tolist())) > 1
    assert len(set(estimates(model, ranks).tolist())) == 1


def test_untraced_scores_say_the_same_with_less() -> None:
    columns = random_columns(4, 20)
    for model in (EQUAL_WEIGHTS, CALM):
        traced, plain = (scores_of(columns, model=model, traced=how) for how in (True, False))
        assert all(set(score.ranks) == set(SCORED_NAMES) for score in plain)
        assert all(score.contributions == {} for score in plain)
        assert plain == tuple(
            replace(
                score,
                ranks={name: score.ranks[name] for name in SCORED_NAMES},
                contributions={},
            )
            for score in traced
        )


def test_ranks_and_contributions_have_six_decimals_and_nothing_else_is_cut() -> None:
    scores = scores_of(random_columns(2, 7))
    for score in scores:
        for value in (*score.ranks.values(), *score.contributions.values()):
            assert value == round(value, 6)
    assert scores[0].total == 6.5 / 7
    assert scores[0].total != round(scores[0].total, 6)
    for score in scores:
        assert score.estimate == pytest.approx(round(score.estimate or 0.0, 12), abs=0)


def test_every_feature_is_ranked_by_its_sign() -> None:
    ranks = feature_ranks({name: np.array([1.0, 2.0, 4.0]) for name in NAMES}, NAMES)
    up, down = [1 / 6, 0.5, 5 / 6], [5 / 6, 0.5, 1 / 6]
    assert {name: column.tolist() for name, column in ranks.items()} == {
        name: up if SIGNS[name] == 1 else down for name in NAMES
    }


@pytest.mark.parametrize("model", [EQUAL_WEIGHTS, CALM])
def test_the_same_figures_give_the_same_scores_to_the_last_bit(model: RankingModel) -> None:
    columns = random_columns(6, 600)
    assert repr(scores_of(columns, model=model)) == repr(scores_of(columns, model=model))


@pytest.mark.parametrize("model", [EQUAL_WEIGHTS, CALM])
def test_a_lone_market_is_in_the_middle(model: RankingModel) -> None:
    (score,) = scores_of(random_columns(1, 1), model=model)
    assert (score.total, score.technical, score.volume, score.volatility, score.risk) == (0.5,) * 5
    assert set(score.ranks.values()) == {0.5}
    assert (score.rank, score.strength) == (1, Strength.HOLD)


@given(st.integers(0, 10_000), st.sampled_from([EQUAL_WEIGHTS, CALM]))
def test_the_order_of_the_markets_does_not_matter(seed: int, model: RankingModel) -> None:
    columns = random_columns(seed, 25)
    order = np.random.default_rng(seed).permutation(25)
    markets = [a_market(f"C{row:03}") for row in range(25)]
    rows = np.arange(25)
    plain = score_set(RankedSet("all", rows, {}), markets, columns, model)
    shuffled = score_set(
        RankedSet("all", rows, {}),
        [markets[row] for row in order],
        {name: column[order] for name, column in columns.items()},
        model,
    )
    assert plain == shuffled


@given(st.integers(0, 10_000))
def test_any_rising_function_of_a_feature_gives_the_same_scores(seed: int) -> None:
    columns = random_columns(seed, 20)
    assert scores_of({name: np.exp(3 * column) for name, column in columns.items()}) == scores_of(
        columns
    )


def test_equal_markets_share_a_score_and_are_listed_by_name() -> None:
    scores = scores_of({name: np.zeros(3) for name in NAMES})
    assert [score.total for score in scores] == [0.5, 0.5, 0.5]
    assert [score.symbol for score in scores] == ["C000/USDT", "C001/USDT", "C002/USDT"]
    assert {score.strength for score in scores} == {Strength.HOLD}


def test_a_set_ranks_its_members_only() -> None:
    columns = random_columns(1, 10)
    part = scores_of(columns, members=[2, 5])
    assert {score.symbol for score in part} == {"C002/USDT", "C005/USDT"}
    assert {rank for score in part for rank in score.ranks.values()} == {0.25, 0.75}
    assert scores_of(columns, members=[]) == ()


def test_the_summary_tells_the_model_and_when_the_data_is_stale() -> None:
    ranked = RankedSet("all", np.arange(4), {"KRW": "no rate"})
    summary = summarise(ranked, data_as_of_ms=1_000_000, interval_ms=3_600_000)
    assert (
        summary.weights
        == weights(EQUAL_WEIGHTS)
        == pytest.approx(dict.fromkeys(SCORED_NAMES, 1 / 7))
    )
    assert (summary.model, summary.model_sha256, summary.base) == ("equal weights", "", 0.5)
    assert summary.stale_after_ms == 1_000_000 + 2 * 3_600_000 + 300_000
    assert (summary.size, summary.missing) == (4, {"KRW": "no rate"})


def test_the_summary_of_fitted_trees_names_their_file_and_what_they_rest_on() -> None:
    summary = summarise(RankedSet("all", np.arange(4), {}), CALM, data_as_of_ms=0, interval_ms=1)
    assert (summary.model, summary.model_sha256) == ("calm", "ab" * 32)
    # a step of 0.1 up or down for the one, of 0.05 for the other
    assert summary.weights == pytest.approx({"range_30d": 2 / 3, "distance_from_7d_high": 1 / 3})
    assert summary.base == pytest.approx(0.5)
