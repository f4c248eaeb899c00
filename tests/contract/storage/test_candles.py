"""Candles, coverage, gaps and refused rows, on both databases."""

import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from dantaro.market.candles import Candle, RejectedRow, RejectReason, Validated, validate_candles
from dantaro.market.markets import Market
from dantaro.market.timeframes import DAILY, DAY_MS, HOUR_MS, HOURLY
from dantaro.storage import candles
from dantaro.storage.catalogue import save_markets, stored_markets
from dantaro.storage.engine import Store, open_store
from dantaro.storage.schema import migrate

START = 1_700_000_000_000 - 1_700_000_000_000 % DAY_MS


def candle(hour: int, close: float = 100.0) -> Candle:
    return Candle(START + hour * HOUR_MS, 100.0, max(101.0, close), 99.0, close, 5.0)


def page(*hours: int, rejected: tuple[RejectedRow, ...] = ()) -> Validated:
    return Validated(tuple(map(candle, hours)), rejected, 0)


def store_hours(
    store: Store, market_id: int, first: int, end: int, validated: Validated
) -> candles.StoredPage:
    return candles.store_page(
        store,
        market_id,
        HOURLY,
        start_ms=START + first * HOUR_MS,
        end_ms=START + end * HOUR_MS,
        validated=validated,
        recorded_at_ms=START + 1000 * HOUR_MS,
    )


def open_gaps(store: Store, state: str = "open") -> list[tuple[int, int]]:
    """Gaps as hours since START."""
    found = candles.gaps(store, state=state, limit=100)
    return sorted(
        ((gap.start_ms - START) // HOUR_MS, (gap.end_ms - START) // HOUR_MS) for gap in found
    )


@pytest.fixture
def market_id(store: Store) -> int:
    save_markets(store, "upbit", [Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC")], at_ms=START)
    return stored_markets(store)[0].id


def test_candles_read_back_as_they_were_written(store: Store, market_id: int) -> None:
    odd = [0.1 + 0.2, 5e-324, 1.7976931348623157e30, 1 / 3, math.pi * 1e-12, 123456789.12345679]
    written = [Candle(START + i * HOUR_MS, x, x, x, x, x) for i, x in enumerate(odd)]
    assert candles.upsert_candles(store, market_id, HOURLY, written) == len(odd)
    assert candles.read_candles(store, market_id, HOURLY, limit=10) == tuple(written)


def test_an_upsert_counts_only_what_is_new_or_changed(store: Store, market_id: int) -> None:
    first = [candle(hour) for hour in range(5)]
    assert candles.upsert_candles(store, market_id, "1h", first) == 5
    assert candles.upsert_candles(store, market_id, "1h", first) == 0
    changed = [*first[:4], candle(4, close=100.5), candle(5)]
    assert candles.upsert_candles(store, market_id, "1h", changed) == 2
    assert candles.read_candles(store, market_id, "1h", limit=10) == tuple(changed)


def test_a_time_that_is_given_twice_counts_once_and_the_later_row_holds(
    store: Store, market_id: int
) -> None:
    twice = [candle(0), candle(0, close=100.5)]
    assert candles.upsert_candles(store, market_id, HOURLY, twice) == 1
    assert candles.read_candles(store, market_id, HOURLY, limit=10) == (twice[1],)


def test_markets_and_timeframes_are_kept_apart(store: Store) -> None:
    hourly = {1: [candle(0)], 2: [candle(0), candle(1)]}
    assert candles.upsert_many(store, HOURLY, hourly) == 3
    assert candles.upsert_many(store, DAILY, {1: [candle(0, close=100.5)], 3: []}) == 1
    assert candles.read_candles(store, 2, HOURLY, limit=10) == (candle(0), candle(1))
    assert candles.read_candles(store, 1, DAILY, limit=10) == (candle(0, close=100.5),)
    assert candles.read_candles(store, 3, DAILY, limit=10) == ()
    assert candles.upsert_many(store, HOURLY, {}) == 0


def test_reading_takes_the_first_or_the_newest_of_an_interval(store: Store, market_id: int) -> None:
    candles.upsert_candles(store, market_id, HOURLY, [candle(hour) for hour in range(10)])
    start_ms, end_ms = START + 2 * HOUR_MS, START + 8 * HOUR_MS
    first = candles.read_candles(
        store, market_id, HOURLY, start_ms=start_ms, end_ms=end_ms, limit=3
    )
    newest = candles.read_candles(
        store, market_id, HOURLY, start_ms=start_ms, end_ms=end_ms, limit=3, newest=True
    )
    assert first == (candle(2), candle(3), candle(4))
    assert newest == (candle(5), candle(6), candle(7))


def test_candles_over_many_years_find_their_place(store: Store, market_id: int) -> None:
    days = [Candle(at * 400 * DAY_MS, 1.0, 1.0, 1.0, 1.0, 0.0) for at in range(36, 52)]
    assert candles.upsert_candles(store, market_id, DAILY, days) == 16
    assert candles.upsert_candles(store, market_id, HOURLY, days) == 16
    assert candles.read_candles(store, market_id, DAILY, limit=99) == tuple(days)
    assert candles.read_candles(store, market_id, HOURLY, limit=99) == tuple(days)


def test_a_page_grows_the_coverage_and_records_its_holes(store: Store, market_id: int) -> None:
    stored = store_hours(store, market_id, 0, 8, page(1, 2, 4, 5))
    assert stored == candles.StoredPage(written=4, changed=0, rejected=0, missing=3, repaired=0)
    covered = candles.coverage(store)[market_id, "1h"]
    assert (covered.start_ms, covered.end_ms) == (START, START + 8 * HOUR_MS)
    assert covered.first_candle_ms == START + HOUR_MS
    assert covered.last_candle_ms == START + 5 * HOUR_MS
    assert open_gaps(store) == [(3, 4), (6, 8)]  # nothing before the market's first candle


def test_the_same_page_again_changes_nothing(store: Store, market_id: int) -> None:
    rejection = RejectedRow(START, RejectReason.NOT_FINITE, "[1, nan]")
    validated = page(1, 2, 4, rejected=(rejection,))
    first = store_hours(store, market_id, 0, 6, validated)
    before = candles.coverage(store), candles.gaps(store, limit=9)
    again = store_hours(store, market_id, 0, 6, validated)
    assert (first.rejected, first.missing) == (1, 2)
    assert again == candles.StoredPage(0, 0, 0, 0, 0)
    assert (candles.coverage(store), candles.gaps(store, limit=9)) == before


def test_the_revision_rises_when_candles_up_to_the_last_one_are_written_and_only_then(
    store: Store, market_id: int
) -> None:
    def revision_after(first: int, end: int, validated: Validated) -> int:
        store_hours(store, market_id, first, end, validated)
        return candles.coverage(store)[market_id, "1h"].revision

    assert revision_after(0, 2, page()) == 0
    assert revision_after(0, 6, page(2, 3, 5)) == 0
    assert revision_after(6, 8, page(6, 7)) == 0
    assert revision_after(5, 9, page(5, 6, 7, 8)) == 0  # asked again, and one more
    assert revision_after(2, 6, page(2, 3, 5)) == 0
    assert revision_after(4, 5, page(4)) == 1  # a repaired gap
    assert revision_after(4, 5, page(4)) == 1
    last = Validated((candle(8, close=100.5), candle(9)), (), 0)
    assert revision_after(8, 10, last) == 2  # corrected, and one more
    assert revision_after(0, 1, page(0)) == 3
    stored = store_hours(store, market_id, 8, 11, page(8, 9, 10))
    assert (stored.written, stored.changed) == (2, 1)


def test_a_gap_at_the_seam_of_two_pages_is_one_gap(store: Store, market_id: int) -> None:
    store_hours(store, market_id, 0, 4, page(0, 1))
    stored = store_hours(store, market_id, 4, 8, page(6, 7))
    assert stored.missing == 2
    assert open_gaps(store) == [(2, 6)]


def test_pages_may_go_back_in_time(store: Store, market_id: int) -> None:
    store_hours(store, market_id, 8, 12, page(10, 11))
    assert open_gaps(store) == []  # the market may have begun at 10
    stored = store_hours(store, market_id, 4, 8, page(5, 6))
    assert stored.missing == 3
    assert open_gaps(store) == [(7, 10)]
    store_hours(store, market_id, 0, 4, page())
    assert open_gaps(store) == [(7, 10)]
    assert candles.coverage(store)[market_id, "1h"].first_candle_ms == START + 5 * HOUR_MS


def test_empty_coverage_becomes_a_gap_once_an_older_candle_is_known(
    store: Store, market_id: int
) -> None:
    store_hours(store, market_id, 8, 12, page())
    assert candles.coverage(store)[market_id, "1h"].first_candle_ms is None
    store_hours(store, market_id, 4, 8, page(4, 5, 6, 7))
    assert open_gaps(store) == [(8, 12)]


def test_a_candle_that_comes_later_repairs_its_gap(store: Store, market_id: int) -> None:
    store_hours(store, market_id, 0, 8, page(0, 7))
    candles.note_attempt(store, candles.gaps(store, limit=1)[0].id, at_ms=START)
    stored = store_hours(store, market_id, 0, 8, page(0, 3, 7))
    assert (stored.written, stored.repaired, stored.missing) == (1, 1, 0)
    assert open_gaps(store) == [(1, 3), (4, 7)]
    assert {gap.attempts for gap in candles.gaps(store, limit=9)} == {1}
    store_hours(store, market_id, 0, 8, page(*range(8)))
    assert open_gaps(store) == []
    assert len(open_gaps(store, "repaired")) == 2


def test_a_confirmed_gap_stays_confirmed_until_a_candle_comes(store: Store, market_id: int) -> None:
    store_hours(store, market_id, 0, 4, page(0, 3))
    candles.close_gap(store, candles.gaps(store, limit=1)[0].id, state="confirmed", at_ms=START)
    again = store_hours(store, market_id, 0, 6, page(0, 3))
    assert again.missing == 2
    assert open_gaps(store) == [(4, 6)]
    assert open_gaps(store, "confirmed") == [(1, 3)]
    repaired = store_hours(store, market_id, 0, 6, page(0, 2, 3))
    assert repaired.repaired == 1
    assert open_gaps(store, "confirmed") == [(1, 2)]


def test_two_gaps_that_meet_become_one_with_the_larger_number_of_attempts(
    store: Store, market_id: int
) -> None:
    store_hours(store, market_id, 0, 10, page(0, 4, 9))
    first = next(gap for gap in candles.gaps(store, limit=9) if gap.start_ms == START + HOUR_MS)
    candles.note_attempt(store, first.id, at_ms=START)
    with store.writing() as connection:
        at = START + 4 * HOUR_MS
        connection.execute(text("DELETE FROM candles WHERE opened_at_ms = :at"), {"at": at})
    store_hours(store, market_id, 0, 10, page(0, 9))
    (joined,) = candles.gaps(store, state="open", limit=9)
    assert (joined.start_ms, joined.end_ms) == (START + HOUR_MS, START + 9 * HOUR_MS)
    assert (joined.id, joined.attempts) == (first.id, 1)


def test_a_page_away_from_the_coverage_is_refused_and_nothing_is_kept(
    store: Store, market_id: int
) -> None:
    store_hours(store, market_id, 0, 4, page(0, 1, 2, 3))
    with pytest.raises(ValueError, match="does not touch the coverage"):
        store_hours(store, market_id, 5, 8, page(5, 6, 7))
    assert len(candles.read_candles(store, market_id, HOURLY, limit=99)) == 4


def test_an_interval_that_is_not_aligned_covers_its_whole_candles_only(
    store: Store, market_id: int
) -> None:
    candles.store_page(
        store,
        market_id,
        "1h",
        start_ms=START - 1,
        end_ms=START + 3 * HOUR_MS + 1_800_000,
        validated=page(0, 1, 2),
        recorded_at_ms=START,
    )
    covered = candles.coverage(store, timeframe="1h", exchange="upbit")[market_id, "1h"]
    assert (covered.start_ms, covered.end_ms) == (START, START + 3 * HOUR_MS)
    assert open_gaps(store) == []


def test_refused_rows_are_kept_with_their_reason_and_counted(store: Store, market_id: int) -> None:
    rows: list[list[object]] = [
        ["x"],
        [2**70, 1, 1, 1, 1, 1],
        [START + 1, 1, 1, 1, 1, "\x00\ud800"],
    ]
    validated = validate_candles(rows, HOURLY, now_ms=START + DAY_MS)
    assert store_hours(store, market_id, 0, 1, validated).rejected == 3
    assert store_hours(store, market_id, 0, 1, validated).rejected == 0
    kept = candles.rejected_rows(store, since_ms=0, limit=10)
    assert {row.row for row in kept} == {row.row for row in validated.rejected}
    assert {row.times for row in kept} == {2}
    counts = candles.rejected_counts(store, exchange="upbit")
    assert counts == {RejectReason.MALFORMED: 2, RejectReason.MISALIGNED: 1}
    assert candles.rejected_counts(store, exchange="okx") == {}


def test_coverage_of_another_exchange_or_timeframe_is_left_out(
    store: Store, market_id: int
) -> None:
    store_hours(store, market_id, 0, 1, page(0))
    assert candles.coverage(store, exchange="okx") == {}
    assert candles.coverage(store, timeframe=DAILY) == {}
    assert candles.gaps(store, exchange="okx", market_id=market_id, limit=1) == ()


# The law, on SQLite alone as examples are many: gaps are exactly the uncovered candles after the first.
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    pages=st.lists(
        st.tuples(st.integers(0, 20), st.integers(1, 8), st.sets(st.integers(0, 27))),
        min_size=1,
        max_size=6,
    )
)
def test_gaps_are_always_the_covered_times_without_a_candle(
    pages: list[tuple[int, int, set[int]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'd.db'}")
        migrate(store)
        markets = [Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC")]
        save_markets(store, "upbit", markets, at_ms=START)
        covered: set[int] = set()
        kept: set[int] = set()
        missing = repaired = 0
        for first, length, hours in pages:
            asked = set(range(first, first + length))
            if covered and not (min(covered) - length <= first <= max(covered) + 1):
                continue
            answered = sorted(hours & asked)
            stored = store_hours(store, 1, first, first + length, page(*answered))
            covered |= asked
            kept |= set(answered)
            missing += stored.missing
            repaired += stored.repaired
            expected = {hour for hour in covered - kept if hour > min(kept, default=99)}
            assert {h for a, b in open_gaps(store) for h in range(a, b)} == expected
            assert missing - repaired == len(expected)
            assert store_hours(store, 1, first, first + length, page(*answered)).written == 0
        store.close()
