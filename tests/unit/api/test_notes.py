"""What answers say beside their figures: silent workers, old prices."""

import pytest

from dantaro.api.notes import price_note
from dantaro.api.serving import Options

OPTIONS = Options(periods={"tickers": 60, "recommendations": 300})


@pytest.mark.parametrize(
    ("speed", "seconds"),
    [
        (1.0, 480),  # three rounds of tickers and one of recommendations
        (6.0, 480),
        (60.0, 70 * 60),  # the ten real seconds that a ticker holds, and a real minute
        (600.0, 70 * 600),
    ],
)
def test_prices_may_be_older_the_faster_the_clock_runs(speed: float, seconds: int) -> None:
    assert OPTIONS.price_limit_ms(speed=speed) == seconds * 1000


def test_at_six_hundred_times_real_time_prices_that_are_kept_up_are_not_noted() -> None:
    limit_ms = OPTIONS.price_limit_ms(speed=600.0)
    assert limit_ms is not None
    # collected twelve real seconds ago: two hours of the clock
    now_ms = 12 * 600 * 1000
    assert price_note({"okx": 0}, now_ms=now_ms, limit_ms=limit_ms) == (None, limit_ms + 1)

    note, _ = price_note({"okx": 0}, now_ms=limit_ms + 1, limit_ms=limit_ms)
    assert note == "prices of okx are 11 h old"


def test_without_the_periods_no_limit_is_known() -> None:
    assert Options(periods={"tickers": 60}).price_limit_ms(speed=1.0) is None
