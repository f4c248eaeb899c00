"""Days and four hours out of hours."""

import pytest

from dantaro.market.candles import validate_candles
from dantaro.market.timeframes import DAILY, FOUR_HOURLY, HOURLY
from dantaro.venues.adapters.coarser import coarsen
from dantaro.venues.rows import Row

HOUR, DAY = HOURLY.milliseconds, DAILY.milliseconds
FIRST = 19_000 * DAY
LATER = FIRST + 10 * DAY


def hour(index: int, price: float = 2.0, volume: float = 1.0) -> Row:
    return (FIRST + index * HOUR, price, price + 1, price - 1, price + 0.5, volume)


def test_a_day_opens_with_its_first_hour_and_closes_with_its_last() -> None:
    rows = [hour(5, 3.0, 2.0), hour(0, 2.0), hour(23, 1.5)]
    assert coarsen(rows, DAILY, now_ms=LATER) == [(FIRST, 2.0, 4.0, 0.5, 2.0, 4.0)]


def test_hours_are_sorted_into_their_slots() -> None:
    rows = coarsen([hour(i) for i in range(9)], FOUR_HOURLY, now_ms=LATER)
    assert [(row[0], row[5]) for row in rows] == [
        (FIRST, 4.0),
        (FIRST + 4 * HOUR, 4.0),
        (FIRST + 8 * HOUR, 1.0),
    ]


@pytest.mark.parametrize("back_ms", [1, HOUR, 23 * HOUR])
def test_a_day_that_has_not_ended_is_not_built(back_ms: int) -> None:
    now_ms = FIRST + DAY - back_ms
    rows = [hour(i) for i in range(24)]
    begun = [row for row in rows if now_ms - HOUR * rows.index(row) >= FIRST]
    assert coarsen(begun, DAILY, now_ms=now_ms) == []
    assert len(coarsen(rows, DAILY, now_ms=FIRST + DAY)) == 1


def test_a_day_with_a_faulty_hour_is_missing_and_the_fault_is_counted() -> None:
    faulty: Row = (FIRST + 3 * HOUR, 2.0, 1.0, 3.0, 2.0, 1.0)
    rows = coarsen([hour(0), faulty, hour(24)], DAILY, now_ms=LATER)
    outcome = validate_candles(rows, DAILY, now_ms=LATER)
    assert [candle.opened_at_ms for candle in outcome.accepted] == [FIRST + DAY]
    assert len(outcome.rejected) == 1
    assert str(FIRST + 3 * HOUR) in outcome.rejected[0].row


def test_a_fault_without_a_readable_hour_leaves_no_day_of_the_page() -> None:
    rows = coarsen([hour(0), ("garbage",), hour(24)], DAILY, now_ms=LATER)
    outcome = validate_candles(rows, DAILY, now_ms=LATER)
    assert outcome.accepted == ()
    assert len(outcome.rejected) == 1
