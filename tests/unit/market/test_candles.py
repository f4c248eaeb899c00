"""Every raw row is accepted, or rejected with a reason, or forming; nothing is lost silently."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dantaro.market.candles import Candle, RejectReason, validate_candles
from dantaro.market.timeframes import HOUR_MS, HOURLY

NOW_MS = 1_700_049_600_000 + 30 * 60_000  # half past an hour
FORMING_MS = NOW_MS - 30 * 60_000
CLOSED_MS = FORMING_MS - HOUR_MS

Row = Sequence[object]
GOOD = (CLOSED_MS, 10.0, 12.0, 9.0, 11.0, 5.0)


def reason(row: Row) -> RejectReason:
    outcome = validate_candles([row], HOURLY, now_ms=NOW_MS)
    assert outcome.accepted == ()
    assert outcome.forming == 0
    (rejected,) = outcome.rejected
    return rejected.reason


def changed(**figures: object) -> Row:
    return tuple({**Candle(*GOOD)._asdict(), **figures}.values())


def test_a_good_row_is_accepted_as_it_is() -> None:
    outcome = validate_candles([GOOD], HOURLY, now_ms=NOW_MS)
    assert outcome.accepted == (Candle(*GOOD),)
    assert outcome.rejected == ()


def test_whole_numbers_and_further_columns_are_fine() -> None:
    outcome = validate_candles(
        [[CLOSED_MS, 10, 12, 9, 11, 0, "extra", None]], HOURLY, now_ms=NOW_MS
    )
    (candle,) = outcome.accepted
    assert candle == (CLOSED_MS, 10.0, 12.0, 9.0, 11.0, 0.0)
    assert all(type(figure) is float for figure in candle[1:])


@pytest.mark.parametrize(
    "row",
    [
        (),
        (CLOSED_MS, 1.0, 1.0, 1.0, 1.0),
        "123456",
        b"123456",
        (None, 1.0, 1.0, 1.0, 1.0, 1.0),
        (float(CLOSED_MS), 1.0, 1.0, 1.0, 1.0, 1.0),
        (True, 1.0, 1.0, 1.0, 1.0, 1.0),
        (CLOSED_MS, "1.0", 1.0, 1.0, 1.0, 1.0),
        (CLOSED_MS, 1.0, 1.0, 1.0, 1.0, None),
        (CLOSED_MS, 1.0, 1.0, True, 1.0, 1.0),
        (CLOSED_MS, 1.0, 1.0, 1.0, 1.0, 10**400),
        {"open": 1},
        None,
    ],
)
def test_what_is_no_row_of_six_numbers_is_malformed(row: Row) -> None:
    assert reason(row) is RejectReason.MALFORMED


@pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_is_refused(field: str, value: float) -> None:
    assert reason(changed(**{field: value})) is RejectReason.NOT_FINITE


@pytest.mark.parametrize("field", ["open", "high", "low", "close"])
@pytest.mark.parametrize("value", [0.0, -0.0, -1.0])
def test_a_price_must_be_positive(field: str, value: float) -> None:
    assert reason(changed(**{field: value})) is RejectReason.PRICE_NOT_POSITIVE


def test_a_volume_may_be_zero_but_not_negative() -> None:
    assert reason(changed(volume=-1e-9)) is RejectReason.VOLUME_NEGATIVE
    assert validate_candles([changed(volume=0.0)], HOURLY, now_ms=NOW_MS).accepted


@pytest.mark.parametrize(
    "figures", [{"high": 10.9}, {"low": 10.1}, {"open": 12.1}, {"open": 8.9}, {"close": 8.9}]
)
def test_high_and_low_must_enclose_open_and_close(figures: dict[str, float]) -> None:
    assert reason(changed(**figures)) is RejectReason.RANGE_INVERTED


def test_figures_and_times_beyond_anything_real_are_refused() -> None:
    assert reason(changed(high=1e31)) is RejectReason.OUT_OF_RANGE
    assert reason(changed(volume=1e31)) is RejectReason.OUT_OF_RANGE
    assert reason(changed(opened_at_ms=CLOSED_MS // 1000)) is RejectReason.OUT_OF_RANGE  # seconds


def test_a_candle_that_opens_between_the_slots_is_misaligned() -> None:
    assert reason(changed(opened_at_ms=CLOSED_MS + 1)) is RejectReason.MISALIGNED


def test_the_candle_of_now_is_forming_and_a_later_one_is_wrong() -> None:
    outcome = validate_candles([changed(opened_at_ms=FORMING_MS)], HOURLY, now_ms=NOW_MS)
    assert (outcome.accepted, outcome.rejected, outcome.forming) == ((), (), 1)
    assert reason(changed(opened_at_ms=FORMING_MS + HOUR_MS)) is RejectReason.NOT_CLOSED
    at_its_close = validate_candles(
        [changed(opened_at_ms=FORMING_MS)], HOURLY, now_ms=FORMING_MS + HOUR_MS
    )
    assert len(at_its_close.accepted) == 1


def test_a_wrong_row_is_refused_even_while_it_is_forming() -> None:
    assert reason(changed(opened_at_ms=FORMING_MS, low=-1.0)) is RejectReason.PRICE_NOT_POSITIVE


def test_an_exact_duplicate_is_one_candle() -> None:
    outcome = validate_candles([GOOD, list(GOOD)], HOURLY, now_ms=NOW_MS)
    assert len(outcome.accepted) == 1
    assert outcome.rejected == ()


def test_of_two_different_rows_for_one_time_neither_is_believed() -> None:
    other = changed(close=10.5)
    for rows in ([GOOD, other], [other, GOOD], [GOOD, GOOD, other], [GOOD, other, GOOD]):
        outcome = validate_candles(rows, HOURLY, now_ms=NOW_MS)
        assert outcome.accepted == ()
        assert {row.reason for row in outcome.rejected} == {RejectReason.CONFLICTING_DUPLICATE}
        assert {row.opened_at_ms for row in outcome.rejected} == {CLOSED_MS}
        assert len({row.row for row in outcome.rejected}) == 2


def test_a_rejected_row_keeps_its_time_and_its_text_shortened() -> None:
    (short,) = validate_candles([changed(low=-1.0)], HOURLY, now_ms=NOW_MS).rejected
    assert short.opened_at_ms == CLOSED_MS
    assert short.row == f"[{CLOSED_MS}, 10.0, 12.0, -1.0, 11.0, 5.0]"
    (long,) = validate_candles([["x" * 5_000] * 6], HOURLY, now_ms=NOW_MS).rejected
    assert long.opened_at_ms is None
    assert len(long.row) == 200
    assert long.row.endswith("…")


# ----------------------------------------------------------------------------- laws

figures = st.one_of(
    st.floats(),
    st.floats(0.5, 100.0),
    st.integers(-2, 10),
    st.sampled_from([None, "1", True, math.nan, 10**400]),
)
slots = st.one_of(
    st.integers(-6, 3).map(lambda slot: FORMING_MS + slot * HOUR_MS),
    st.integers(0, 2**70),
    st.sampled_from([None, "now", 1.5]),
)
any_row = st.tuples(slots, figures, figures, figures, figures, figures)
good_rows = st.builds(
    lambda slot, low, up, down, volume: (
        FORMING_MS - slot * HOUR_MS, low + up, low + up + down, low, low + down, float(volume)
    ),
    st.integers(-2, 8), st.floats(0.01, 1e6), st.floats(0, 1e6), st.floats(0, 1e6), st.integers(0, 3),
)  # fmt: skip
pages = st.lists(st.one_of(any_row, good_rows), max_size=25)


@given(pages)
def test_no_page_is_too_strange_and_every_row_is_accounted_for(page: list[Row]) -> None:
    outcome = validate_candles(page, HOURLY, now_ms=NOW_MS)
    repeated = len(page) - len(outcome.accepted) - len(outcome.rejected) - outcome.forming
    assert 0 <= repeated <= len(page) - len({repr(row) for row in page})


@given(pages)
def test_accepted_candles_ascend_and_keep_every_rule(page: list[Row]) -> None:
    accepted = validate_candles(page, HOURLY, now_ms=NOW_MS).accepted
    times = [candle.opened_at_ms for candle in accepted]
    assert times == sorted(set(times))
    for candle in accepted:
        assert HOURLY.is_aligned(candle.opened_at_ms)
        assert HOURLY.is_closed(candle.opened_at_ms, now_ms=NOW_MS)
        assert 0 < candle.low <= min(candle.open, candle.close)
        assert candle.high >= max(candle.open, candle.close)
        assert 0 <= candle.volume < math.inf


@given(pages, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(page: list[Row], shuffler: random.Random) -> None:
    shuffled = list(page)
    shuffler.shuffle(shuffled)
    one = validate_candles(page, HOURLY, now_ms=NOW_MS)
    other = validate_candles(shuffled, HOURLY, now_ms=NOW_MS)
    assert one.accepted == other.accepted
    assert one.forming == other.forming
    assert {(row.reason, row.row) for row in one.rejected} == {
        (row.reason, row.row) for row in other.rejected
    }


@given(pages)
def test_validating_what_was_accepted_changes_nothing(page: list[Row]) -> None:
    accepted = validate_candles(page, HOURLY, now_ms=NOW_MS).accepted
    again = validate_candles(accepted, HOURLY, now_ms=NOW_MS)
    assert again.accepted == accepted
    assert again.rejected == ()
    assert again.forming == 0
