import asyncio
from collections.abc import Callable

import pytest

from dantaro.clock import real_now_ms
from dantaro.errors import OriginMismatch, VenueRefused, VenueUnavailable
from dantaro.market.candles import Candle, RejectReason
from dantaro.market.clocks import ClockReading
from dantaro.market.markets import Origin, Ticker
from dantaro.market.timeframes import DAILY, DAY_MS, HOUR_MS, HOURLY, Timeframe
from dantaro.pipeline.collect import (
    CollectionPlan,
    collect_candles,
    collect_markets,
    collect_tickers,
)
from dantaro.pipeline.outcome import Outcome
from dantaro.storage.candles import coverage, gaps, read_candles, rejected_counts
from dantaro.storage.catalogue import latest_tickers, stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.facts import save_clock
from dantaro.venues.session import Announcement
from scripted_venue import NOW, Row, ScriptedVenue, rows_of

SYMBOLS = ["BTC/KRW", "ETH/KRW", "XRP/KRW"]


def _plan(*timeframes: Timeframe, days: int = 30, size: int = 10) -> CollectionPlan:
    return CollectionPlan.of(
        quotes=("KRW",),
        universe_size=size,
        timeframes=timeframes or (HOURLY,),
        hourly_days=days,
        daily_days=days,
    )


async def _collect(
    venue: ScriptedVenue,
    store: Store,
    plan: CollectionPlan,
    *,
    now_ms: int = NOW,
    enough: Callable[[], bool] = lambda: False,
) -> Outcome:
    return await collect_candles(
        venue.as_venue(),
        store,
        plan,
        origin=Origin.SIMULATED,
        now_ms=lambda: now_ms,
        enough=enough,
    )


def _stored(store: Store, symbol: str, timeframe: Timeframe = HOURLY) -> tuple[Candle, ...]:
    market_id = next(s.id for s in stored_markets(store) if s.market.symbol == symbol)
    return read_candles(store, market_id, timeframe, limit=100_000)


def _as_candles(rows: list[Row]) -> tuple[Candle, ...]:
    return tuple(Candle(*row) for row in rows)  # type: ignore[arg-type]  # the rows are sound


@pytest.mark.parametrize("newest_first", [False, True])
async def test_every_closed_candle_is_stored_in_whatever_order_the_pages_come(
    store: Store, *, newest_first: bool
) -> None:
    venue = ScriptedVenue(newest_first=newest_first)
    venue.put_into(store, SYMBOLS)
    rows = {symbol: rows_of(HOURLY, count=30 * 24) for symbol in SYMBOLS}
    venue.rows = {(symbol, "1h"): found for symbol, found in rows.items()}

    outcome = await _collect(venue, store, _plan())

    assert outcome.counts["candles_stored"] == 3 * 30 * 24
    assert outcome.again_in_seconds is None
    for symbol in SYMBOLS:
        assert _stored(store, symbol) == _as_candles(rows[symbol])
    assert gaps(store, limit=10) == ()


@pytest.mark.parametrize("newest_first", [False, True])
async def test_after_a_long_pause_what_was_missed_is_joined_to_what_was_stored(
    store: Store, *, newest_first: bool
) -> None:
    venue = ScriptedVenue(newest_first=newest_first)
    venue.put_into(store, SYMBOLS[:1])
    everything = rows_of(HOURLY, count=60 * 24)
    venue.rows = {("BTC/KRW", "1h"): everything}
    await _collect(venue, store, _plan(), now_ms=NOW - 25 * DAY_MS)

    await _collect(venue, store, _plan(days=55))

    assert _stored(store, "BTC/KRW") == _as_candles(everything[-55 * 24 :])
    assert gaps(store, limit=10) == ()


async def test_a_second_run_asks_for_nothing(store: Store) -> None:
    venue = ScriptedVenue()
    venue.put_into(store, SYMBOLS)
    venue.rows = {(symbol, "1h"): rows_of(HOURLY, count=48) for symbol in SYMBOLS}
    await _collect(venue, store, _plan())
    venue.asked.clear()

    outcome = await _collect(venue, store, _plan())

    assert not venue.asked
    assert outcome.counts["candles_stored"] == 0


async def test_a_market_that_fails_does_not_stop_the_others(store: Store) -> None:
    venue = ScriptedVenue()
    venue.put_into(store, SYMBOLS)
    venue.rows = {(symbol, "1h"): rows_of(HOURLY, count=24) for symbol in SYMBOLS}
    venue.failing["BTC/KRW"] = [VenueRefused("no such market")]
    venue.failing["ETH/KRW"] = [VenueUnavailable("reset")]

    outcome = await _collect(venue, store, _plan())

    assert outcome.error is None
    assert outcome.counts["failed"] == 1
    assert outcome.again_in_seconds is not None
    assert _stored(store, "BTC/KRW") == ()
    assert len(_stored(store, "ETH/KRW")) == 24  # the second try of the same run
    assert len(_stored(store, "XRP/KRW")) == 24


async def test_an_exchange_that_cannot_be_reached_is_left_alone_after_five_markets(
    store: Store,
) -> None:
    symbols = [f"C{i}/KRW" for i in range(50)]
    venue = ScriptedVenue()
    venue.put_into(store, symbols)
    for symbol in symbols:
        venue.failing[symbol] = [VenueUnavailable("timeout")] * 9

    outcome = await _collect(venue, store, _plan(size=50))

    assert isinstance(outcome.error, VenueUnavailable)
    assert sum(venue.asked.values()) <= 5 + 8  # those under way when the fifth failed
    assert outcome.counts["candles_stored"] == 0


async def test_a_run_that_is_stopped_is_resumed_by_the_next_without_asking_twice(
    store: Store,
) -> None:
    symbols = [f"C{i:02}/KRW" for i in range(20)]
    venue = ScriptedVenue()
    venue.put_into(store, symbols)
    rows = rows_of(HOURLY, count=24)
    venue.rows = {(symbol, "1h"): rows for symbol in symbols}

    first = await _collect(
        venue, store, _plan(size=20), enough=lambda: sum(venue.asked.values()) >= 30
    )

    assert first.again_in_seconds == 0.0
    assert first.counts["remaining"] > 0
    assert 0 < first.counts["candles_stored"] < 20 * 24
    second = await _collect(venue, store, _plan(size=20))
    assert second.counts["remaining"] == 0
    assert set(venue.asked.values()) == {1}
    assert all(_stored(store, symbol) == _as_candles(rows) for symbol in symbols)


async def test_days_come_before_hours_and_the_largest_turnover_first(store: Store) -> None:
    venue = ScriptedVenue()
    venue.put_into(store, SYMBOLS)
    plan = CollectionPlan(("KRW",), 2, (HOURLY, DAILY), {"1h": 2, "1d": 2}, concurrency=1)
    seen: list[tuple[int, int, str]] = []

    await collect_candles(
        venue.as_venue(),
        store,
        plan,
        origin=Origin.SIMULATED,
        now_ms=lambda: NOW,
        on_progress=lambda done, total, **names: seen.append((done, total, names["timeframe"])),
    )

    assert [(symbol, frame) for symbol, frame, _, _ in venue.asked] == [
        ("BTC/KRW", "1d"),
        ("ETH/KRW", "1d"),
        ("BTC/KRW", "1h"),
        ("ETH/KRW", "1h"),
    ]
    assert seen == [(i, 2, frame) for frame in ("1d", "1h") for i in range(3)]


async def test_wrong_rows_are_refused_with_their_reason_and_leave_a_gap(store: Store) -> None:
    venue = ScriptedVenue()
    venue.put_into(store, SYMBOLS[:1])
    rows = rows_of(HOURLY, count=24)
    at = [row[0] for row in rows]
    wrong: list[Row] = [
        (at[3], 1.0, 2.0, 0.5, float("nan"), 1.0),
        (at[5], -1.0, 2.0, 0.5, 1.0, 1.0),
        (at[7], 1.0, 0.5, 2.0, 1.0, 1.0),
        (int(str(at[9])) + 1, 1.0, 2.0, 0.5, 1.0, 1.0),
        ("yesterday", 1.0, 2.0, 0.5, 1.0, 1.0),
    ]
    sound = [row for i, row in enumerate(rows) if i not in {3, 5, 7, 9}]
    venue.rows = {("BTC/KRW", "1h"): [*sound, *wrong]}

    outcome = await _collect(venue, store, _plan(days=1))

    assert _stored(store, "BTC/KRW") == _as_candles(sound)
    assert rejected_counts(store) == {
        RejectReason.NOT_FINITE: 1,
        RejectReason.PRICE_NOT_POSITIVE: 1,
        RejectReason.RANGE_INVERTED: 1,
        RejectReason.MISALIGNED: 1,
        RejectReason.MALFORMED: 1,
    }
    assert outcome.counts["rows_rejected"] == 5
    assert outcome.counts["rejected_misaligned"] == 1
    assert [gap.start_ms for gap in sorted(gaps(store, limit=9), key=lambda g: g.start_ms)] == [
        at[i] for i in (3, 5, 7, 9)
    ]


async def test_days_of_another_time_zone_are_refused_and_not_asked_for_again(
    store: Store,
) -> None:
    venue = ScriptedVenue()
    venue.put_into(store, SYMBOLS[:1])
    nine_hours = 9 * HOUR_MS  # a day that begins at midnight in Seoul
    venue.rows = {
        ("BTC/KRW", "1d"): [
            (int(str(at)) - nine_hours, *figures) for at, *figures in rows_of(DAILY, count=20)
        ]
    }

    outcome = await _collect(venue, store, _plan(DAILY))

    assert outcome.counts["candles_stored"] == 0
    assert outcome.counts["rejected_misaligned"] == 20
    assert outcome.again_in_seconds is None
    venue.asked.clear()
    await _collect(venue, store, _plan(DAILY))
    assert not venue.asked


async def test_a_last_candle_that_is_late_is_asked_for_again_and_a_quiet_one_is_not(
    store: Store,
) -> None:
    venue = ScriptedVenue(now=lambda: HOURLY.floor(NOW) + 5_000)
    venue.put_into(store, SYMBOLS[:1])
    rows = rows_of(HOURLY, count=24)
    venue.rows = {("BTC/KRW", "1h"): rows[:-1]}
    just_closed = HOURLY.floor(NOW) + 5_000

    early = await _collect(venue, store, _plan(days=1), now_ms=just_closed)
    assert early.counts["unsettled"] == 1
    assert early.again_in_seconds is not None
    assert gaps(store, limit=9) == ()

    venue.rows = {("BTC/KRW", "1h"): rows}
    again = await _collect(venue, store, _plan(days=1), now_ms=just_closed + 20_000)
    assert again.again_in_seconds is None
    assert _stored(store, "BTC/KRW") == _as_candles(rows)


async def test_a_quiet_last_candle_becomes_a_gap_once_it_can_no_longer_be_late(
    store: Store,
) -> None:
    venue = ScriptedVenue()
    venue.put_into(store, SYMBOLS[:1])
    venue.rows = {("BTC/KRW", "1h"): rows_of(HOURLY, count=24)[:-1]}

    outcome = await _collect(venue, store, _plan(days=1))

    assert outcome.again_in_seconds is None
    (gap,) = gaps(store, limit=9)
    assert (gap.start_ms, gap.end_ms) == (HOURLY.last_closed(now_ms=NOW), HOURLY.floor(NOW))


async def test_an_exchange_that_turns_into_another_origin_stores_nothing_more(
    store: Store,
) -> None:
    venue = ScriptedVenue()
    venue.put_into(store, SYMBOLS)
    venue.rows = {(symbol, "1h"): rows_of(HOURLY, count=24) for symbol in SYMBOLS}

    def turn() -> None:
        if venue.asked:
            venue.announcement = Announcement(Origin.LIVE, None)

    venue.before_page = turn
    with pytest.raises(OriginMismatch, match="live"):
        await _collect(venue, store, _plan())
    await asyncio.sleep(
        0.3
    )  # a page of before, already on its way into the store, still gets there
    stored_before = len(coverage(store))
    with pytest.raises(OriginMismatch):
        await collect_markets(venue.as_venue(), store, origin=Origin.SIMULATED, now_ms=lambda: NOW)
    with pytest.raises(OriginMismatch):
        await collect_tickers(venue.as_venue(), store, _plan(), origin=Origin.SIMULATED)
    assert len(coverage(store)) == stored_before


async def test_a_candle_that_the_exchange_corrects_after_the_close_is_corrected_with_the_next(
    store: Store,
) -> None:
    venue = ScriptedVenue()
    venue.put_into(store, SYMBOLS[:1])
    rows = rows_of(HOURLY, count=25)
    at_ms, *_ = rows[-2]
    rough: Row = (at_ms, 1.0, 1.0, 1.0, 1.0, 1.0)
    venue.rows = {("BTC/KRW", "1h"): [*rows[:-2], rough]}
    await _collect(venue, store, _plan(days=2), now_ms=NOW - HOUR_MS)

    venue.rows = {("BTC/KRW", "1h"): rows}
    outcome = await _collect(venue, store, _plan(days=2))

    assert outcome.counts["candles_changed"] == 1
    assert _stored(store, "BTC/KRW") == _as_candles(rows)


async def test_an_exchange_that_refuses_every_market_has_failed(store: Store) -> None:
    venue = ScriptedVenue()
    venue.put_into(store, SYMBOLS)
    for symbol in SYMBOLS:
        venue.failing[symbol] = [VenueRefused("no such endpoint")] * 9
    outcome = await _collect(venue, store, _plan())
    assert isinstance(outcome.error, VenueRefused)
    assert outcome.counts["failed"] == len(SYMBOLS)


async def test_tickers_that_cannot_be_true_are_left_out_and_counted(store: Store) -> None:
    venue = ScriptedVenue()
    venue.put_into(store, SYMBOLS)
    later = NOW + 60_000
    answers = (
        Ticker("upbit", "BTC/KRW", 200.0, 0.1, 1e9, later),
        Ticker("upbit", "ETH/KRW", float("inf"), 0.1, 1e9, later),
        Ticker("upbit", "XRP/KRW", 100.0, float("nan"), 1e9, later),
    )

    async def tickers(_: object) -> tuple[Ticker, ...]:
        return answers

    venue.tickers = tickers  # type: ignore[method-assign,assignment]  # this test's own answers
    outcome = await collect_tickers(venue.as_venue(), store, _plan(), origin=Origin.SIMULATED)

    assert outcome.counts["tickers_rejected"] == 2
    fresh = [ticker for ticker in latest_tickers(store) if ticker.at_ms == later]
    assert fresh == [answers[0]]


async def test_tickers_are_dated_by_the_clock_of_the_data_not_by_their_own_times(
    store: Store,
) -> None:
    venue = ScriptedVenue()
    venue.put_into(store, SYMBOLS)
    save_clock(store, ClockReading(NOW + HOUR_MS, real_now_ms(), 1.0))
    await collect_tickers(venue.as_venue(), store, _plan(), origin=Origin.SIMULATED)
    repeated = latest_tickers(store, collected_since_ms=NOW + HOUR_MS)
    assert {ticker.symbol for ticker in repeated} == set(SYMBOLS)
    assert {ticker.at_ms for ticker in repeated} == {NOW}
    assert latest_tickers(store, collected_since_ms=NOW + 2 * HOUR_MS) == ()


async def test_a_market_that_left_the_universe_is_collected_until_its_outcomes_are_known(
    store: Store,
) -> None:
    now_ms = NOW
    venue = ScriptedVenue(now=lambda: now_ms)
    venue.put_into(store, SYMBOLS)
    venue.rows = {
        (symbol, "1h"): rows_of(HOURLY, count=30 * 24, now_ms=NOW + 20 * DAY_MS)
        for symbol in SYMBOLS
    }
    plan = _plan(days=2, size=2)
    first = await _collect(venue, store, plan)
    assert (first.counts["universe"], first.counts["followed"]) == (2, 0)

    now_ms = NOW + DAY_MS
    venue.put_into(store, ["BTC/KRW", "XRP/KRW", "ETH/KRW"])  # ETH is the smallest now
    changed = await _collect(venue, store, plan, now_ms=now_ms)
    assert (changed.counts["universe"], changed.counts["followed"]) == (2, 1)
    assert (
        _newest(store, "ETH/KRW") == _newest(store, "BTC/KRW") == HOURLY.last_closed(now_ms=now_ms)
    )

    # Eight days after it was last in the universe nobody asks for it any more.
    now_ms = NOW + 8 * DAY_MS
    before_ms = _newest(store, "ETH/KRW")
    after = await _collect(venue, store, plan, now_ms=now_ms)
    assert after.counts["followed"] == 0
    assert _newest(store, "ETH/KRW") == before_ms
    assert _newest(store, "BTC/KRW") == HOURLY.last_closed(now_ms=now_ms)


async def test_a_market_that_is_no_longer_listed_is_not_asked_for(store: Store) -> None:
    venue = ScriptedVenue()
    venue.put_into(store, SYMBOLS)
    await _collect(venue, store, _plan())
    venue.put_into(store, SYMBOLS[:2])
    venue.asked.clear()
    outcome = await _collect(venue, store, _plan(), now_ms=NOW + HOUR_MS)
    assert outcome.counts["followed"] == 0
    assert {symbol for symbol, *_ in venue.asked} == set(SYMBOLS[:2])


def _newest(store: Store, symbol: str) -> int:
    return _stored(store, symbol)[-1].opened_at_ms
