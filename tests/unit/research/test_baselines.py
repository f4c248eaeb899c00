"""The baselines against pandas and by hand, and the plain tree model bit by bit."""

import numpy as np
import pandas as pd
import pytest

from dantaro.analysis import measures
from dantaro.analysis.parameters import Parameters
from dantaro.analysis.rating import rating_series
from dantaro.research.baselines import (
    SEVEN,
    fit_trees,
    group_scores,
    simple_baselines,
    tree_features,
    tree_ranking,
    tree_table,
)
from dantaro.research.decisions import Decisions, daily_ranks, prepare_decisions
from research_worlds import a_recording, a_world

_MARKETS, _DAYS = 24, 170


@pytest.fixture(scope="module")
def decisions() -> Decisions:
    recording = a_recording(a_world(_MARKETS, _DAYS))
    return prepare_decisions(recording, Parameters(), horizons=(1, 7))


def test_every_baseline_that_is_promised_is_there(decisions: Decisions) -> None:
    names = {ranking.name for ranking in simple_baselines(decisions)}
    assert names == {
        "equal_weight",
        "original",
        "low_volatility",
        "max_7d",
        "reversal_1d",
        "momentum_7d",
        "momentum_30d",
        "turnover",
        "rating",
        "rating_reversed",
        "rating_averages",
        "rating_averages_reversed",
        "rsi",
        "rsi_reversed",
    }


def test_baselines_rank_the_ranked_markets_and_no_other(decisions: Decisions) -> None:
    for ranking in simple_baselines(decisions):
        assert np.array_equal(np.isfinite(ranking.scores), decisions.ranked), ranking.name


def test_simple_rankings_by_pandas(decisions: Decisions) -> None:
    frame = pd.DataFrame(decisions.days.close.T)
    found = {ranking.name: ranking.scores for ranking in simple_baselines(decisions)}
    wanted = {
        "reversal_1d": -frame.pct_change(1),
        "momentum_7d": -frame.pct_change(7),
        "momentum_30d": -frame.pct_change(30),
        "low_volatility": -np.log(frame / frame.shift()).rolling(30).std(),
        "max_7d": -frame.pct_change().rolling(7).max(),
    }
    for name, values in wanted.items():
        ranks = (values.rank(axis=1) - 0.5) / _MARKETS
        got = found[name].T[60:]
        assert got == pytest.approx(ranks.to_numpy()[60:]), name


def test_the_equal_weight_and_the_original_score_by_their_parts(decisions: Decisions) -> None:
    found = {ranking.name: ranking.scores for ranking in simple_baselines(decisions)}
    place = (5, 100)
    seven = [
        daily_ranks(sign * decisions.features[name], decisions.ranked)[place]
        for name, sign in SEVEN.items()
    ]
    assert found["equal_weight"][place] == pytest.approx(sum(seven) / 7)
    scores = {name: values[place] for name, values in group_scores(decisions).items()}
    by_hand = (
        0.4 * scores["technical"]
        + 0.3 * scores["volume"]
        + 0.2 * scores["volatility"]
        + 0.1 * scores["risk"]
    )
    assert found["original"][place] == pytest.approx(by_hand)


def test_the_rating_is_the_one_that_is_served_and_stands_both_ways(decisions: Decisions) -> None:
    found = {ranking.name: ranking.scores for ranking in simple_baselines(decisions)}
    ((rows, panel),) = decisions.days.panels()
    served = rating_series(panel)
    for row, values in zip(rows.tolist(), served, strict=True):
        known = decisions.ranked[row]
        assert np.array_equal(found["rating"][row, known], values[known])
    assert np.array_equal(found["rsi_reversed"], -found["rsi"], equal_nan=True)


def test_what_the_tree_model_sees_beyond_the_seven_by_pandas(decisions: Decisions) -> None:
    close = pd.DataFrame(decisions.days.close.T)
    returns = close.pct_change()
    market = returns.mean(axis=1)
    beta = returns.rolling(30).cov(market).div(market.rolling(30).var(), axis=0)
    ranks = tree_features(decisions)
    assert len(ranks) == 20
    assert ranks[10].T[60:] == pytest.approx(((beta.rank(axis=1) - 0.5) / _MARKETS).to_numpy()[60:])
    skewness = returns.rolling(30).apply(
        lambda x: ((x - x.mean()) ** 3).mean() / x.std(ddof=0) ** 3
    )
    assert ranks[12].T[60:] == pytest.approx(
        ((skewness.rank(axis=1) - 0.5) / _MARKETS).to_numpy()[60:]
    )


def test_the_tree_model_repeats_bit_by_bit_learns_and_judges_its_days_alone(
    decisions: Decisions,
) -> None:
    table = tree_table(decisions)
    texts = [fit_trees(table, decisions, horizon=1, train_end=120, seed=1) for _ in range(2)]
    assert texts[0] == texts[1]
    from_ms, until_ms = (int(decisions.decided_at_ms[day]) for day in (130, 160))
    ranking = tree_ranking({1: [(from_ms, until_ms, texts[0])]}, table, decisions)
    said = ranking.at(1)
    assert np.isfinite(said[:, 130:160]).all()
    assert np.isnan(said[:, :130]).all()
    assert np.isnan(said[:, 160:]).all()
    ic = measures.rank_correlations(said, decisions.returns[1])
    assert np.nanmean(ic) > 0.1  # the reversal in this world was found


def test_a_tree_model_is_not_fitted_on_what_comes_after_its_training(decisions: Decisions) -> None:
    table = tree_table(decisions)
    later = np.nonzero(decisions.ranked.T)[0] >= 120
    changed = np.where(later[:, None], 0.5, table)
    first, second = (
        fit_trees(values, decisions, horizon=1, train_end=120, seed=1)
        for values in (table, changed)
    )
    assert first == second
