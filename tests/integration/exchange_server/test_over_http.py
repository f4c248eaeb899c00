"""The loopback exchange over HTTP, asked by ccxt as the collectors ask, and by hand."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.async_support as ccxt
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dantaro.errors import ConfigurationError
from dantaro.exchange_server.recorded import default_start_ms, recorded_source
from dantaro.exchange_server.server import ExchangeServer, create_server
from dantaro.exchange_server.simulation import simulated_source
from dantaro.exchange_server.source import MarketSource
from dantaro.market.clocks import CLOCK_HEADER, LIMITS_HEADER, ORIGIN_HEADER, ClockReading
from dantaro.market.timeframes import DAY_MS, HOUR_MS

_RECORDING = "binance_spot_1h_2023.parquet"
_AFTER_MS = 1_703_894_400_000 + DAY_MS  # a day after its end

Serve = Callable[..., Awaitable[ExchangeServer]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts servers and stops them at the end."""
    started: list[ExchangeServer] = []

    async def start(
        exchange: Any, source: MarketSource, now_ms: int, **options: Any
    ) -> ExchangeServer:
        reading = ClockReading(now_ms, time.time_ns() // 1_000_000, 1.0)
        options = {"host": "127.0.0.1", "port": 0, "limited": False, **options}
        server = create_server(exchange, source, reading, **options)
        await server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        await server.stop()


def _client(exchange: str, url: str) -> Any:
    client = getattr(ccxt, exchange)({"enableRateLimit": False})
    client.options["fetchMarkets"] = {"types": ["spot"]}
    public = {"binance": f"{url}/api/v3", "upbit": url}[exchange]
    client.urls["api"] = {**client.urls["api"], "public": public}
    return client


def _recorded(recorded_data: Path, symbol: str) -> list[list[float]]:
    table = pq.read_table(recorded_data / _RECORDING, filters=pc.field("symbol") == symbol)
    columns = ("ts", "open", "high", "low", "close", "volume")
    return [list(row) for row in zip(*(table[c].to_pylist() for c in columns), strict=True)]


async def test_ccxt_reads_every_row_of_binance_klines_exactly(
    serve: Serve, recorded_data: Path
) -> None:
    source = recorded_source(recorded_data / _RECORDING, "binance")
    server = await serve("binance", source, _AFTER_MS)
    async with _client("binance", server.url) as client:
        for symbol in ("BTC/USDT", "QUICK/USDT"):  # whole, and with a gap of days
            rows: list[list[float]] = []
            since = source.start_ms
            while page := await client.fetch_ohlcv(symbol, "1h", since=since, limit=1000):
                rows += page
                since = page[-1][0] + 1
            expected = _recorded(recorded_data, symbol)
            assert len(expected) > 8000
            assert rows == expected


async def test_ccxt_reads_every_row_of_upbit_candles_exactly(
    serve: Serve, recorded_data: Path
) -> None:
    source = recorded_source(recorded_data / _RECORDING, "upbit")
    server = await serve("upbit", source, _AFTER_MS)
    async with _client("upbit", server.url) as client:
        for symbol in ("BTC/USDT", "QUICK/USDT"):
            rows: dict[int, list[float]] = {}
            # ccxt asks for the 200 hours from `since` on, which it turns into an exclusive `to`.
            for since in range(source.start_ms, _AFTER_MS, 200 * HOUR_MS):
                page = await client.fetch_ohlcv(symbol, "1h", since=since, limit=200)
                rows |= {int(row[0]): row for row in page}
            assert [rows[at] for at in sorted(rows)] == _recorded(recorded_data, symbol)


@pytest.mark.parametrize("exchange", ["binance", "upbit"])
async def test_ccxt_reads_markets_tickers_and_days(
    serve: Serve, recorded_data: Path, exchange: str
) -> None:
    source = recorded_source(recorded_data / _RECORDING, exchange)
    now_ms = default_start_ms(source) + 7 * HOUR_MS // 2
    server = await serve(exchange, source, now_ms)
    async with _client(exchange, server.url) as client:
        markets = await client.load_markets()
        listed = {listing.symbol for listing in source.listings(now_ms)}
        assert {symbol for symbol, market in markets.items() if market["active"]} == listed
        tickers = await client.fetch_tickers()
        assert set(tickers) == listed
        btc = [row for row in _recorded(recorded_data, "BTC/USDT") if row[0] <= now_ms]
        assert tickers["BTC/USDT"]["last"] == btc[-1][1]  # the opening of the hour that is forming
        volume = sum(row[5] for row in btc[-25:-1])
        assert tickers["BTC/USDT"]["baseVolume"] == pytest.approx(volume, rel=1e-12)
        days = await client.fetch_ohlcv("BTC/USDT", "1d", limit=3)
        midnight = now_ms - now_ms % DAY_MS
        assert [row[0] for row in days] == [midnight - 2 * DAY_MS, midnight - DAY_MS, midnight]
        hours = [row for row in btc if midnight - DAY_MS <= row[0] < midnight]
        assert days[1][1:5] == [
            hours[0][1],
            max(row[2] for row in hours),
            min(row[3] for row in hours),
            hours[-1][4],
        ]


async def test_ccxt_understands_the_errors(serve: Serve) -> None:
    now_ms = time.time_ns() // 1_000_000
    binance = await serve("binance", simulated_source("binance", seed=1), now_ms)
    upbit = await serve("upbit", simulated_source("upbit", seed=1), now_ms)
    async with _client("binance", binance.url) as client:
        await client.load_markets()
        with pytest.raises(ccxt.BadSymbol, match="Invalid symbol"):
            await client.public_get_klines({"symbol": "NOPEUSDT", "interval": "1h"})
        with pytest.raises(ccxt.BadRequest, match="Invalid interval"):
            await client.public_get_klines({"symbol": "BTCUSDT", "interval": "7h"})
    async with _client("upbit", upbit.url) as client:
        await client.load_markets()
        with pytest.raises(ccxt.ExchangeError, match="Code not found"):
            await client.public_get_candles_timeframe({"timeframe": "days", "market": "KRW-NOPE"})


async def test_both_sides_of_the_simulation_speak_to_ccxt(serve: Serve) -> None:
    now_ms = time.time_ns() // 1_000_000
    for exchange, symbol, quotes in (
        ("binance", "BTC/USDT", {"USDT"}),
        ("upbit", "BTC/KRW", {"KRW", "BTC", "USDT"}),
    ):
        server = await serve(exchange, simulated_source(exchange, seed=1), now_ms)
        async with _client(exchange, server.url) as client:
            markets = await client.load_markets()
            assert {market["quote"] for market in markets.values()} == quotes
            assert len(await client.fetch_tickers()) == len(markets) >= 60
            hours = await client.fetch_ohlcv(symbol, "1h", limit=200)
            assert len(hours) > 190
            assert len(await client.fetch_ohlcv(symbol, "1d", limit=200)) == 200


async def test_every_answer_tells_origin_and_clock(serve: Serve) -> None:
    now_ms = time.time_ns() // 1_000_000
    server = await serve("upbit", simulated_source("upbit", seed=1), now_ms, limited=True)
    async with aiohttp.ClientSession() as session:

        async def get(path: str, method: str = "GET") -> int:
            async with session.request(method, server.url + path) as response:
                assert response.headers[ORIGIN_HEADER] == "simulated"
                reading = ClockReading.from_header(response.headers[CLOCK_HEADER])
                assert reading.venue_ms == now_ms
                return response.status

        assert await get("/v1/market/all") == 200
        assert await get("/v1/ticker?markets=KRW-NOPE") == 404
        assert await get("/nothing/here") == 404
        assert await get("/v1/market/all", "POST") == 405
        statuses = [await get("/v1/candles/days?market=KRW-BTC") for _ in range(25)]
        assert set(statuses) == {200, 429}


async def test_an_error_in_a_source_is_one_answer_and_not_the_end(serve: Serve) -> None:
    source = simulated_source("binance", seed=1)

    class Broken:
        origin, start_ms, end_ms = source.origin, source.start_ms, source.end_ms
        listings, listing, finest = source.listings, source.listing, source.finest

        def candles(self, *_: object) -> Any:
            raise ArithmeticError("the disk is on fire")

    server = await serve("binance", Broken(), time.time_ns() // 1_000_000)
    async with aiohttp.ClientSession() as session:
        async with session.get(
            f"{server.url}/api/v3/klines", params={"symbol": "BTCUSDT", "interval": "1h"}
        ) as response:
            assert response.status == 500
            assert response.headers[ORIGIN_HEADER] == "simulated"
            assert "fire" not in await response.text()
        async with session.get(f"{server.url}/api/v3/ping") as response:
            assert response.status == 200


async def test_venue_time_runs_at_its_speed_and_candles_appear_with_it(serve: Serve) -> None:
    now_ms = time.time_ns() // 1_000_000
    real = now_ms
    source = simulated_source("binance", seed=1)
    start_ms = now_ms - now_ms % HOUR_MS - 1000  # a venue second before the hour
    reading = ClockReading(start_ms, real, 60.0)
    server = create_server(
        "binance", source, reading, host="127.0.0.1", port=0, real_now_ms=lambda: real
    )
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:

            async def newest() -> int:
                query = {"symbol": "BTCUSDT", "interval": "1h", "limit": "1"}
                async with session.get(f"{server.url}/api/v3/klines", params=query) as response:
                    rows = await response.json()
                    return int(rows[-1][0])

            before = await newest()
            real += 20  # twenty real milliseconds, 1.2 venue seconds
            assert await newest() == before + HOUR_MS
    finally:
        await server.stop()


async def test_a_taken_port_names_the_port_and_the_remedy(serve: Serve) -> None:
    source = simulated_source("upbit", seed=1)
    first = await serve("upbit", source, time.time_ns() // 1_000_000)
    port = int(first.url.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=rf"port {port} .* is taken.*--port"):
        await serve("upbit", source, 0, port=port)


def test_an_exchange_without_a_format_is_refused() -> None:
    source = simulated_source("upbit", seed=1)
    with pytest.raises(ConfigurationError, match="choose from binance, upbit"):
        create_server("okx", source, ClockReading(0, 0, 1.0), host="127.0.0.1", port=0)  # type: ignore[arg-type]  # what a user may type


async def test_stopping_twice_and_starting_again_elsewhere_are_fine(serve: Serve) -> None:
    server = await serve("upbit", simulated_source("upbit", seed=1), time.time_ns() // 1_000_000)
    await server.stop()
    await server.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        async with aiohttp.ClientSession() as session:
            await asyncio.wait_for(session.get(f"{server.url}/v1/market/all"), 5)


@pytest.mark.parametrize(("limited", "said"), [(True, None), (False, "none")])
async def test_an_exchange_that_counts_no_requests_says_so(
    *, limited: bool, said: str | None
) -> None:
    reading = ClockReading(real_ms := time.time_ns() // 1_000_000, real_ms, 1.0)
    source = simulated_source("binance", seed=1)
    server = create_server("binance", source, reading, host="127.0.0.1", port=0, limited=limited)
    await server.start()
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{server.url}/api/v3/ping") as response,
        ):
            assert response.headers.get(LIMITS_HEADER) == said
    finally:
        await server.stop()
