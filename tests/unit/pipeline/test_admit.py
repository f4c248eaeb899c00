import pytest

from dantaro.errors import ClockMismatch
from dantaro.market.clocks import ClockReading
from dantaro.pipeline.admit import require_agreement, require_time

START = 1_685_577_600_000  # 2023-06-01T00:00Z
REAL = 1_760_000_000_000


def test_a_clock_before_the_stored_data_is_refused_with_the_time_to_start_at() -> None:
    reading = ClockReading(START, REAL, 1.0)
    with pytest.raises(ClockMismatch, match=r"--start 2023-06-01T01:00:00\+00:00 or later"):
        require_time("binance", reading, newest_ms=START + 3_600_000, real_ms=REAL)


def test_a_clock_at_or_after_the_stored_data_is_admitted() -> None:
    reading = ClockReading(START, REAL, 60.0)
    require_time("binance", reading, newest_ms=START + 3_600_000, real_ms=REAL + 60_000)
    require_time("binance", reading, newest_ms=None, real_ms=REAL)
    require_time("binance", None, newest_ms=START, real_ms=REAL)


def test_clocks_agree_when_they_show_nearly_the_same_time_at_the_same_speed() -> None:
    followed = ClockReading(START, REAL, 60.0)
    reading = ClockReading(START + 60 * 2_000, REAL, 60.0)
    require_agreement("upbit", reading, followed=followed, real_ms=REAL + 500)
    require_agreement("upbit", None, followed=None, real_ms=REAL)


@pytest.mark.parametrize(
    "reading",
    [
        ClockReading(START + 3_600_000, REAL, 60.0),
        ClockReading(START, REAL, 1.0),
        None,
    ],
    ids=["an hour off", "another speed", "no clock of its own"],
)
def test_a_clock_that_disagrees_with_the_one_followed_is_refused(
    reading: ClockReading | None,
) -> None:
    with pytest.raises(ClockMismatch, match="upbit"):
        require_agreement("upbit", reading, followed=ClockReading(START, REAL, 60.0), real_ms=REAL)
