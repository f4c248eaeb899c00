"""What one part adds to the record, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from dantaro.analysis.features import SCORED
from dantaro.analysis.outcome_measures import (
    BASELINES,
    Frozen,
    count_touches,
    frozen_sets,
    level_contributions,
    ranking_contributions,
    standings,
)
from dantaro.market.outcomes import (
    Contribution,
    Ended,
    LevelResult,
    LevelState,
    MarketOutcome,
    Series,
    Touch,
)
from dantaro.market.results import MarketFeatures, Rating, RatingLabel, Score, Side, Strength
from dantaro.market.timeframes import DAY_MS, HOUR_MS

PUBLISHED = 19_700 * DAY_MS + 5 * HOUR_MS


def score(coin: str, total: float, strength: Strength, *, rank: int, liquidity: float) -> Score:
    ranks = {feature.name: 0.5 for feature in SCORED} | {"turnover_30d": 1.0 - liquidity}
    return Score(
        ranked_set="okx:USDT",
        exchange="okx",
        symbol=f"{coin}/USDT",
        rank=rank,
        total=total,
        technical=total / 2,
        volume=1.0 - total,
        volatility=total,
        risk=0.5,
        strength=strength,
        ranks=ranks,
    )


def features(coin: str, **figures: float | None) -> MarketFeatures:
    return MarketFeatures(
        exchange="okx",
        symbol=f"{coin}/USDT",
        coin=coin,
        quote="USDT",
        data_as_of_ms=0,
        close=1.0,
        features=figures,
        indicators={},
    )


def rating(coin: str, value: float, timeframe: str = "1d") -> Rating:
    return Rating("okx", f"{coin}/USDT", timeframe, 0, value, RatingLabel.BUY, None, None, {}, {})


def outcome(coin: str, result: float | None) -> MarketOutcome:
    ended = Ended.HORIZON if result is not None else Ended.NO_ENTRY
    return MarketOutcome("okx", f"{coin}/USDT", "1h", 1, None, None, None, None, result, ended)


SCORES = [
    score("A", 0.8, Strength.STRONG_BUY, rank=1, liquidity=0.9),
    score("B", 0.5, Strength.HOLD, rank=2, liquidity=0.1),
    score("C", 0.2, Strength.STRONG_SELL, rank=3, liquidity=0.5),
]
FEATURES = [
    features("A", reversal_1d=0.03, momentum_7d=0.3, max_7d=0.1),
    features("B", reversal_1d=-0.01, momentum_7d=0.2, max_7d=0.2),
    features("C", reversal_1d=0.01, momentum_7d=0.1, max_7d=None),
]
RATINGS = [rating("A", -0.5), rating("B", 0.1), rating("C", 0.9), rating("A", 1.0, "1h")]


def contributions(
    results: dict[str, float | None],
    *,
    least: int = 3,
    earlier: dict[str, float] | None = None,
    cost: float = 0.002,
) -> dict[tuple[str, str, str], Contribution]:
    found = ranking_contributions(
        frozen_sets(SCORES, FEATURES, RATINGS),
        [outcome(coin, result) for coin, result in results.items()],
        published_at_ms=PUBLISHED,
        horizon_days=3,
        cost_per_side=cost,
        earlier={}
        if earlier is None
        else {"okx:USDT": {("okx", f"{c}/USDT"): t for c, t in earlier.items()}},
        least=least,
    )
    assert {row.day for row in found} <= {19_700}
    assert {(row.series.subject, row.series.horizon_days) for row in found} <= {
        ("recommendations", 3)
    }
    assert {row.series.data for row in found} <= {"okx:USDT"}
    return {(row.series.measure, row.series.group, row.series.name): row for row in found}


def test_a_ranking_of_three_markets_by_hand() -> None:
    found = contributions({"A": 0.06, "B": 0.03, "C": -0.03})
    assert {row.parts for row in found.values()} == {1}
    # The order of the totals is that of the returns; volume is turned round.
    assert found["rank_ic", "score", "total"].total == 1.0
    assert found["rank_ic", "score", "volume"].total == -1.0
    assert ("rank_ic", "score", "risk") not in found  # all alike: no ranking
    # Less of yesterday's return is better: B (-0.01), C, A against the returns A, B, C: ranks 3 1 2
    # of the baseline's order against 1 2 3: 1 - 6 * (4 + 1 + 1) / 24 = -0.5.
    assert found["rank_ic", "baseline", "reversal_1d"].total == pytest.approx(-0.5)
    assert found["rank_ic", "baseline", "momentum_7d"].total == 1.0
    assert found["rank_ic", "baseline", "rating"].total == -1.0  # of days, not of hours
    # Two markets have a MAX, and three are needed.
    assert ("rank_ic", "baseline", "max_7d") not in found
    assert found["rank_ic", "baseline", "turnover"].total == pytest.approx(0.5)
    # The universe mean is 0.02.
    excess = {
        name: row.total for (measure, group, name), row in found.items() if group == "strength"
    }
    assert excess == pytest.approx({"STRONG_BUY": 0.04, "HOLD": 0.01, "STRONG_SELL": -0.05})
    tiers = {
        name: row.total
        for (measure, group, name), row in found.items()
        if (measure, group) == ("excess_return", "tier")
    }
    assert tiers == pytest.approx({"high": 0.04, "middle": -0.05, "low": 0.01})


def test_every_baseline_is_one_that_the_frozen_figures_give() -> None:
    (frozen,) = frozen_sets(SCORES, FEATURES, RATINGS)
    assert tuple(frozen.baselines) == BASELINES
    # 0.4 * 0.4 + 0.3 * 0.2 + 0.2 * 0.8 + 0.1 * 0.5
    assert frozen.baselines["original"][0] == pytest.approx(0.43)
    # Six ranks of 0.5 and one of 0.1.
    assert frozen.baselines["equal_weight"][0] == pytest.approx(3.1 / 7)


def test_a_market_without_an_outcome_is_left_out_of_the_means_and_not_of_its_class() -> None:
    found = contributions({"A": 0.06, "B": None, "C": -0.02}, least=2)
    assert found["excess_return", "strength", "STRONG_BUY"].total == pytest.approx(0.04)
    assert ("excess_return", "strength", "HOLD") not in found
    assert found["rank_ic", "score", "total"].n == 2


def test_a_set_that_is_too_small_adds_nothing() -> None:
    assert contributions({"A": 0.06, "B": 0.03, "C": -0.03}, least=4) == {}


def test_the_standings_are_kept_as_they_were() -> None:
    found = list(standings(frozen_sets(SCORES, FEATURES, RATINGS)))
    assert [(row.symbol, row.rank, row.strength, row.tier) for row in found] == [
        ("A/USDT", 1, "STRONG_BUY", "high"),
        ("B/USDT", 2, "HOLD", "low"),
        ("C/USDT", 3, "STRONG_SELL", "middle"),
    ]


def a_ranking(totals: np.ndarray) -> Frozen:
    count = totals.size
    return Frozen(
        name="all",
        keys=tuple(("okx", f"C{at:02}/USDT") for at in range(count)),
        rank=np.arange(1, count + 1),
        strength=(Strength.HOLD,) * count,
        liquidity=np.arange(count, dtype=np.float64),
        scores={"total": totals},
        baselines={},
    )


def test_the_best_twenty_net_of_what_was_exchanged() -> None:
    rng = np.random.default_rng(3)
    totals, returns = rng.random(60), rng.normal(0, 0.05, 60)
    ranking = a_ranking(totals)
    results = [
        replace(outcome("X", float(value)), symbol=key[1])
        for key, value in zip(ranking.keys, returns, strict=True)
    ]
    best = np.argsort(-totals)[:20]
    # Five of the best twenty had no place in the earlier list.
    before = {key: float(total) for key, total in zip(ranking.keys, totals, strict=True)}
    for place in best[:5]:
        before[ranking.keys[place]] = 0.0
    arguments = {"published_at_ms": PUBLISHED, "horizon_days": 1, "cost_per_side": 0.002}
    found = {
        (row.series.measure, row.series.group, row.series.name): row
        for row in ranking_contributions(
            [ranking],
            results,
            earlier={"all": before},
            **arguments,  # type: ignore[arg-type]  # ints and floats
        )
    }
    excess = returns[best].mean() - returns.mean()
    assert found["excess_return", "top", "20"].total == pytest.approx(excess)
    assert found["turnover", "top", "20"].total == pytest.approx(0.25)
    assert found["net_excess_return", "top", "20"].total == pytest.approx(excess - 2 * 0.002 * 0.25)
    expected = stats.spearmanr(totals, returns).statistic
    assert found["rank_ic", "score", "total"].total == pytest.approx(expected)
    without = ranking_contributions([ranking], results, earlier={}, **arguments)  # type: ignore[arg-type]  # as above
    assert {row.series.measure for row in without} == {"rank_ic", "excess_return"}


LEVEL = LevelResult(
    exchange="okx",
    symbol="A/USDT",
    side=Side.SUPPORT,
    price=91.0,
    zone_low=90.0,
    zone_high=92.0,
    methods=("volume_node", "round_number"),
    band="aggressive_support",
    hold_probability=None,
    timeframe="1h",
    revision=1,
    state=LevelState.HELD,
    touched_at_ms=PUBLISHED + DAY_MS,
    resolved_at_ms=PUBLISHED + DAY_MS + HOUR_MS,
    counted=False,
    placebo_low=88.0,
    placebo_high=90.0,
    placebo_state=LevelState.BROKE,
    placebo_touched_at_ms=PUBLISHED + 2 * DAY_MS,
    placebo_resolved_at_ms=PUBLISHED + 2 * DAY_MS,
    placebo_counted=False,
)


def test_a_touch_of_overlapping_zones_by_one_candle_counts_once() -> None:
    levels = [
        LEVEL,
        replace(LEVEL, zone_low=91.9, zone_high=93.0),  # overlaps: the same touch
        replace(LEVEL, zone_low=80.0, zone_high=82.0),  # another zone
        replace(LEVEL, touched_at_ms=PUBLISHED),  # another touch
        replace(LEVEL, side=Side.RESISTANCE),  # the other side
        replace(LEVEL, symbol="B/USDT"),
        replace(LEVEL, state=LevelState.UNRESOLVED, zone_low=1.0, zone_high=2.0),
    ]
    marked, touches = count_touches(levels, ())
    assert [row.counted for row in marked] == [True, False, True, True, True, True, False]
    assert sum(not touch.placebo for touch in touches) == 5
    # The placebos of all supports of A are one line, touched by one candle.
    assert [row.placebo_counted for row in marked] == [
        True, False, False, False, True, True, False,
    ]  # fmt: skip
    again, none = count_touches(levels, touches)
    assert not any(row.counted or row.placebo_counted for row in again)
    assert none == ()


def test_a_touch_that_an_earlier_part_counted_is_not_counted_again() -> None:
    known = Touch(
        exchange="okx",
        symbol="A/USDT",
        side=Side.SUPPORT,
        placebo=False,
        touched_at_ms=PUBLISHED + DAY_MS,
        zone_low=91.5,
        zone_high=91.8,
    )
    marked, touches = count_touches([LEVEL], [known])
    assert (marked[0].counted, marked[0].placebo_counted) == (False, True)
    assert [touch.placebo for touch in touches] == [True]


def test_touches_add_to_the_days_on_which_they_happened() -> None:
    marked, _ = count_touches(
        [
            replace(LEVEL, hold_probability=0.7),
            replace(LEVEL, symbol="B/USDT", state=LevelState.BROKE, methods=("round_number",)),
        ],
        (),
    )
    quotes = {("okx", "A/USDT"): "USDT", ("okx", "B/USDT"): "USDT"}
    rows = level_contributions(marked, quotes, horizon_days=7)
    assert all(row.series.subject == "levels" and row.series.horizon_days == 7 for row in rows)
    assert {row.series.data for row in rows} == {"all", "okx:USDT"}
    found = {
        (row.series.measure, row.series.group, row.series.name, row.day): (row.n, row.total)
        for row in rows
        if row.series.data == "all"
    }
    assert found == {
        ("held", "all", "all", 19_701): (2, 1.0),
        ("held", "side", "support", 19_701): (2, 1.0),
        ("held", "method", "volume_node:support", 19_701): (1, 1.0),
        ("held", "method", "round_number:support", 19_701): (2, 1.0),
        ("held", "band", "aggressive_support", 19_701): (2, 1.0),
        ("placebo_held", "all", "all", 19_702): (2, 0.0),
        ("placebo_held", "side", "support", 19_702): (2, 0.0),
        ("placebo_held", "method", "volume_node:support", 19_702): (1, 0.0),
        ("placebo_held", "method", "round_number:support", 19_702): (2, 0.0),
        ("placebo_held", "band", "aggressive_support", 19_702): (2, 0.0),
        ("brier", "all", "all", 19_701): (1, pytest.approx(0.09)),
        ("came", "stated", "6", 19_701): (1, 1.0),
        ("stated", "stated", "6", 19_701): (1, 0.7),
    }
    assert isinstance(rows[0].series, Series)
