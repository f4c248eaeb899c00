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
from dantaro.analysis.outcomes import Followed, LevelResult
from dantaro.market.outcomes import (
    Contribution,
    Ended,
    LevelOutcome,
    LevelState,
    MarketOutcome,
)
from dantaro.market.results import Level, MarketFeatures, Rating, RatingLabel, Score, Side, Strength
from dantaro.market.timeframes import DAILY, DAY_MS, HOUR_MS, HOURLY, Timeframe

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


LEVEL = Level(
    exchange="okx",
    symbol="A/USDT",
    side=Side.SUPPORT,
    price=91.0,
    zone_low=90.0,
    zone_high=92.0,
    touches=0,
    first_seen_ms=0,
    last_evidence_at_ms=0,
    confirmed_at_ms=0,
    expires_at_ms=PUBLISHED + 99 * DAY_MS,
    methods=("volume_node", "round_number"),
    strength=0.5,
)
# Published at five o'clock: watched from six on.
OUTCOME = LevelOutcome(
    state=LevelState.HELD,
    touched_at_ms=PUBLISHED + HOUR_MS,
    resolved_at_ms=PUBLISHED + 30 * HOUR_MS,
    placebo_state=LevelState.BROKE,
    placebo_low=88.0,
    placebo_high=90.0,
    placebo_touched_at_ms=PUBLISHED + 2 * HOUR_MS,
    placebo_resolved_at_ms=PUBLISHED + 3 * HOUR_MS,
)
NOTHING = LevelOutcome(LevelState.NOT_TOUCHED, placebo_state=LevelState.NOT_TOUCHED)


def a_result(outcome: LevelOutcome = OUTCOME, **named: object) -> LevelResult:
    return LevelResult(replace(LEVEL, **named), "aggressive_support", outcome)  # type: ignore[arg-type]  # a level's fields


def counted(
    results: list[LevelResult], *, hours: float = 24, timeframe: Timeframe = HOURLY
) -> list[tuple[bool, bool]]:
    """Which touches count, of levels and of placebos, when the next part comes `hours` later."""
    markets = [
        Followed("okx", f"{coin}/USDT", coin, listed=True, timeframe=timeframe, revision=1,
                 candles=None)
        for coin in "AB"
    ]  # fmt: skip
    until_ms = PUBLISHED + int(hours * HOUR_MS)
    marked = count_touches(results, markets, from_ms=PUBLISHED, until_ms=until_ms)
    assert [replace(row.outcome, counted=False, placebo_counted=False) for row in marked] == [
        row.outcome for row in results
    ]
    return [(row.outcome.counted, row.outcome.placebo_counted) for row in marked]


def test_a_touch_of_overlapping_zones_by_one_candle_counts_once() -> None:
    late = replace(OUTCOME, touched_at_ms=PUBLISHED + 5 * HOUR_MS)
    unresolved = replace(OUTCOME, state=LevelState.UNRESOLVED)
    assert counted(
        [
            a_result(),
            a_result(zone_low=91.9, zone_high=93.0),  # overlaps: the same touch
            a_result(zone_low=80.0, zone_high=82.0),  # another zone
            a_result(late),  # another touch
            a_result(side=Side.RESISTANCE),  # the other side
            a_result(symbol="B/USDT"),
            a_result(unresolved, zone_low=1.0, zone_high=2.0),
            a_result(NOTHING),
        ]
    ) == [
        # The placebos of all supports of A are one line, touched by one candle.
        (True, True),
        (False, False),
        (True, False),
        (True, False),
        (True, True),
        (True, True),
        (False, False),
        (False, False),
    ]


@pytest.mark.parametrize(
    ("hours", "which"),
    [
        (0.5, (False, False)),  # replaced within the hour: nobody could have watched it
        (1, (True, False)),  # the next one is watched from seven on; six o'clock is ours
        (1.5, (True, False)),
        (2, (True, True)),
    ],
)
def test_a_touch_counts_for_the_part_that_was_served_when_it_came(
    hours: float, which: tuple[bool, bool]
) -> None:
    assert counted([a_result()], hours=hours) == [which]


def test_a_part_that_nothing_replaced_counts_for_a_day() -> None:
    inside = replace(OUTCOME, touched_at_ms=PUBLISHED + 24 * HOUR_MS)
    after = replace(OUTCOME, touched_at_ms=PUBLISHED + 25 * HOUR_MS)
    assert counted([a_result(inside)], hours=999) == [(True, True)]
    assert counted([a_result(after)], hours=999) == [(False, True)]


def test_of_days_the_last_part_of_the_day_has_the_next_one() -> None:
    touched = (PUBLISHED // DAY_MS + 1) * DAY_MS
    outcome = replace(OUTCOME, touched_at_ms=touched, placebo_touched_at_ms=touched)
    # Until 23:00 another part of the same day follows, whose first day is the same.
    assert counted([a_result(outcome)], hours=18, timeframe=DAILY) == [(False, False)]
    assert counted([a_result(outcome)], hours=19, timeframe=DAILY) == [(True, True)]


def test_touches_add_to_the_days_on_which_they_happened() -> None:
    next_day = replace(
        OUTCOME,
        placebo_touched_at_ms=PUBLISHED + 20 * HOUR_MS,
        counted=True,
        placebo_counted=True,
    )
    broke = replace(next_day, state=LevelState.BROKE)
    rows = level_contributions(
        [
            a_result(next_day, hold_probability=0.7),
            a_result(broke, symbol="B/USDT", methods=("round_number",)),
            a_result(replace(next_day, counted=False, placebo_counted=False)),
        ],
        {("okx", "A/USDT"): "USDT", ("okx", "B/USDT"): "USDT"},
        horizon_days=7,
    )
    assert all(row.series.subject == "levels" and row.series.horizon_days == 7 for row in rows)
    assert {row.series.data for row in rows} == {"all", "okx:USDT"}
    found = {
        (row.series.measure, row.series.group, row.series.name, row.day): (row.n, row.total)
        for row in rows
        if row.series.data == "all"
    }
    assert found.pop(("brier", "all", "all", 19_700))[1] == pytest.approx(0.09)  # (0.7 - 1) ** 2
    assert found == {
        ("held", "all", "all", 19_700): (2, 1.0),
        ("held", "side", "support", 19_700): (2, 1.0),
        ("held", "method", "volume_node:support", 19_700): (1, 1.0),
        ("held", "method", "round_number:support", 19_700): (2, 1.0),
        ("held", "band", "aggressive_support", 19_700): (2, 1.0),
        ("placebo_held", "all", "all", 19_701): (2, 0.0),
        ("placebo_held", "side", "support", 19_701): (2, 0.0),
        ("placebo_held", "method", "volume_node:support", 19_701): (1, 0.0),
        ("placebo_held", "method", "round_number:support", 19_701): (2, 0.0),
        ("placebo_held", "band", "aggressive_support", 19_701): (2, 0.0),
        ("came", "stated", "6", 19_700): (1, 1.0),
        ("stated", "stated", "6", 19_700): (1, 0.7),
    }


@pytest.mark.parametrize("days", [1, 3])
def test_a_probability_is_held_against_the_week_that_it_speaks_of(days: int) -> None:
    result = a_result(replace(OUTCOME, counted=True), hold_probability=0.7)
    rows = level_contributions([result], {("okx", "A/USDT"): "USDT"}, horizon_days=days)
    assert {row.series.measure for row in rows} == {"held"}
