"""Alignment on UTC and the closed-candle rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dantaro.errors import ConfigurationError
from dantaro.market.timeframes import (
    DAILY,
    DAY_MS,
    FOUR_HOURLY,
    HOUR_MS,
    HOURLY,
    MINUTE_MS,
    Timeframe,
    parse_timeframe,
)

NAMES = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
NOON_MS = 1_700_049_600_000  # 2023-11-15 12:00 UTC

timeframes = st.sampled_from([parse_timeframe(name) for name in NAMES])
times = st.integers(0, 4_102_444_800_000)  # until 2100


@pytest.mark.parametrize("name", NAMES)
def test_a_timeframe_is_known_by_its_name(name: str) -> None:
    assert str(parse_timeframe(name)) == name


@pytest.mark.parametrize("name", ["", "1H", "2h", "1w", "60", "h1", " 1h"])
def test_an_unknown_timeframe_is_named_beside_those_that_are_known(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_timeframe(name)
    assert repr(name) in str(caught.value)
    assert "1m, 5m, 15m, 30m, 1h, 4h, 1d" in str(caught.value)


def test_candles_open_on_whole_hours_and_days_of_utc() -> None:
    at_ms = NOON_MS + 3 * HOUR_MS + 59 * MINUTE_MS + 999
    assert HOURLY.floor(at_ms) == NOON_MS + 3 * HOUR_MS
    assert FOUR_HOURLY.floor(at_ms) == NOON_MS
    assert DAILY.floor(at_ms) == NOON_MS - 12 * HOUR_MS
    assert DAILY.floor(NOON_MS) % DAY_MS == 0


def test_a_candle_is_closed_from_the_first_millisecond_after_it() -> None:
    assert not HOURLY.is_closed(NOON_MS, now_ms=NOON_MS + HOUR_MS - 1)
    assert HOURLY.is_closed(NOON_MS, now_ms=NOON_MS + HOUR_MS)
    assert HOURLY.last_closed(now_ms=NOON_MS + HOUR_MS - 1) == NOON_MS - HOUR_MS
    assert HOURLY.last_closed(now_ms=NOON_MS + HOUR_MS) == NOON_MS


@given(timeframes, times)
def test_the_candle_of_a_time_is_aligned_and_contains_it(frame: Timeframe, at_ms: int) -> None:
    opened_at_ms = frame.floor(at_ms)
    assert frame.is_aligned(opened_at_ms)
    assert opened_at_ms <= at_ms < opened_at_ms + frame.milliseconds
    assert frame.floor(opened_at_ms) == opened_at_ms


@given(timeframes, times)
def test_the_last_closed_candle_is_closed_and_the_next_is_not(
    frame: Timeframe, now_ms: int
) -> None:
    last_ms = frame.last_closed(now_ms=now_ms)
    assert frame.is_aligned(last_ms)
    assert frame.is_closed(last_ms, now_ms=now_ms)
    assert not frame.is_closed(last_ms + frame.milliseconds, now_ms=now_ms)
