"""Levels that hold, break or do neither, by hand; and placebos that differ in their place alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dantaro.analysis.level_outcomes import (
    BROKE,
    HELD,
    INSIDE,
    NOT_TOUCHED,
    PENDING,
    RESISTANCE,
    SUPPORT,
    UNRESOLVED,
    LevelLines,
    LevelOutcomes,
    placebo_lines,
    score_levels,
)


def lines(*zones: tuple[int, float, float], issued: int = 0, atr: float = 2.0) -> LevelLines:
    """Levels of one market from (side, low, high)."""
    side, low, high = (np.array(column) for column in zip(*zones, strict=True))
    count = len(zones)
    return LevelLines(
        np.zeros(count, dtype=np.int64),
        np.full(count, issued),
        side.astype(np.int8),
        low.astype(float),
        high.astype(float),
        np.full(count, atr),
    )


def outcome(
    candles: list[tuple[float, float, float]],
    *zones: tuple[int, float, float],
    horizon: int = 3,
    issued: int = 0,
) -> LevelOutcomes:
    """The outcome of levels over candles of (low, high, close)."""
    low, high, close = (np.array([column]) for column in zip(*candles, strict=True))
    return score_levels(low, high, close, lines(*zones, issued=issued), horizon=horizon)


ISSUE = (99.0, 101.0, 100.0)
ZONE = (SUPPORT, 94.0, 95.0)  # with an ATR of 2: held from 97 on, broken from 92 on


def test_a_support_holds_when_price_comes_one_atr_out_of_it() -> None:
    found = outcome([ISSUE, (95.0, 99.0, 95.5), (94.5, 97.0, 96.0), (90.0, 96.0, 90.0)], ZONE)
    assert found.state.tolist() == [HELD]
    assert (found.touched.tolist(), found.resolved.tolist()) == ([1], [2])


def test_a_support_breaks_when_price_goes_one_atr_through_it() -> None:
    found = outcome([ISSUE, (95.0, 99.0, 95.5), (93.0, 96.9, 93.5), (92.0, 96.0, 96.0)], ZONE)
    assert found.state.tolist() == [BROKE]
    assert (found.touched.tolist(), found.resolved.tolist()) == ([1], [3])


def test_a_candle_that_does_both_breaks_it() -> None:
    found = outcome([ISSUE, (95.0, 99.0, 95.5), (92.0, 97.0, 96.5), ISSUE], ZONE)
    assert (found.state.tolist(), found.resolved.tolist()) == ([BROKE], [2])


def test_in_the_candle_of_the_entry_only_the_close_can_have_come_out() -> None:
    # the high of 99 was before the entry; the close of 97 was after it
    came_down = outcome([ISSUE, (95.0, 99.0, 96.9), (95.5, 96.9, 96.0), (95.5, 96.9, 96.0)], ZONE)
    assert came_down.state.tolist() == [UNRESOLVED]
    came_back = outcome([ISSUE, (95.0, 99.0, 97.0), (90.0, 96.0, 90.0), ISSUE], ZONE)
    assert (came_back.state.tolist(), came_back.resolved.tolist()) == ([HELD], [1])
    fell_through = outcome([ISSUE, (92.0, 99.0, 97.5), ISSUE, ISSUE], ZONE)
    assert (fell_through.state.tolist(), fell_through.resolved.tolist()) == ([BROKE], [1])


def test_a_jump_over_the_whole_zone_is_an_entry_that_broke_it() -> None:
    found = outcome([ISSUE, (80.0, 81.0, 80.0), ISSUE, ISSUE], ZONE)
    assert (found.state.tolist(), found.touched.tolist()) == ([BROKE], [1])


def test_a_level_that_price_never_reached_is_no_outcome() -> None:
    found = outcome([ISSUE, (95.1, 99.0, 96.0), ISSUE, ISSUE], ZONE)
    assert found.state.tolist() == [NOT_TOUCHED]
    assert (found.touched.tolist(), found.resolved.tolist()) == ([-1], [-1])


def test_candles_after_the_horizon_do_not_count() -> None:
    late = [ISSUE, ISSUE, (95.0, 96.0, 95.5), ISSUE]
    assert outcome(late, ZONE, horizon=1).state.tolist() == [NOT_TOUCHED]
    assert outcome(late, ZONE, horizon=2).state.tolist() == [UNRESOLVED]
    assert outcome(late, ZONE, horizon=3).state.tolist() == [HELD]


def test_an_undecided_level_is_pending_while_the_horizon_is_not_over() -> None:
    candles = [ISSUE, (95.0, 96.0, 95.5), (95.0, 96.0, 95.5)]
    assert outcome(candles, ZONE, horizon=3).state.tolist() == [PENDING]
    assert outcome(candles, ZONE, horizon=3).touched.tolist() == [1]
    assert outcome(candles, ZONE, horizon=2).state.tolist() == [UNRESOLVED]
    decided = [ISSUE, (95.0, 96.0, 95.5), (95.0, 97.0, 95.5)]
    assert outcome(decided, ZONE, horizon=30).state.tolist() == [HELD]


def test_a_delisted_market_leaves_its_levels_unresolved() -> None:
    nothing = (np.nan, np.nan, np.nan)
    found = outcome([ISSUE, (95.0, 96.0, 95.5), nothing, nothing], ZONE, (SUPPORT, 80.0, 81.0))
    assert found.state.tolist() == [UNRESOLVED, NOT_TOUCHED]


def test_a_zone_that_holds_the_price_at_its_issue_is_not_scored() -> None:
    candles = [ISSUE, (92.0, 99.0, 93.0), (80.0, 120.0, 100.0), ISSUE]
    found = outcome(candles, (SUPPORT, 99.5, 100.5), (RESISTANCE, 99.5, 100.5), ZONE)
    assert found.state.tolist() == [INSIDE, INSIDE, BROKE]
    assert found.touched.tolist() == [-1, -1, 1]


def test_a_resistance_mirrors_a_support() -> None:
    zone = (RESISTANCE, 105.0, 106.0)  # held from 103 down, broken from 108 up
    assert outcome(
        [ISSUE, (101.0, 105.0, 104.0), (103.0, 104.0, 103.5)], zone, horizon=2
    ).state == [HELD]
    assert outcome(
        [ISSUE, (101.0, 105.0, 104.0), (104.0, 108.0, 107.0)], zone, horizon=2
    ).state == [BROKE]


@given(st.integers(0, 10_000))
def test_turning_prices_upside_down_turns_supports_into_resistances(seed: int) -> None:
    rng = np.random.default_rng(seed)
    close = 100.0 + rng.normal(0, 1, (3, 60)).cumsum(axis=1)
    low, high = close - rng.random((3, 60)), close + rng.random((3, 60))
    count = 40
    row, issued = rng.integers(0, 3, count), rng.integers(0, 60, count)
    below = close[row, issued] - rng.random(count) * 6
    issue = LevelLines(
        row, issued, np.full(count, SUPPORT, np.int8), below - 0.5, below, np.ones(count)
    )
    mirrored = replace(
        issue, side=np.full(count, RESISTANCE, np.int8), low=-issue.high, high=-issue.low
    )
    plain = score_levels(low, high, close, issue, horizon=20)
    turned = score_levels(-high, -low, -close, mirrored, horizon=20)
    assert plain.state.tolist() == turned.state.tolist()
    assert plain.resolved.tolist() == turned.resolved.tolist()
    assert set(plain.state.tolist()) - {INSIDE, PENDING}, "the walk should meet some level"


def test_later_candles_change_no_outcome_that_is_decided() -> None:
    rng = np.random.default_rng(5)
    close = 100.0 + rng.normal(0, 1, (20, 80)).cumsum(axis=1)
    low, high = close - 0.5, close + 0.5
    row, issued = (places.ravel() for places in np.indices((20, 40)))
    below = close[row, issued] - 2.0
    side = np.full(row.size, SUPPORT, np.int8)
    issue = LevelLines(row, issued, side, below - 0.5, below, np.ones(row.size))
    then = score_levels(low[:, :50], high[:, :50], close[:, :50], issue, horizon=30)
    now = score_levels(low, high, close, issue, horizon=30)
    decided = (then.state == HELD) | (then.state == BROKE)
    assert decided.any()
    assert (then.state == PENDING).any()
    assert not (now.state == PENDING).any()
    assert now.state[decided].tolist() == then.state[decided].tolist()
    assert now.resolved[decided].tolist() == then.resolved[decided].tolist()


def test_a_random_walk_holds_in_six_of_ten_touches() -> None:
    # ten steps down to the zone; from there ten steps up hold and fifteen down break: 15 / 25
    rng = np.random.default_rng(1)
    walks, steps = 4000, 1500
    close = 100.0 + np.pad(rng.choice([-1.0, 1.0], (walks, steps)).cumsum(axis=1), ((0, 0), (1, 0)))
    level = lines(*[(SUPPORT, 85.0, 90.0)] * walks, atr=10.0)
    level = replace(level, row=np.arange(walks))
    state = score_levels(close, close, close, level, horizon=steps).state
    held, broke = int((state == HELD).sum()), int((state == BROKE).sum())
    assert held + broke > 3000
    assert held / (held + broke) == pytest.approx(0.6, abs=0.025)


@given(st.integers(0, 2**32), st.lists(st.floats(0.0, 5.0), min_size=1, max_size=30))
def test_placebos_move_by_a_quarter_to_three_quarters_of_an_atr_on_their_side(
    seed: int, distances: list[float]
) -> None:
    close = np.full((1, 3), 100.0)
    gaps = np.array(distances)
    for side in (SUPPORT, RESISTANCE):
        near = 100.0 + side * gaps
        low, high = (near - 1.0, near) if side == SUPPORT else (near, near + 1.0)
        zones = [(side, one, other) for one, other in zip(low.tolist(), high.tolist(), strict=True)]
        level = lines(*zones, issued=1)
        placebo = placebo_lines(level, close, seed=seed)
        moved = np.abs(placebo.low - level.low) / 2.0
        assert ((moved >= 0.25 - 1e-9) & (moved <= 0.75 + 1e-9)).all()
        assert placebo.high - placebo.low == pytest.approx(level.high - level.low)
        beside = placebo.high if side == SUPPORT else placebo.low
        assert (side * (beside - 100.0) >= -1e-9).all()
        again = placebo_lines(level, close, seed=seed)
        assert again.low.tolist() == placebo.low.tolist()


def test_placebos_move_either_way_as_often_where_there_is_room() -> None:
    level = lines(*[(SUPPORT, 89.0, 90.0)] * 2000)
    placebo = placebo_lines(level, np.full((1, 1), 100.0), seed=3)
    assert np.mean(placebo.low > level.low) == pytest.approx(0.5, abs=0.04)
    other = placebo_lines(level, np.full((1, 1), 100.0), seed=4)
    assert (other.low != placebo.low).any()
