from hypothesis import given
from hypothesis import strategies as st

from dantaro.market.candles import Candle
from dantaro.market.timeframes import DAY_MS, HOUR_MS, HOURLY
from dantaro.pipeline.ranges import SETTLE_MS, horizon, missing_ranges, settled_end

NOW = 1_700_000_000_000 // HOUR_MS * HOUR_MS + 5_000
TOP = HOURLY.floor(NOW)
HORIZON = TOP - 10 * HOUR_MS


def _candle(opened_at_ms: int) -> Candle:
    return Candle(opened_at_ms, 1.0, 1.0, 1.0, 1.0, 1.0)


def test_a_market_never_asked_for_misses_everything_from_the_horizon_to_the_last_closed() -> None:
    assert missing_ranges(None, HOURLY, horizon_ms=HORIZON, now_ms=NOW) == ((HORIZON, TOP),)


def test_an_increment_asks_for_the_last_stored_candle_again() -> None:
    covered = (HORIZON, TOP - HOUR_MS)
    found = missing_ranges(covered, HOURLY, horizon_ms=HORIZON, now_ms=NOW)
    assert found == ((TOP - 2 * HOUR_MS, TOP),)


def test_nothing_is_missing_until_the_next_candle_closes() -> None:
    covered = (HORIZON, TOP)
    assert missing_ranges(covered, HOURLY, horizon_ms=HORIZON, now_ms=NOW) == ()
    almost = TOP + HOUR_MS - 1
    assert missing_ranges(covered, HOURLY, horizon_ms=HORIZON, now_ms=almost) == ()
    assert missing_ranges(covered, HOURLY, horizon_ms=HORIZON, now_ms=almost + 1) != ()


def test_a_grown_horizon_is_asked_for_after_the_increment() -> None:
    covered = (HORIZON + 4 * HOUR_MS, TOP - HOUR_MS)
    found = missing_ranges(covered, HOURLY, horizon_ms=HORIZON, now_ms=NOW)
    assert found == ((TOP - 2 * HOUR_MS, TOP), (HORIZON, HORIZON + 4 * HOUR_MS))


@given(
    start=st.integers(-5, 14),
    length=st.integers(1, 20),
    now_slots=st.integers(0, 12),
    into=st.integers(0, HOUR_MS - 1),
)
def test_the_ranges_and_what_is_covered_together_cover_all_that_is_wanted(
    start: int, length: int, now_slots: int, into: int
) -> None:
    now = HORIZON + now_slots * HOUR_MS + into
    covered = (HORIZON + start * HOUR_MS, HORIZON + (start + length) * HOUR_MS)
    slots = {at for low, high in [covered] for at in range(low, high, HOUR_MS)}
    for low, high in missing_ranges(covered, HOURLY, horizon_ms=HORIZON, now_ms=now):
        assert low < high <= HOURLY.floor(now)
        slots.update(range(low, high, HOUR_MS))
    assert set(range(HORIZON, HOURLY.floor(now), HOUR_MS)) <= slots


def test_an_answer_is_complete_up_to_its_newest_candle() -> None:
    end = settled_end([_candle(TOP - HOUR_MS)], HOURLY, start_ms=HORIZON, end_ms=TOP, now_ms=NOW)
    assert end == TOP


def test_a_last_candle_that_is_absent_right_after_its_close_is_late_and_not_quiet() -> None:
    rows = [_candle(TOP - 2 * HOUR_MS)]
    end = settled_end(rows, HOURLY, start_ms=HORIZON, end_ms=TOP, now_ms=NOW)
    assert end == TOP - HOUR_MS
    later = settled_end(rows, HOURLY, start_ms=HORIZON, end_ms=TOP, now_ms=TOP + SETTLE_MS)
    assert later == TOP


def test_an_answer_by_a_clock_that_is_behind_ends_before_the_forming_candle() -> None:
    end = settled_end([], HOURLY, start_ms=HORIZON, end_ms=TOP, now_ms=TOP - 1)
    assert end == TOP - HOUR_MS


def test_the_horizon_is_aligned_on_the_timeframe() -> None:
    assert horizon(HOURLY, days=2, now_ms=NOW) == TOP - 2 * DAY_MS
