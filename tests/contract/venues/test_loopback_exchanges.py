"""The project's own loopback exchanges keep the contract that the venues read."""

import time
from collections.abc import AsyncIterator
from typing import Literal

import pytest

from dantaro.exchange_server.server import ExchangeServer, create_server
from dantaro.exchange_server.simulation import simulated_source
from dantaro.market.candles import validate_candles
from dantaro.market.clocks import ClockReading
from dantaro.market.markets import Origin
from dantaro.market.timeframes import DAILY, HOURLY, Timeframe
from dantaro.venues.session import VenueSession
from dantaro.venues.venue import open_venue

VENUE_NOW_MS = 1_735_700_700_000  # 2025-01-01 03:05 UTC


@pytest.fixture(params=["binance", "upbit"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[ExchangeServer]:
    exchange: Literal["binance", "upbit"] = request.param
    reading = ClockReading(VENUE_NOW_MS, time.time_ns() // 1_000_000, 1.0)
    source = simulated_source(exchange, seed=3)
    server = create_server(exchange, source, reading, host="127.0.0.1", port=0)
    await server.start()
    yield server
    await server.stop()


@pytest.mark.parametrize("timeframe", [HOURLY, DAILY], ids=str)
async def test_markets_tickers_and_candles_are_read_from_a_loopback_exchange(
    server: ExchangeServer, timeframe: Timeframe
) -> None:
    session = VenueSession()
    venue = open_venue(server.exchange, session=session, base_url=server.url)
    markets = [market for market in await venue.markets() if market.listed]
    tickers = {ticker.symbol: ticker for ticker in await venue.tickers(markets)}
    market = max(
        (m for m in markets if m.symbol in tickers),
        key=lambda m: (m.base == "BTC", tickers[m.symbol].turnover_24h or 0.0),
    )
    span = 300 * timeframe.milliseconds
    start_ms = timeframe.floor(VENUE_NOW_MS) - span
    stream = venue.candles(market, timeframe, start_ms=start_ms, end_ms=start_ms + span)
    pages = [page async for page in stream]
    await session.close()

    assert venue.announcement is not None
    assert venue.announcement.origin is Origin.SIMULATED
    told_ms = [page.venue_now_ms for page in pages]
    assert all(at is not None and 0 <= at - VENUE_NOW_MS < 60_000 for at in told_ms)
    assert max(page.end_ms for page in pages) == start_ms + span
    rows = [row for page in pages for row in page.rows]
    outcome = validate_candles(rows, timeframe, now_ms=VENUE_NOW_MS)
    assert outcome.rejected == ()
    assert len(outcome.accepted) == len(rows) > 250
    assert all(start_ms <= candle.opened_at_ms < start_ms + span for candle in outcome.accepted)
