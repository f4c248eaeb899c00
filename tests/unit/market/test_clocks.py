"""The published time of a recorded or simulated exchange."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dantaro.errors import VenueAnswerInvalid
from dantaro.market.clocks import ClockReading

REAL_MS = 1_700_000_000_000
VENUE_MS = 1_685_577_600_000

readings = st.builds(
    ClockReading,
    venue_ms=st.integers(0, 4_000_000_000_000),
    real_ms=st.integers(0, 4_000_000_000_000),
    speed=st.one_of(st.sampled_from([1.0, 60.0, 3600.0, 0.3]), st.floats(1e-3, 1e5)),
)


def test_time_runs_at_its_speed_from_the_reading_on() -> None:
    clock = ClockReading(VENUE_MS, REAL_MS, 60.0)
    assert clock.venue_time(real_ms=REAL_MS) == VENUE_MS
    assert clock.venue_time(real_ms=REAL_MS + 1000) == VENUE_MS + 60_000
    assert clock.venue_time(real_ms=REAL_MS - 1000) == VENUE_MS - 60_000
    assert clock.real_time(venue_ms=VENUE_MS + 60_000) == REAL_MS + 1000
    assert clock.real_time(venue_ms=VENUE_MS + 59_999) == REAL_MS + 1000


def test_a_slow_clock_shows_the_past_until_a_whole_millisecond_has_gone() -> None:
    clock = ClockReading(VENUE_MS, REAL_MS, 0.25)
    assert clock.venue_time(real_ms=REAL_MS + 3) == VENUE_MS
    assert clock.venue_time(real_ms=REAL_MS + 4) == VENUE_MS + 1
    assert clock.real_time(venue_ms=VENUE_MS + 1) == REAL_MS + 4


@given(readings, st.integers(-10_000_000_000, 10_000_000_000))
@example(ClockReading(VENUE_MS, REAL_MS, 0.7), 63)  # 63 / 0.7 is 90, but 90 x 0.7 is 62.99..
@example(ClockReading(VENUE_MS, REAL_MS, 0.3), 9)  # 9 / 0.3 is 30.00..4
def test_the_real_time_of_a_venue_time_is_the_first_that_shows_it(
    clock: ClockReading, after_ms: int
) -> None:
    venue_ms = clock.venue_ms + after_ms
    real_ms = clock.real_time(venue_ms=venue_ms)
    assert clock.venue_time(real_ms=real_ms) >= venue_ms
    assert clock.venue_time(real_ms=real_ms - 1) < venue_ms


@given(readings, st.integers(0, 10**12), st.integers(0, 10**9))
def test_time_never_runs_backwards(clock: ClockReading, real_ms: int, later_ms: int) -> None:
    assert clock.venue_time(real_ms=real_ms + later_ms) >= clock.venue_time(real_ms=real_ms)


@given(readings)
def test_a_header_reads_back_to_the_same_clock(clock: ClockReading) -> None:
    assert ClockReading.from_header(clock.to_header()) == clock


@pytest.mark.parametrize(
    "value",
    [
        "",
        "venue=1; real=2",
        "venue=1; real=2; speed=",
        "venue=1; real=2; speed=fast",
        "venue=1.5; real=2; speed=1",
        "venue=1; real=2; speed=0",
        "venue=1; real=2; speed=-1",
        "venue=1; real=2; speed=nan",
        "venue=1; real=2; speed=inf",
        "venue=1; real=2; speed=1; nonsense",
        "1,2,3",
    ],
)
def test_a_header_that_cannot_be_read_is_the_venues_fault(value: str) -> None:
    with pytest.raises(VenueAnswerInvalid, match="X-Dantaro-Clock"):
        ClockReading.from_header(value)
