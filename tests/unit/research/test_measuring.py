"""A ranking's record on a panel small enough to be worked out by hand."""

import numpy as np
import pytest

from dantaro.analysis import measures
from dantaro.analysis.history import build_history
from dantaro.analysis.panel import FloatArray
from dantaro.market.timeframes import DAILY
from dantaro.research.baselines import Ranking
from dantaro.research.measuring import (
    Outcomes,
    against_chance,
    contender,
    curves,
    daily_ic,
    daily_top,
    differences,
    held,
    portfolio_record,
)
from dantaro.research.slices import day_slices, market_regimes, strength_returns, tier_slices
from research_worlds import a_recording, daily_series

_MARKETS, _DAYS = 40, 30
_COST = 0.002


@pytest.fixture
def perfect() -> FloatArray:
    """Scores that order the markets as their returns do, the same every day."""
    return np.broadcast_to(np.arange(_MARKETS, dtype=float)[:, None], (_MARKETS, _DAYS)).copy()


@pytest.fixture
def outcomes(perfect: FloatArray) -> Outcomes:
    returns = (perfect - perfect.mean(axis=0)) / 1000.0  # -1.95 % to +1.95 %
    return Outcomes(np.arange(_DAYS, dtype=np.int64), {1: returns, 3: 3 * returns}, returns, _COST)


def _ranking(scores: FloatArray, name: str = "total", kind: str = "score") -> Ranking:
    return Ranking(name, kind, name.capitalize(), scores)


def test_a_perfect_ranking_by_hand(perfect: FloatArray, outcomes: Outcomes) -> None:
    ranking = _ranking(perfect)
    ic = daily_ic(ranking, outcomes, 1)
    found = contender(
        ranking, outcomes, 1, tops=measures.top_weights_of(ranking.scores, counts=(10,)), ic=ic
    )
    assert found.rank_ic.value == pytest.approx(1.0)
    assert found.rank_ic.n == _MARKETS * _DAYS
    assert found.hit_rate.value == 1.0
    assert found.icir is None  # it never varies
    # fifths of 8 markets: mean ranks 35.5, 27.5, 19.5, 11.5, 3.5 less 19.5, in thousandths
    assert [q.value for q in found.quintiles] == pytest.approx([0.016, 0.008, 0.0, -0.008, -0.016])
    assert found.spread.value == pytest.approx(0.032)
    assert found.monotone is True
    (top,) = found.tops
    assert top.excess.value == pytest.approx(0.015)  # ranks 30..39, mean 34.5, less 19.5
    assert top.turnover.value == pytest.approx(0.0, abs=1e-12)
    assert top.net_excess.value == pytest.approx(0.015)


def test_a_turned_ranking_is_not_monotone(perfect: FloatArray, outcomes: Outcomes) -> None:
    ranking = _ranking(-perfect)
    found = contender(
        ranking,
        outcomes,
        1,
        tops=measures.top_weights_of(ranking.scores, counts=(10,)),
        ic=daily_ic(ranking, outcomes, 1),
    )
    assert found.rank_ic.value == pytest.approx(-1.0)
    assert found.monotone is False


def test_costs_are_two_trades_of_what_is_replaced(perfect: FloatArray, outcomes: Outcomes) -> None:
    flipped = np.where(np.arange(_DAYS) % 2 == 0, perfect, -perfect)  # another ten every day
    gross, net, replaced = daily_top(flipped, outcomes, 1, 10)
    assert np.isnan(replaced[0])
    assert replaced[1:].tolist() == [1.0] * (_DAYS - 1)
    assert (gross[1:] - net[1:]).tolist() == pytest.approx([2 * _COST] * (_DAYS - 1))


def test_the_best_baseline_is_the_one_of_the_highest_mean_on_common_days() -> None:
    total = np.full(40, 0.12) + np.tile([0.01, -0.01], 20)
    good = np.full(40, 0.10)
    short = np.where(np.arange(40) < 10, 0.5, np.nan)
    found = {
        d.baseline: d for d in differences(total, {"good": good, "short": short}, horizon=1, lags=0)
    }
    assert [name for name, d in found.items() if d.best] == ["short"]
    assert found["good"].difference.value == pytest.approx(0.02)
    assert found["short"].difference.days == 10
    assert (found["short"].difference.high or 0) < 0


def test_chance_is_beaten_by_a_perfect_ranking_and_not_by_a_random_one(
    perfect: FloatArray, outcomes: Outcomes
) -> None:
    draws = measures.random_rankings(outcomes.returns[1], count=10, seed=3, draws=200)
    excess = measures.top_excess(perfect, outcomes.returns[1], count=10)
    ic, top = against_chance(daily_ic(_ranking(perfect), outcomes, 1), excess, draws, horizon=1)
    assert ic.p_value == top.p_value == pytest.approx(1 / 201)
    assert (ic.measure, top.measure) == ("rank_ic", "excess_return")
    assert sum(ic.counts) == 200
    noise = np.random.default_rng(0).random(perfect.shape)
    ic, _ = against_chance(daily_ic(_ranking(noise), outcomes, 1), excess, draws, horizon=1)
    assert ic.p_value is not None
    assert ic.p_value > 0.01


def test_a_portfolio_by_hand() -> None:
    daily = np.array([np.nan, 0.10, -0.20, 0.05])
    found = portfolio_record("top_20", 1, daily)
    assert found.max_drawdown == pytest.approx(0.20)
    assert found.annual_return == pytest.approx((1.1 * 0.8 * 1.05) ** (365 / 3) - 1)
    assert found.volatility == pytest.approx(np.std([0.1, -0.2, 0.05], ddof=1) * np.sqrt(365))
    assert portfolio_record("top_20", 1, np.array([np.nan, 0.1])).reason


def test_curves_begin_at_one_and_grow_with_the_ranking(
    perfect: FloatArray, outcomes: Outcomes
) -> None:
    top, _ = held(measures.top_weights(perfect, count=10), outcomes, 1, costs=True)
    universe, _ = held(measures.universe_weights(perfect), outcomes, 1, costs=False)
    ic = daily_ic(_ranking(perfect), outcomes, 1)
    found = curves(ic, outcomes, 1, scores=perfect, top=top, universe=universe)
    assert found.quintiles is not None
    assert found.equity is not None
    last = [growth[-1] or 0.0 for growth in found.quintiles.growth]
    assert last == sorted(last, reverse=True)
    assert last[0] == pytest.approx(1.016**_DAYS)  # the best fifth's mean return is 1.6 %
    # ten markets bought once for 20 bp, then held: their values drift apart, none is sold
    assert found.equity.universe[-1] == pytest.approx(1.0, abs=0.01)
    assert (found.equity.top[-1] or 0) > 1.5


def test_strength_classes_share_the_markets_and_fall_in_order(
    perfect: FloatArray, outcomes: Outcomes
) -> None:
    found = strength_returns(perfect, outcomes, 1)
    assert [each.strength for each in found] == ["STRONG_BUY", "BUY", "HOLD", "SELL", "STRONG_SELL"]
    assert [each.share for each in found] == pytest.approx([0.1, 0.2, 0.4, 0.2, 0.1])
    values = [each.excess.value or 0.0 for each in found]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(0.018)  # ranks 36..39, mean 37.5, less 19.5
    assert found[0].excess.n == 4 * _DAYS


def test_tiers_are_thirds_of_the_turnover_within_the_ranked(
    perfect: FloatArray, outcomes: Outcomes
) -> None:
    wide = np.vstack([perfect, perfect + 0.5])  # 80 markets, so that a third has more than 20
    returns = np.vstack([outcomes.returns[1], -outcomes.returns[1]])
    turnover = np.where(np.arange(80)[:, None] < 40, 2.0, 1.0) * np.ones(_DAYS)
    turnover += np.arange(80)[:, None] / 1000
    both = Outcomes(outcomes.at_ms, {1: returns}, returns, _COST)
    found = {each.name: each for each in tier_slices(wide, turnover, both, horizon=1, count=10)}
    assert list(found) == ["high", "middle", "low"]
    assert found["high"].rank_ic.value == pytest.approx(1.0)  # the busy half is ranked right
    assert found["low"].rank_ic.value == pytest.approx(-1.0)  # the quiet half wrong


def test_days_are_sliced_by_what_was_known(perfect: FloatArray, outcomes: Outcomes) -> None:
    ic = np.where(np.arange(_DAYS) < 10, 0.2, -0.1)
    early = np.arange(_DAYS) < 10
    (found,) = day_slices("regime", {"bull": early}, ic, ic, outcomes, horizon=1)
    assert (found.group, found.name) == ("regime", "bull")
    assert found.rank_ic.value == pytest.approx(0.2)
    assert found.rank_ic.days == 10


def test_regimes_follow_the_market_and_look_at_the_past_alone() -> None:

    up, down = np.exp(0.01 * np.arange(80)), np.exp(0.8 - 0.02 * np.arange(1, 61))
    recording = a_recording({"A/USDT": daily_series(np.concatenate((up, down)))})
    days = build_history(recording.markets, recording.series, DAILY, opening_jump=3.0)
    regimes = market_regimes(days)
    assert not regimes["bull"][:49].any()  # fifty days are needed
    assert regimes["bull"][49:80].all()
    assert regimes["bear"][110:].all()
    named = regimes["calm"] | regimes["usual"] | regimes["stressed"]
    assert named[30:].all()
