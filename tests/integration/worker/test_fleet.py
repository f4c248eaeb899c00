import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from dantaro.clock import Clock, real_now_ms
from dantaro.errors import ClockMismatch, OriginMismatch
from dantaro.exchange_server.server import ExchangeServer, create_server
from dantaro.exchange_server.simulation import simulated_source
from dantaro.market.candles import Candle, Validated
from dantaro.market.clocks import ClockReading
from dantaro.market.markets import Market, Origin
from dantaro.market.timeframes import HOUR_MS, HOURLY
from dantaro.pipeline.admit import FirstAnswer, first_answer
from dantaro.storage import facts
from dantaro.storage.candles import store_page
from dantaro.storage.catalogue import save_markets, stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.jobs import runs
from dantaro.venues.session import VenueSession
from dantaro.venues.venue import Venue, open_venue
from dantaro.worker import fleet as fleet_module
from dantaro.worker.fleet import Fleet

START = 1_706_745_600_000  # 2024-02-01T00:00Z, a month into the simulated world


class Listener:
    """A fleet and what it said."""

    def __init__(self, store: Store, venues: list[Venue]) -> None:
        self.clock = Clock()
        self.admitted: list[str] = []
        self.refused: list[str] = []
        self.clock_changes = 0
        self.fleet = Fleet(
            store,
            venues,
            self.clock,
            worker_id="w1",
            on_admitted=lambda venue: self.admitted.append(venue.exchange),
            on_refused=lambda venue: self.refused.append(venue.exchange),
            on_clock=self._clock_changed,
        )

    def _clock_changed(self) -> None:
        self.clock_changes += 1

    async def until(self, condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - any condition, so there is no one event
                await asyncio.sleep(0.02)


def _server(exchange: str, reading: ClockReading, *, port: int = 0) -> ExchangeServer:
    source = simulated_source(exchange, seed=7)
    return create_server(
        "binance" if exchange == "binance" else "upbit",
        source,
        reading,
        host="127.0.0.1",
        port=port,
        limited=False,
    )


@asynccontextmanager
async def _running(*servers: ExchangeServer) -> AsyncIterator[list[Venue]]:
    session = VenueSession(timeout_seconds=2.0)
    for server in servers:
        await server.start()
    try:
        yield [open_venue(s.exchange, session=session, base_url=s.url) for s in servers]
    finally:
        await session.close()
        for server in servers:
            await server.stop()


def _last_error(store: Store, exchange: str) -> str | None:
    """What the newest attempt that has ended says."""
    found = runs(store, job=f"connect:{exchange}", limit=9)
    return next(run.error for run in found if run.finished_at_ms is not None)


async def test_the_first_exchange_gives_a_new_store_its_origin_and_its_clock(
    store: Store,
) -> None:
    reading = ClockReading(START, real_now_ms(), 60.0)
    async with _running(_server("binance", reading), _server("upbit", reading)) as venues:
        told = Listener(store, venues)
        await told.fleet.connect()
        await told.fleet.close()
    assert told.admitted == ["binance", "upbit"]
    assert facts.origin(store) is told.fleet.origin is Origin.SIMULATED
    assert facts.clock_reading(store) == told.clock.reading == reading
    assert told.clock_changes == 1
    assert {stored.market.exchange for stored in stored_markets(store)} == {"binance", "upbit"}


async def test_no_exchange_of_another_origin_may_feed_the_store(store: Store) -> None:
    facts.fix_origin(store, Origin.LIVE)
    async with _running(_server("upbit", ClockReading(START, real_now_ms(), 1.0))) as venues:
        told = Listener(store, venues)
        with pytest.raises(OriginMismatch, match="another DANTARO_HOME"):
            await told.fleet.connect()
        await told.fleet.close()
    assert told.admitted == []
    assert stored_markets(store) == ()
    error = _last_error(store, "upbit")
    assert error is not None
    assert error.startswith("OriginMismatch")


async def test_a_clock_before_the_stored_data_is_refused_with_the_remedy(store: Store) -> None:
    facts.fix_origin(store, Origin.SIMULATED)
    save_markets(store, "upbit", [Market("upbit", "A/KRW", "A", "KRW", "KRW-A")], at_ms=START)
    (stored,) = stored_markets(store)
    candle = Candle(START + 5 * HOUR_MS, 1.0, 1.0, 1.0, 1.0, 1.0)
    store_page(
        store,
        stored.id,
        HOURLY,
        start_ms=START,
        end_ms=START + 6 * HOUR_MS,
        validated=Validated((candle,), (), 0),
        recorded_at_ms=START,
    )
    async with _running(_server("upbit", ClockReading(START, real_now_ms(), 1.0))) as venues:
        told = Listener(store, venues)
        with pytest.raises(ClockMismatch, match=r"--start .* or later"):
            await told.fleet.connect()
        await told.fleet.close()
    assert [s.market.symbol for s in stored_markets(store)] == ["A/KRW"]


async def test_exchanges_that_do_not_agree_on_the_time_are_not_both_admitted(
    store: Store,
) -> None:
    real_ms = real_now_ms()
    here = _server("binance", ClockReading(START, real_ms, 1.0))
    there = _server("upbit", ClockReading(START + HOUR_MS, real_ms, 1.0))
    async with _running(here, there) as venues:
        told = Listener(store, venues)
        await told.fleet.connect()
        await told.fleet.close()
    assert told.admitted == ["binance"]
    assert "ClockMismatch" in str(_last_error(store, "upbit"))


async def test_an_exchange_that_is_away_at_the_start_is_admitted_when_it_comes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "_PAUSES_SECONDS", (0.1,))
    reading = ClockReading(START, real_now_ms(), 1.0)
    away = _server("upbit", reading)
    async with _running(_server("binance", reading), away) as venues:
        await away.stop()
        told = Listener(store, venues)
        await told.fleet.connect()
        assert told.admitted == ["binance"]
        await told.until(lambda: len(runs(store, job="connect:upbit", limit=9)) >= 2)
        assert "VenueUnavailable" in str(_last_error(store, "upbit"))
        await away.start()
        await told.until(lambda: told.admitted == ["binance", "upbit"])
        await told.fleet.close()
    assert _last_error(store, "upbit") is None


async def test_an_error_that_nobody_foresaw_does_not_end_the_attempts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "_PAUSES_SECONDS", (0.1,))
    away = _server("upbit", ClockReading(START, real_now_ms(), 1.0))
    async with _running(away) as venues:
        await away.stop()
        told = Listener(store, venues)
        await told.fleet.connect()
        asked = 0

        async def broken_at_first(venue: Venue) -> FirstAnswer:
            nonlocal asked
            asked += 1
            if asked < 3:
                raise KeyError("unforeseen")
            return await first_answer(venue)

        monkeypatch.setattr(fleet_module, "first_answer", broken_at_first)
        await away.start()
        await told.until(lambda: told.admitted == ["upbit"])
        await told.fleet.close()
    assert asked == 3
    assert told.fleet.reach.away == frozenset()


async def test_with_no_exchange_in_reach_a_store_keeps_its_own_time(store: Store) -> None:
    facts.fix_origin(store, Origin.RECORDED)
    reading = ClockReading(START, real_now_ms(), 2.0)
    facts.save_clock(store, reading)
    session = VenueSession(timeout_seconds=1.0)
    venue = open_venue("upbit", session=session, base_url="http://127.0.0.1:9")
    told = Listener(store, [venue])
    await told.fleet.connect()
    await told.fleet.close()
    await session.close()
    assert told.admitted == []
    assert told.fleet.origin is Origin.RECORDED
    assert told.clock.reading == reading
    assert told.fleet.reach.away == {"upbit"}


async def test_an_exchange_that_comes_back_with_another_clock_is_refused_until_it_fits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "_PAUSES_SECONDS", (0.1,))
    first = _server("upbit", ClockReading(START, real_now_ms(), 1.0))
    async with _running(first) as (venue,):
        told = Listener(store, [venue])
        await told.fleet.connect()
        port = int(first.url.rpartition(":")[2])
        await first.stop()
        later = ClockReading(START + HOUR_MS, real_now_ms(), 1.0)
        second = _server("upbit", later, port=port)
        await second.start()
        await venue.markets()
        told.fleet.watch("upbit")
        assert told.refused == ["upbit"]
        await told.until(lambda: told.admitted == ["upbit", "upbit"])
        await told.fleet.close()
        await second.stop()
    assert told.clock.reading == later
    assert told.clock_changes == 2


async def test_an_exchange_that_is_refused_does_not_end_the_wait_for_one_that_is_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "_PAUSES_SECONDS", (0.1,))
    facts.fix_origin(store, Origin.SIMULATED)
    save_markets(store, "binance", [Market("binance", "A/B", "A", "B", "AB")], at_ms=START)
    (stored,) = stored_markets(store)
    candle = Candle(START + 5 * HOUR_MS, 1.0, 1.0, 1.0, 1.0, 1.0)
    store_page(
        store,
        stored.id,
        HOURLY,
        start_ms=START,
        end_ms=START + 6 * HOUR_MS,
        validated=Validated((candle,), (), 0),
        recorded_at_ms=START,
    )
    real_ms = real_now_ms()
    refused = _server("binance", ClockReading(START, real_ms, 1.0))
    away = _server("upbit", ClockReading(START + 6 * HOUR_MS, real_ms, 1.0))
    async with _running(refused, away) as venues:
        await away.stop()
        told = Listener(store, venues)
        await told.fleet.connect()
        assert told.admitted == []
        await away.start()
        await told.until(lambda: told.admitted == ["upbit"])
        await told.fleet.close()
    assert "ClockMismatch" in str(_last_error(store, "binance"))
