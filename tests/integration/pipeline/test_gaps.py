from dantaro.errors import VenueRefused
from dantaro.market.markets import Origin
from dantaro.market.timeframes import DAY_MS, HOUR_MS, HOURLY, MINUTE_MS
from dantaro.pipeline.collect import CollectionPlan, collect_candles
from dantaro.pipeline.gaps import repair_gaps
from dantaro.pipeline.outcome import Outcome
from dantaro.storage.candles import Gap, gaps, read_candles
from dantaro.storage.catalogue import stored_markets
from dantaro.storage.engine import Store
from scripted_venue import NOW, Row, ScriptedVenue, rows_of

PLAN = CollectionPlan.of(
    quotes=("KRW",), universe_size=9, timeframes=(HOURLY,), hourly_days=2, daily_days=2
)


async def _with_holes(store: Store, *missing: int, symbol: str = "BTC/KRW") -> ScriptedVenue:
    """A market collected while the candles at these places were missing; now they are there."""
    venue = ScriptedVenue()
    venue.put_into(store, [symbol])
    rows = rows_of(HOURLY, count=48)
    venue.rows = {(symbol, "1h"): [row for i, row in enumerate(rows) if i not in missing]}
    await collect_candles(
        venue.as_venue(), store, PLAN, origin=Origin.SIMULATED, now_ms=lambda: NOW
    )
    venue.rows = {(symbol, "1h"): rows}
    venue.asked.clear()
    return venue


async def _repair(venue: ScriptedVenue, store: Store, *, now_ms: int = NOW) -> Outcome:
    return await repair_gaps(
        venue.as_venue(), store, origin=Origin.SIMULATED, now_ms=lambda: now_ms
    )


def _states(store: Store) -> list[str]:
    return [gap.state for gap in gaps(store, limit=99)]


def _remove(venue: ScriptedVenue, gap: Gap) -> None:
    rows: list[Row] = [
        row
        for row in venue.rows["BTC/KRW", "1h"]
        if not gap.start_ms <= int(str(row[0])) < gap.end_ms
    ]
    venue.rows = {("BTC/KRW", "1h"): rows}


async def test_a_gap_is_repaired_when_the_exchange_has_the_candles_after_all(store: Store) -> None:
    venue = await _with_holes(store, 10, 11, 12, 30)

    outcome = await _repair(venue, store)

    assert outcome.counts["gaps_repaired"] == 2
    assert outcome.counts["candles_stored"] == 4
    assert _states(store) == ["repaired", "repaired"]
    (market,) = stored_markets(store)
    assert len(read_candles(store, market.id, HOURLY, limit=99)) == 48


async def test_neighbouring_gaps_are_asked_for_in_one_call(store: Store) -> None:
    venue = await _with_holes(store, 10, 12, 14, 30)
    await _repair(venue, store)
    assert sum(venue.asked.values()) == 1


async def test_a_gap_that_stays_empty_is_confirmed_at_the_third_attempt_and_then_left_alone(
    store: Store,
) -> None:
    venue = await _with_holes(store, 10)
    (gap,) = gaps(store, limit=9)
    _remove(venue, gap)

    for state in ("open", "open", "confirmed"):
        await _repair(venue, store, now_ms=NOW + DAY_MS)
        assert _states(store) == [state]
    assert sum(venue.asked.values()) == 3
    await _repair(venue, store, now_ms=NOW + 9 * DAY_MS)
    assert sum(venue.asked.values()) == 3


async def test_attempts_wait_ten_minutes_then_an_hour_then_a_day(store: Store) -> None:
    venue = await _with_holes(store, 44)
    (gap,) = gaps(store, limit=9)
    _remove(venue, gap)
    asked = []
    for age_ms in (9 * MINUTE_MS, 10 * MINUTE_MS, 59 * MINUTE_MS, HOUR_MS, 23 * HOUR_MS, DAY_MS):
        before = sum(venue.asked.values())
        await _repair(venue, store, now_ms=gap.end_ms + age_ms)
        asked.append(sum(venue.asked.values()) > before)
    assert asked == [False, True, False, True, False, True]


async def test_what_is_found_of_a_gap_is_kept_and_the_rest_stays_open(store: Store) -> None:
    venue = await _with_holes(store, 10, 11, 12)
    (gap,) = gaps(store, limit=9)
    middle = gap.start_ms + HOUR_MS
    rows = [row for row in venue.rows["BTC/KRW", "1h"] if row[0] != middle]
    venue.rows = {("BTC/KRW", "1h"): rows}

    await _repair(venue, store)

    open_ = gaps(store, state="open", limit=9)
    assert [(gap.start_ms, gap.end_ms) for gap in open_] == [(middle, middle + HOUR_MS)]


async def test_an_exchange_that_refuses_one_market_is_counted_and_the_gap_stays(
    store: Store,
) -> None:
    venue = await _with_holes(store, 10)
    venue.failing["BTC/KRW"] = [VenueRefused("unknown market")]
    outcome = await _repair(venue, store)
    assert outcome.counts["failed"] == 1
    assert _states(store) == ["open"]
