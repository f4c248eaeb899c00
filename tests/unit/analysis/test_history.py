"""Segments, days and forward returns by hand; and that a history is all panels of the past at once."""

from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np
import pytest

from analysis_worlds import MIDNIGHT_MS, a_walk, candles, days_of, market_of, without
from dantaro.analysis.anomalies import since, until
from dantaro.analysis.features import HISTORY_DAYS, NAMES, day_features
from dantaro.analysis.history import (
    History,
    build_history,
    collapses,
    daily_history,
    forward_returns,
)
from dantaro.analysis.panel import FloatArray, Panel, Series, aggregate, build_panel
from dantaro.market.timeframes import DAILY, DAY_MS, HOUR_MS, HOURLY, Timeframe

A, B = "okx:A/USDT", "okx:B/USDT"
NAN = float("nan")
JUMP = 3.0
FIGURES = ("open", "high", "low", "close", "volume")


def history(
    series: Mapping[str, Series], timeframe: Timeframe = DAILY, *, fill_limit: int | None = None
) -> History:
    return build_history(
        [market_of(key) for key in series],
        series,
        timeframe,
        opening_jump=JUMP,
        fill_limit=fill_limit,
    )


def rising(count: int) -> Series:
    """Days that close at 1, 2, 3 and so on, and open at the close before."""
    return candles([float(day + 1) for day in range(count)])


def steady(count: int) -> Series:
    return candles([100.0] * count)


def exact(values: FloatArray, expected: list[list[float]]) -> None:
    np.testing.assert_array_equal(values, np.array(expected))


def part(series: Series, keep: slice) -> Series:
    return Series(*(getattr(series, item.name)[keep] for item in fields(series)))


def test_a_market_without_a_gap_is_one_segment() -> None:
    found = history({A: rising(4)})
    assert found.row_market.tolist() == [0]
    assert (found.first.tolist(), found.last.tolist()) == ([0], [3])
    assert found.last_close.tolist() == [4.0]
    exact(found.close, [[1, 2, 3, 4]])
    exact(found.open, [[1, 1, 2, 3]])
    assert found.recorded.all()
    assert found.until_ms == MIDNIGHT_MS
    assert found.opened_at_ms.tolist() == [MIDNIGHT_MS - k * DAY_MS for k in (4, 3, 2, 1)]


def test_a_quiet_candle_is_the_last_close_without_volume() -> None:
    found = history({A: without(rising(5), 2), B: steady(5)})
    exact(found.close[:1], [[1, 2, 2, 4, 5]])
    exact(found.open[:1], [[1, 1, 2, 3, 4]])
    exact(found.high[:1], [[1, 2, 2, 4, 5]])
    exact(found.low[:1], [[1, 1, 2, 3, 4]])
    exact(found.volume[:1], [[1000, 1000, 0, 1000, 1000]])
    assert found.recorded.tolist() == [[True, True, False, True, True], [True] * 5]


def test_a_hole_longer_than_the_limit_ends_the_segment() -> None:
    limit_reached = history({A: without(rising(8), 2, 3, 4), B: steady(8)})
    assert limit_reached.row_market.tolist() == [0, 1]
    longer = history({A: without(rising(8), 2, 3, 4, 5), B: steady(8)})
    assert longer.row_market.tolist() == [0, 0, 1]
    assert (longer.first.tolist(), longer.last.tolist()) == ([0, 6, 0], [1, 7, 7])
    assert longer.last_close.tolist() == [2.0, 8.0, 100.0]
    exact(longer.by_market(longer.close)[:1], [[1, 2, NAN, NAN, NAN, NAN, 7, 8]])
    # one day of hours may be quiet, 24 of them
    hours = candles([5.0] * 40, timeframe=HOURLY)
    beside = candles([9.0] * 40, timeframe=HOURLY)
    for count, segments in ((24, 2), (25, 3)):
        gap = without(hours, *range(5, 5 + count))
        assert history({A: gap, B: beside}, HOURLY).row_market.size == segments


def test_an_opening_jump_ends_the_segment_and_a_traded_move_does_not() -> None:
    renamed = candles([1.0, 1.0, 3.0, 3.0], opens=[1.0, 1.0, 3.0, 3.0])
    found = history({A: renamed})
    assert (found.first.tolist(), found.last.tolist()) == ([0, 2], [1, 3])
    fallen = history({A: candles([1.0, 1.0, 0.3, 0.3], opens=[1.0, 1.0, 0.3, 0.3])})
    assert fallen.last_close.tolist() == [1.0, 0.3]
    traded = history({A: candles([1.0, 1.0, 9.0, 9.0])})  # opened where the day before had closed
    assert traded.row_market.tolist() == [0]
    less = history({A: candles([1.0, 1.0, 2.9, 2.9], opens=[1.0, 1.0, 2.9, 2.9])})
    assert less.row_market.tolist() == [0]


def test_a_slot_in_which_nobody_has_a_candle_does_not_exist() -> None:
    found = history({A: without(rising(6), 2, 3), B: without(steady(6), 1, 2, 3)})
    missing = [MIDNIGHT_MS - k * DAY_MS for k in (6, 5, 2, 1)]
    assert found.opened_at_ms.tolist() == missing
    assert found.row_market.tolist() == [0, 1]
    assert found.recorded[0].all()
    assert found.recorded[1].tolist() == [True, False, True, True]


def test_an_outage_longer_than_the_limit_ends_no_segment() -> None:
    dead = range(2, 12)
    found = history({A: without(steady(15), *dead), B: without(steady(15), *dead)})
    assert found.row_market.tolist() == [0, 1]
    assert found.opened_at_ms.size == 5


def test_markets_without_candles_have_no_segment() -> None:
    nothing = candles([])
    some = history({A: nothing, B: rising(2)})
    assert some.row_market.tolist() == [1]
    exact(some.by_market(some.close), [[NAN, NAN], [1, 2]])
    none = build_history([market_of(A)], {A: nothing}, DAILY, opening_jump=JUMP)
    assert none.by_market(none.close).shape == (1, 0)
    assert forward_returns(none, 1).shape == (1, 0)
    assert collapses(none, step_jump=8.0).shape == (1, 0)
    assert none.until_ms == 0
    assert list(none.panels()) == []


def test_candles_between_two_slots_are_refused_by_name() -> None:
    shifted = replace(rising(3), opened_at_ms=rising(3).opened_at_ms + HOUR_MS)
    with pytest.raises(ValueError, match=f"{A}: its candles are not aligned on 1d"):
        history({A: shifted})


def test_ages_count_the_candles_of_the_segment() -> None:
    found = history({A: without(rising(8), 2, 3, 4, 5), B: without(steady(8), 0, 6)})
    assert found.ages().tolist() == [[1, 2, 0, 0, 0, 0, 1, 2], [0, 1, 2, 3, 4, 5, 6, 7]]


def test_a_collapse_is_a_close_far_from_the_close_before() -> None:
    found = history({A: candles([8.0, 1.0, 1.0, 8.1]), B: candles([7.9, 1.0, 1.0, 1.0])})
    assert collapses(found, step_jump=8.0).tolist() == [[False, True, False, True], [False] * 4]
    # what a new segment begins with is no collapse of the old one
    renamed = history({A: candles([1.0, 90.0], opens=[1.0, 90.0])})
    assert not collapses(renamed, step_jump=8.0).any()


# Forward returns: bought at the open of the next candle, sold at the last close known by then.


def test_a_decision_enters_at_the_next_open_and_leaves_days_later() -> None:
    # closes 1 .. 6; the day after a decision opens at the decision's close
    found = history({A: rising(6)})
    exact(forward_returns(found, 1), [[2 / 1 - 1, 3 / 2 - 1, 4 / 3 - 1, 5 / 4 - 1, 6 / 5 - 1, NAN]])
    exact(forward_returns(found, 3), [[4 / 1 - 1, 5 / 2 - 1, 6 / 3 - 1, NAN, NAN, NAN]])
    exact(forward_returns(found, 7), [[NAN] * 6])


def test_the_entry_is_the_open_and_not_the_close_decided_at() -> None:
    found = history({A: candles([10.0, 12.0, 15.0], opens=[10.0, 11.0, 12.0])})
    exact(forward_returns(found, 1), [[12 / 11 - 1, 15 / 12 - 1, NAN]])


def test_a_coin_that_is_delisted_is_sold_at_its_last_price() -> None:
    gone = part(rising(8), slice(0, 4))  # closes 1, 2, 3, 4, and no more
    found = forward_returns(history({A: gone, B: steady(8)}), 3)
    # entries at 1, 2 and 3; the second and third would leave after the end
    exact(found[:1], [[4 / 1 - 1, 4 / 2 - 1, 4 / 3 - 1, NAN, NAN, NAN, NAN, NAN]])


def test_a_horizon_beyond_the_recording_is_not_over_even_for_a_coin_that_is_gone() -> None:
    gone = part(rising(6), slice(0, 4))
    exact(forward_returns(history({A: gone, B: steady(6)}), 5)[:1], [[4 / 1 - 1, *[NAN] * 5]])


def test_a_renamed_price_is_no_profit() -> None:
    opens = [10.0, 10.0, 11.0, 1000.0, 1000.0, 1000.0]
    closes = [10.0, 11.0, 12.0, 1000.0, 1000.0, 1100.0]
    found = history({A: candles(closes, opens=opens)})
    # the old price ends at 12; the last decision before the jump could not buy the old thing
    exact(
        forward_returns(found, 2),
        [[12 / 10 - 1, 12 / 11 - 1, NAN, 1100 / 1000 - 1, NAN, NAN]],
    )


def test_an_outage_between_decision_and_entry_delays_the_entry() -> None:
    closes = [10.0, 10.0, 12.0, 15.0, 18.0]
    opens = [10.0, 10.0, 11.0, 12.0, 15.0]
    series = candles(closes, opens=opens)
    times = series.opened_at_ms - np.array([2, 2, 0, 0, 0]) * DAY_MS  # two days nobody has
    found = history({A: replace(series, opened_at_ms=times)})
    # decided on the second day, bought at 11 after the outage, sold a day after that
    exact(forward_returns(found, 1), [[10 / 10 - 1, 12 / 11 - 1, 15 / 12 - 1, 18 / 15 - 1, NAN]])
    # bought on the second day, due inside the outage: the last close known is that day's
    exact(forward_returns(found, 2), [[10 / 10 - 1, 15 / 11 - 1, 18 / 12 - 1, NAN, NAN]])


def test_hours_are_held_for_whole_days() -> None:
    closes = [float(hour + 1) for hour in range(30)]
    found = history({A: candles(closes, timeframe=HOURLY)}, HOURLY)
    returns = forward_returns(found, 1)[0]
    # decided at the first close, bought at 1 when the second hour opens, sold 24 hours later at 25
    assert returns[0] == 25 / 1 - 1
    assert returns[5] == 30 / 6 - 1
    assert np.isnan(returns[6:]).all()


# Days made of hours.


def hourly_world(hours: int = 24 * 5 + 7) -> dict[str, Series]:
    """Two markets, the first without a few quiet hours; an outage at hours 40 and 41."""
    first, second = a_walk(1, hours), a_walk(2, hours)
    return {A: without(first, 10, 11, 30, 40, 41, 70), B: without(second, 40, 41)}


def same_candles(days: History, row: int, panel: Panel, place: int) -> None:
    """The segment's days are the panel's, to the last bit."""
    start = int(panel.start[place])
    inside = slice(int(days.first[row]), int(days.last[row]) + 1)
    assert days.opened_at_ms[inside].tolist() == panel.opened_at_ms[start:].tolist()
    for name in FIGURES:
        np.testing.assert_array_equal(
            getattr(days, name)[row, inside], getattr(panel, name)[place, start:], err_msg=name
        )
    np.testing.assert_array_equal(days.recorded[row, inside], panel.recorded[place, start:])


@pytest.mark.parametrize("late", [0, 1, 5, 23])
def test_days_of_hours_are_those_of_a_panel(late: int) -> None:
    world = {key: part(series, slice(late, None)) for key, series in hourly_world().items()}
    hours = history(world, HOURLY)
    days = daily_history(hours)
    assert days.timeframe == DAILY
    assert days.until_ms == hours.until_ms
    panel = build_panel(
        hours.markets, world, HOURLY, now_ms=hours.until_ms, candles=hours.opened_at_ms.size + 2
    )
    joined = aggregate(panel, DAILY)
    for row in range(2):
        same_candles(days, row, joined, int(days.row_market[row]))


def test_days_of_hours_are_the_recorded_days() -> None:
    walk = a_walk(3, 24 * 6 + 7 + 9)
    days, recorded = daily_history(history({A: walk}, HOURLY)), days_of(walk)
    assert days.opened_at_ms.tolist() == [int(t) for t in recorded.opened_at_ms]
    for name in FIGURES:
        np.testing.assert_allclose(getattr(days, name)[0], getattr(recorded, name), rtol=1e-15)


def test_a_day_that_the_recording_has_not_finished_or_begun_is_no_day() -> None:
    world = {A: a_walk(4, 24 * 2 + 7 + 5)}  # from 19:00 to 07:00 of the third day after
    days = daily_history(history(world, HOURLY))
    assert days.opened_at_ms.tolist() == [MIDNIGHT_MS - 2 * DAY_MS, MIDNIGHT_MS - DAY_MS]
    assert np.isfinite(days.close).all()


def test_a_day_that_an_outage_delays_begins_with_the_market_that_was_there_before() -> None:
    # nobody has the first hour of the last day; a market that is new in the second has not the whole day
    world = {
        A: without(a_walk(8, 24 * 3 + 7), -31),
        B: part(a_walk(9, 24 * 3 + 7), slice(-30, None)),
    }
    days = daily_history(history(world, HOURLY))
    assert days.row_market.tolist() == [0]
    assert days.opened_at_ms[days.last].tolist() == [MIDNIGHT_MS - DAY_MS]
    assert days.open[0, -1] == world[A].open[-30]


def test_a_coin_that_ends_inside_a_day_keeps_its_last_price() -> None:
    world = {A: a_walk(5, 24 * 4 + 7), B: a_walk(6, 24 * 4 + 7)}
    world[A] = until(world[A], MIDNIGHT_MS - DAY_MS - 10 * HOUR_MS)  # its last hour ends at 14:00
    days = daily_history(history(world, HOURLY))
    row = days.row_market.tolist().index(0)
    assert days.opened_at_ms[days.last[row]] == MIDNIGHT_MS - 3 * DAY_MS
    assert days.last_close[row] == world[A].close[-1]
    decided = int(days.last[row]) - 1  # bought at the open of its last whole day, held for two
    expected = world[A].close[-1] / days.open[row, decided + 1] - 1
    assert forward_returns(days, 2)[0, decided] == expected


def test_a_recording_without_a_whole_day_has_no_days() -> None:
    for count in (
        3,
        24 + 6,
    ):  # no midnight inside; the first day not begun, the second not finished
        hours = history({A: part(a_walk(7, count), slice(None))}, HOURLY)
        days = daily_history(hours)
        assert days.row_market.size == 0
        assert days.by_market(days.close).shape[0] == 1
        assert np.isnan(forward_returns(days, 1)).all()


# Panels of segments.


def test_segments_are_valid_panels() -> None:
    world = a_random_world(3)
    whole = history(world)
    seen: list[int] = []
    for rows, panel in whole.panels():
        assert len(panel.markets) == rows.size == panel.start.size
        assert (panel.as_of_ms == panel.opened_at_ms[-1] + DAY_MS).all()
        for place, row in enumerate(rows.tolist()):
            seen.append(row)
            start, end = int(panel.start[place]), int(whole.last[row]) + 1
            assert panel.markets[place] == whole.markets[whole.row_market[row]]
            assert end == panel.opened_at_ms.size
            for name in FIGURES:
                values = getattr(panel, name)
                assert values.flags.c_contiguous
                assert np.isnan(values[place, :start]).all()
                assert np.isfinite(values[place, start:]).all()
                np.testing.assert_array_equal(values[place], getattr(whole, name)[row, :end])
            recorded = panel.recorded[place]
            assert not recorded[:start].any()
            assert panel.listed_slots[place] == end - start
            assert panel.quiet_share[place] == pytest.approx(1 - recorded[start:].mean())
            newest = int(np.flatnonzero(recorded)[-1])
            assert panel.last_recorded_ms[place] == panel.opened_at_ms[newest]
    assert sorted(seen) == list(range(whole.row_market.size))


# The laws.


def a_random_world(seed: int, *, markets: int = 10, count: int = 120) -> dict[str, Series]:
    """Daily walks with quiet days, holes, outages of all, late listings and early ends."""
    rng = np.random.default_rng(seed)
    dead = rng.choice(count, 3, replace=False)
    world = {}
    for place in range(markets):
        closes = 10 * np.exp(np.cumsum(rng.normal(0, 0.05, count)))
        series = candles(closes.tolist(), volumes=(1e4 * rng.lognormal(0, 1, count)).tolist())
        series = replace(
            series,
            high=series.high * (1 + 0.03 * rng.random(count)),
            low=series.low * (1 - 0.03 * rng.random(count)),
        )
        gone = {*dead.tolist(), *rng.choice(count, 6, replace=False).tolist()}
        if place % 2:
            begin = int(rng.integers(40, 70))
            gone |= set(range(begin, begin + int(rng.integers(3, 7))))
        if place % 3 == 1:
            gone |= set(range(int(rng.integers(1, 20))))
        if place % 3 == 2:
            gone |= set(range(int(rng.integers(80, 115)), count))
        world[f"okx:C{place}/USDT"] = without(series, *sorted(gone))
    return world


def same_as_panel(
    whole: History, of_days: Mapping[str, FloatArray], world: Mapping[str, Series], column: int
) -> int:
    """Hold one column of a history against the panel of that moment; how many markets were compared.

    Where the panel's row is usable and the history's is not, the market was quiet then and did not
    come back in time, which nobody could know.
    """
    now_ms = int(whole.opened_at_ms[column]) + whole.timeframe.milliseconds
    panel = build_panel(whole.markets, world, whole.timeframe, now_ms=now_ms, candles=80)
    at_the_time = day_features(panel)
    usable = panel.start < panel.opened_at_ms.size
    known = np.isfinite(whole.by_market(whole.close)[:, column])
    quiet = panel.last_recorded_ms < whole.opened_at_ms[column]
    assert not (known & ~usable & ~quiet).any()
    assert quiet[usable & ~known].all()
    both = usable & known
    for name in NAMES:
        np.testing.assert_array_equal(
            of_days[name][both, column], at_the_time[name][both, 0], err_msg=f"{name} at {column}"
        )
    return int(np.isfinite(at_the_time["volatility_30d"][both, 0]).sum())


def features_of(whole: History) -> dict[str, FloatArray]:
    found = day_features(whole, last=whole.opened_at_ms.size)
    return {name: whole.by_market(values) for name, values in found.items()}


@pytest.mark.parametrize("seed", range(4))
def test_a_column_is_the_panel_of_its_moment(seed: int) -> None:
    world = a_random_world(seed)
    whole = history(world)
    of_days = features_of(whole)
    compared = [same_as_panel(whole, of_days, world, at) for at in range(whole.opened_at_ms.size)]
    assert sum(compared) > 300


@pytest.mark.parametrize("seed", range(4))
def test_what_follows_changes_no_column_before_it(seed: int) -> None:
    world = a_random_world(seed)
    whole = history(world)
    of_whole = features_of(whole)
    prices = {name: whole.by_market(getattr(whole, name)) for name in FIGURES}
    for cut in np.random.default_rng(seed).integers(HISTORY_DAYS, 120, 8).tolist():
        now_ms = MIDNIGHT_MS - (120 - cut) * DAY_MS
        then = history({key: until(series, now_ms) for key, series in world.items()})
        columns = then.opened_at_ms.size
        assert then.opened_at_ms.tolist() == whole.opened_at_ms[:columns].tolist()
        # a market's quiet days at the end are not filled before it comes back
        settled = np.array(
            [
                [
                    time <= series.opened_at_ms[-1] if series.opened_at_ms.size else False
                    for time in then.opened_at_ms
                ]
                for series in (until(world[market.key], now_ms) for market in whole.markets)
            ]
        )
        assert settled.mean() > 0.5
        for name, values in prices.items():
            np.testing.assert_array_equal(
                then.by_market(getattr(then, name))[settled], values[:, :columns][settled]
            )
        of_then = features_of(then)
        for name in NAMES:
            np.testing.assert_array_equal(
                of_then[name][settled], of_whole[name][:, :columns][settled]
            )
        for horizon in (1, 3, 7):
            early, late = forward_returns(then, horizon), forward_returns(whole, horizon)
            over = np.isfinite(early)
            ended = np.array(
                [
                    [reached_end(then, row, at, horizon) for at in range(columns)]
                    for row in range(len(then.markets))
                ]
            )
            np.testing.assert_array_equal(early[over & ~ended], late[:, :columns][over & ~ended])


def reached_end(of: History, market: int, column: int, horizon: int) -> bool:
    """Whether a forward return is decided by where a segment of the market ends."""
    due_ms = int(of.opened_at_ms[min(column + 1, of.opened_at_ms.size - 1)]) + horizon * DAY_MS
    rows = np.flatnonzero(of.row_market == market)
    ends = of.opened_at_ms[of.last[rows]] + of.timeframe.milliseconds
    inside = (of.first[rows] <= column) & (of.last[rows] >= column)
    return bool((ends[inside] < due_ms).any())


@pytest.mark.parametrize("seed", range(2))
def test_the_order_of_the_markets_changes_the_order_of_rows_alone(seed: int) -> None:
    world = a_random_world(seed)
    turned = dict(reversed(world.items()))
    one, other = history(world), history(turned)
    for name in FIGURES:
        np.testing.assert_array_equal(
            one.by_market(getattr(one, name)), other.by_market(getattr(other, name))[::-1]
        )
    np.testing.assert_array_equal(forward_returns(one, 3), forward_returns(other, 3)[::-1])
    assert one.ages().tolist() == other.ages()[::-1].tolist()


def test_scaling_a_price_changes_no_return() -> None:
    world = a_random_world(1)
    scaled = {
        key: replace(s, open=8 * s.open, high=8 * s.high, low=8 * s.low, close=8 * s.close)
        for key, s in world.items()
    }
    np.testing.assert_array_equal(
        forward_returns(history(world), 3), forward_returns(history(scaled), 3)
    )


def test_since_the_newest_jump_a_segment_is_the_panel() -> None:
    world = a_random_world(5)
    key = "okx:C0/USDT"
    at_ms = MIDNIGHT_MS - 50 * DAY_MS
    series = world[key]
    factor = np.where(series.opened_at_ms >= at_ms, 1000.0, 1.0)
    world[key] = replace(
        series,
        open=series.open * factor,
        high=series.high * factor,
        low=series.low * factor,
        close=series.close * factor,
    )
    whole = history(world)
    cut = {**world, key: since(world[key], at_ms)}
    of_days = features_of(whole)
    for column in range(whole.opened_at_ms.size - 40, whole.opened_at_ms.size):
        assert same_as_panel(whole, of_days, cut, column) > 3
