"""What is published of a moment is the same, byte for byte, however much came after it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis_worlds import NOW_MS
from dantaro.analysis.engine import Inputs, build_panels
from dantaro.analysis.features import NAMES, day_features
from dantaro.analysis.history import build_history
from dantaro.analysis.panel import build_panel
from dantaro.analysis.rating import rating_series, ratings
from dantaro.market.timeframes import DAILY, DAY_MS, HOUR_MS, HOURLY
from dantaro.research.recordings import read_recordings
from holed_worlds import PARAMETERS, a_holed_world, documents, fingerprints, known_at, where

SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.integers(0, 40 * 24), st.integers(0, HOUR_MS - 1))
@example(7, 9 * 24 + 7, 60_000)  # midnight, a minute past
@settings(max_examples=25)
def test_of_a_simulated_moment(seed: int, hours_ago: int, beside_ms: int) -> None:
    world, now_ms = a_holed_world(seed), NOW_MS - hours_ago * HOUR_MS - beside_ms
    now = fingerprints(world, now_ms)
    assert len(now) >= 4
    assert now == fingerprints(known_at(world, now_ms), now_ms)


def test_the_comparison_would_see_one_candle_more() -> None:
    world, now_ms = a_holed_world(3), NOW_MS - 9 * DAY_MS
    later = fingerprints(known_at(world, now_ms + HOUR_MS), now_ms + HOUR_MS)
    assert fingerprints(known_at(world, now_ms), now_ms) != later


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("hourly", "daily", "first", "last"),
    [
        ("binance_spot_1h_2023", "binance_spot_1d_derived", "2023-02-10", "2023-12-29"),
        ("binance_spot_1h_2023", None, "2023-02-10", "2023-12-29"),
        ("binance_spot_1h_2022q2q4", None, "2022-05-05", "2022-12-30"),
        (None, "binance_spot_1d_derived", "2021-06-01", "2023-12-29"),
        (None, "bybit_linear_1d", "2021-06-01", "2023-12-31"),
    ],
)
def test_of_a_recorded_moment(
    recorded_data: Path, hourly: str | None, daily: str | None, first: str, last: str
) -> None:
    world = _recorded(recorded_data, hourly=hourly, daily=daily)
    rng = np.random.default_rng(2023)
    first_ms, last_ms = np.array([first, last], dtype="datetime64[ms]").astype(np.int64).tolist()
    for now_ms in rng.integers(first_ms, last_ms, size=2).tolist():
        assert fingerprints(world, now_ms) == fingerprints(known_at(world, now_ms), now_ms)


@given(SEEDS, st.integers(1, 30 * 24))
@settings(max_examples=15)
def test_of_every_column_of_the_rating(seed: int, hours_ago: int) -> None:
    """The series of ratings, and what the panel of each moment gives: the last of the series then."""
    world = a_holed_world(seed, coins=4)
    markets, now_ms = world.markets, NOW_MS - hours_ago * HOUR_MS
    panels = [
        build_panel(markets, series, HOURLY, now_ms=now_ms, candles=1200)
        for series in (world.hourly, known_at(world, now_ms).hourly)
    ]
    np.testing.assert_array_equal(rating_series(panels[0]), rating_series(panels[1]))
    ends = dict(zip(markets, rating_series(panels[0])[:, -1].tolist(), strict=True))
    rated = {(row.exchange, row.symbol): row.rating for row in ratings(panels[1])}
    assert rated
    for market, end in ends.items():
        assert rated.get((market.exchange, market.symbol)) == (None if np.isnan(end) else end)


@given(SEEDS, st.integers(1, 25))
@settings(max_examples=20)
def test_of_features_laid_out_over_the_past(seed: int, days_ago: int) -> None:
    """A history's features are, day by day, those of a history that ends there, to the last bit."""
    rng = np.random.default_rng(seed)
    daily = {
        key: where(days, rng.random(days.opened_at_ms.size) > 0.03)
        for key, days in a_holed_world(seed).daily.items()
    }
    world = replace(a_holed_world(seed), daily=daily)
    markets = [market for market in world.markets if market.key in daily]
    whole, then = (
        build_history(markets, known, DAILY, opening_jump=PARAMETERS.opening_jump)
        for known in (daily, known_at(world, NOW_MS - days_ago * DAY_MS).daily)
    )
    columns = then.opened_at_ms.size
    assert whole.opened_at_ms[:columns].tolist() == then.opened_at_ms.tolist()
    known_then = then.ages() > 0  # a history cannot fill a quiet day before the market is back
    assert known_then.any()
    later = day_features(whole, last=whole.opened_at_ms.size)
    at_the_time = day_features(then, last=columns)
    for name in NAMES:
        np.testing.assert_array_equal(
            whole.by_market(later[name])[:, :columns][known_then],
            then.by_market(at_the_time[name])[known_then],
            err_msg=name,
        )


@given(SEEDS, st.integers(0, 20))
@settings(max_examples=10)
def test_features_of_one_moment_are_those_of_all_moments(seed: int, days_ago: int) -> None:
    world = a_holed_world(seed)
    now_ms = NOW_MS - days_ago * DAY_MS
    days = build_panels(world, PARAMETERS, now_ms=now_ms).daily
    one, several = day_features(days), day_features(days, last=5)
    for name in NAMES:
        np.testing.assert_array_equal(one[name][:, -1], several[name][:, -1], err_msg=name)


def test_documents_are_read_from_a_world_with_every_kind_of_gap() -> None:
    found = documents(a_holed_world(1), NOW_MS)
    assert len(found) == 7
    panels = build_panels(a_holed_world(1), PARAMETERS, now_ms=NOW_MS)
    assert panels.hourly.axes
    assert (panels.hourly.quiet_share > 0).any()
    assert (panels.hourly.start > 0).any()
    assert any(
        build_panels(a_holed_world(seed), PARAMETERS, now_ms=NOW_MS).hourly.truncated.any()
        for seed in range(5)
    )


def _recorded(folder: Path, *, hourly: str | None, daily: str | None) -> Inputs:
    files = {name: folder / f"{name}.parquet" for name in (hourly, daily) if name}
    found = {name: read_recordings(path)[0] for name, path in files.items()}
    markets = {m.key: m for recording in found.values() for m in recording.markets}
    return Inputs(
        tuple(sorted(markets.values())),
        {},
        found[hourly].series if hourly else {},
        found[daily].series if daily else {},
    )
