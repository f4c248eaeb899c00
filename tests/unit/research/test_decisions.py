"""Days of decisions: ranks as the live analysis makes them, hours joined to the same days."""

import numpy as np
import pytest

from dantaro.analysis.features import FEATURES
from dantaro.analysis.panel import Series
from dantaro.analysis.parameters import Parameters
from dantaro.analysis.scores import cross_sectional_ranks
from dantaro.errors import RecordingInvalid
from dantaro.market.timeframes import DAY_MS, HOUR_MS, HOURLY
from dantaro.research.decisions import daily_ranks, flat, prepare_decisions, unflat
from research_worlds import FIRST_MS, a_recording, a_world


def test_ranks_are_those_of_the_scores_among_the_ranked_markets_alone() -> None:
    generator = np.random.default_rng(1)
    values = generator.integers(0, 6, (12, 9)).astype(float)  # with ties
    ranked = generator.random((12, 9)) < 0.7
    values[generator.random((12, 9)) < 0.1] = np.nan
    ranks = daily_ranks(values, ranked)
    for day in range(9):
        known = ranked[:, day] & ~np.isnan(values[:, day])
        assert np.array_equal(ranks[known, day], cross_sectional_ranks(values[known, day]))
        assert np.isnan(ranks[~known, day]).all()


def test_flat_market_days_come_back_to_their_places() -> None:
    values = np.arange(12.0).reshape(3, 4)
    where = np.array([[1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 0, 0]], dtype=bool)
    assert flat(values, where).tolist() == [0.0, 8.0, 5.0, 9.0, 2.0, 6.0]  # day after day
    assert np.array_equal(
        unflat(flat(values, where), where), np.where(where, values, np.nan), equal_nan=True
    )


def test_what_follows_is_bought_at_the_next_open_and_sold_after_the_horizon() -> None:
    recording = a_recording(a_world(25, 45))
    decisions = prepare_decisions(recording, Parameters(), horizons=(1, 3))
    candles = recording.series["binance:C004/USDT"]
    assert decisions.decided_at_ms[0] == FIRST_MS + DAY_MS  # at the close of the first day
    for horizon in (1, 3):
        got = decisions.returns[horizon][4, 35]
        assert got == pytest.approx(candles.close[35 + horizon] / candles.open[36] - 1.0)
    assert np.isnan(decisions.returns[3][:, -3:]).all()  # not over yet
    assert np.isfinite(decisions.returns[3][:, -4]).all()
    assert np.isnan(decisions.returns[1][:, :30]).all()  # nothing was ranked


def test_hours_give_the_decisions_of_the_days_that_they_make_up() -> None:
    generator = np.random.default_rng(3)
    hourly, daily = {}, {}
    for number in range(22):
        close = 10 * np.exp(np.cumsum(generator.normal(0, 0.01, 24 * 40)))
        opened = np.concatenate((close[:1], close[:-1]))
        times = FIRST_MS + HOUR_MS * np.arange(close.size, dtype=np.int64)
        volume = generator.uniform(1e4, 1e5, close.size).round()
        hours = Series(
            times, opened, np.maximum(opened, close), np.minimum(opened, close), close, volume
        )
        symbol = f"C{number:03d}/USDT"
        hourly[symbol] = hours
        shape = (40, 24)
        daily[symbol] = Series(
            times[::24],
            opened[::24],
            hours.high.reshape(shape).max(axis=1),
            hours.low.reshape(shape).min(axis=1),
            close[23::24],
            volume.reshape(shape).sum(axis=1),
        )
    from_hours = prepare_decisions(
        a_recording(hourly, timeframe=HOURLY), Parameters(), horizons=(1, 7)
    )
    from_days = prepare_decisions(a_recording(daily), Parameters(), horizons=(1, 7))
    assert np.array_equal(from_hours.decided_at_ms, from_days.decided_at_ms)
    assert np.array_equal(from_hours.ranked, from_days.ranked)
    assert from_days.ranked.any()
    for feature in FEATURES:
        hours_say, days_say = from_hours.ranks[feature.name], from_days.ranks[feature.name]
        assert np.array_equal(hours_say, days_say, equal_nan=True), feature.name
    for horizon in (1, 7):
        assert np.array_equal(
            from_hours.returns[horizon], from_days.returns[horizon], equal_nan=True
        )


def test_the_order_of_the_markets_permutes_and_changes_nothing() -> None:
    world = a_world(21, 50)
    names = list(world)
    turned = {f"Z{99 - at:03d}/USDT": world[name] for at, name in enumerate(names)}
    first = prepare_decisions(a_recording(world), Parameters(), horizons=(1,))
    second = prepare_decisions(a_recording(turned), Parameters(), horizons=(1,))
    for name in first.ranks:
        assert np.array_equal(first.ranks[name], second.ranks[name][::-1], equal_nan=True), name


def test_a_recording_without_a_whole_day_is_refused() -> None:
    one = next(iter(a_world(1, 1).values()))
    morning = Series(*(getattr(one, name)[:1] for name in Series.__dataclass_fields__))
    recording = a_recording({"C000/USDT": morning}, timeframe=HOURLY)
    with pytest.raises(RecordingInvalid, match="no whole UTC day"):
        prepare_decisions(recording, Parameters(), horizons=(1,))
