"""Recorded and documented answers of the exchanges, served over HTTP to the production code."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from dantaro.market.candles import validate_candles
from dantaro.market.markets import Market
from dantaro.market.timeframes import HOURLY, Timeframe, parse_timeframe
from dantaro.venues.adapters.bithumb import BithumbGeneration1
from dantaro.venues.venue import Venue
from venue_faults import STAND_IN, Handler, venue_at

MINUTE = parse_timeframe("1m")

pytestmark = pytest.mark.recorded


@pytest.fixture
def wire(recorded_data: Path) -> Path:
    return recorded_data / "wire"


def captured(path: Path) -> dict[str, bytes]:
    """Path of the request -> body, from a file of lines `URL -> time: BODY`."""
    bodies: dict[str, bytes] = {}
    for line in gzip.decompress(path.read_bytes()).split(b"\n"):
        url, arrow, rest = line.partition(b" -> ")
        if arrow:
            bodies.setdefault(urlsplit(url.decode()).path, rest.partition(b": ")[2])
    return bodies


def serve(bodies: Mapping[str, Any]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        body = bodies[request.path]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(body=content, content_type="application/json", headers=STAND_IN)

    return answer


def documented(wire: Path, exchange: str, function: str, label: str = "") -> Any:
    samples = json.loads((wire / "ccxt_comments" / f"{exchange}.json").read_text())["samples"]
    return next(
        sample["sample"]
        for sample in samples
        if sample["function"] == function and label in (sample["label"] or "")
    )


async def all_rows(venue: Venue, market: Market, timeframe: Timeframe, at_ms: int) -> list[Any]:
    start_ms = timeframe.floor(at_ms)
    stream = venue.candles(
        market, timeframe, start_ms=start_ms, end_ms=start_ms + 100 * timeframe.milliseconds
    )
    return [row async for page in stream for row in page.rows]


async def test_upbit_lists_its_captured_markets(wire: Path) -> None:
    bodies = captured(wire / "cryptofeed" / "UPBIT.0.gz")
    entries = json.loads(bodies["/v1/market/all"])
    async with venue_at("upbit", serve(bodies)) as venue:
        markets = {market.symbol: market for market in await venue.markets()}
    assert len(markets) == len(entries) > 250
    assert markets["BTC/KRW"] == Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC")
    assert {market.quote for market in markets.values()} == {"KRW", "BTC", "USDT"}


async def test_binance_lists_its_captured_markets_and_knows_which_are_traded(wire: Path) -> None:
    bodies = captured(wire / "cryptofeed" / "BINANCE.0.gz")
    entries = json.loads(bodies["/api/v3/exchangeInfo"])["symbols"]
    async with venue_at("binance", serve(bodies)) as venue:
        markets = {market.venue_symbol: market for market in await venue.markets()}
    assert set(markets) == {entry["symbol"] for entry in entries}
    for entry in entries:
        assert markets[entry["symbol"]].listed == (entry["status"] == "TRADING")


async def test_okx_lists_its_captured_spot_markets(wire: Path) -> None:
    bodies = captured(wire / "cryptofeed" / "OKX.0.gz")
    entries = json.loads(bodies["/api/v5/public/instruments"])["data"]
    async with venue_at("okx", serve(bodies)) as venue:
        markets = {market.venue_symbol: market for market in await venue.markets()}
    assert set(markets) == {entry["instId"] for entry in entries}
    assert markets["BTC-USDT"].symbol == "BTC/USDT"


async def test_bithumb_captures_are_read_as_generation_1(wire: Path) -> None:
    bodies = captured(wire / "cryptofeed" / "BITHUMB.0.gz")
    krw = json.loads(bodies["/public/ticker/ALL_KRW"])["data"]
    async with venue_at("bithumb", serve(bodies), adapter=BithumbGeneration1) as venue:
        markets = await venue.markets()
        tickers = {ticker.symbol: ticker for ticker in await venue.tickers(markets)}
    names = {m.venue_symbol: m.base for m in markets if m.quote == "KRW"}
    assert set(names) == {f"{base}_KRW" for base in krw if base != "date"}
    assert names["SOC_KRW"] == "Soda Coin"  # ccxt's name for it: other exchanges have another SOC
    bitcoin = tickers["BTC/KRW"]
    assert bitcoin.price == float(krw["BTC"]["closing_price"])
    assert bitcoin.turnover_24h == float(krw["BTC"]["acc_trade_value_24H"])
    assert bitcoin.at_ms == int(krw["date"])
    percent = float(krw["BTC"]["fluctate_rate_24H"])
    assert bitcoin.change_24h == pytest.approx(percent / 100, abs=1e-4)


async def test_bithumb_generation_1_candles_have_their_own_order(wire: Path) -> None:
    excerpt = json.loads((wire / "ccxt_static" / "bithumb_public_excerpt.json").read_text())
    answer = excerpt["methods"]["fetchOHLCV"][0]["httpResponse"]
    at, opened, close, high, low, volume = answer["data"][0]
    bodies = {"/public/candlestick/BTC_KRW/1m": answer}
    async with venue_at("bithumb", serve(bodies), adapter=BithumbGeneration1) as venue:
        market = Market("bithumb", "BTC/KRW", "BTC", "KRW", "BTC_KRW")
        rows = await all_rows(venue, market, MINUTE, at)
    assert rows[0] == (at, *map(float, (opened, high, low, close, volume)))


@pytest.mark.parametrize("enveloped", [False, True])
async def test_bithumb_documentation_samples_are_read_as_generation_2(
    wire: Path, *, enveloped: bool
) -> None:
    samples = {
        "/v1/market/all": documented(wire, "bithumb", "fetchMarkets"),
        "/v1/ticker": documented(wire, "bithumb", "fetchTickers"),
        "/v1/candles/minutes/1": documented(wire, "bithumb", "fetchOHLCV"),
    }
    bodies = {
        path: {"status": "0000", "data": sample} if enveloped else sample
        for path, sample in samples.items()
    }
    market = Market("bithumb", "USDC/BTC", "USDC", "BTC", "BTC-USDC")
    async with venue_at("bithumb", serve(bodies)) as venue:
        assert [m.symbol for m in await venue.markets()] == ["BTC/KRW"]
        (ticker,) = await venue.tickers([market])
        rows = await all_rows(venue, market, MINUTE, 1_782_982_740_000)
    assert ticker.price == 1.659e-05
    assert ticker.turnover_24h == 1.763734101214664
    assert ticker.change_24h is None  # its rate is against the last close, not 24 hours
    assert rows == [(1_782_982_740_000, 1.65e-05, 1.65e-05, 1.65e-05, 1.65e-05, 70)]
    assert len(validate_candles(rows, MINUTE, now_ms=1_783_000_000_000).accepted) == 1


async def test_upbit_tickers_and_candles_are_read(wire: Path) -> None:
    tickers = documented(wire, "upbit", "fetchTickers")
    candles = documented(wire, "upbit", "fetchOHLCV")
    market = Market("upbit", "ETH/BTC", "ETH", "BTC", "BTC-ETH")
    bodies = {"/v1/ticker/all": tickers, "/v1/candles/minutes/1": candles}
    async with venue_at("upbit", serve(bodies)) as venue:
        (ticker,) = await venue.tickers([market])
        rows = await all_rows(venue, market, MINUTE, 1_542_894_420_000)
    assert ticker.price == 0.02947773
    assert ticker.turnover_24h == 289.58650166
    assert ticker.change_24h is None
    assert rows == [(1_542_894_420_000, 0.02915963, 0.02915963, 0.02915448, 0.02915448, 3.36693173)]


async def test_upbit_candles_with_figures_as_texts_are_read(wire: Path) -> None:
    recorded = json.loads((wire / "ccxt_static" / "upbit.json").read_text())
    (case,) = recorded["methods"]["fetchOHLCV"]
    expected = case["parsedResponse"]
    market = Market("upbit", "BTC/USDT", "BTC", "USDT", "USDT-BTC")
    path = "/v1/candles/minutes/1"
    async with venue_at("upbit", serve({path: case["httpResponse"]})) as venue:
        rows = await all_rows(venue, market, MINUTE, expected[0][0])
    assert [list(row) for row in rows] == expected


async def test_binance_candles_and_tickers_are_read(wire: Path) -> None:
    folder = wire / "nautilus" / "binance"
    klines = json.loads((folder / "http_responses" / "http_spot_market_klines.json").read_text())
    ticker = json.loads((folder / "spot" / "http_json" / "ticker_24hr_response.json").read_text())
    bodies = {"/api/v3/klines": klines, "/api/v3/ticker/24hr": [ticker]}
    market = Market("binance", "BNB/BTC", "BNB", "BTC", "BNBBTC")
    async with venue_at("binance", serve(bodies)) as venue:
        rows = await all_rows(venue, market, MINUTE, klines[0][0])
        (read,) = await venue.tickers([market])
    assert [list(row) for row in rows] == [[k[0], *map(float, k[1:6])] for k in klines]
    now_ms = klines[-1][0] + MINUTE.milliseconds
    assert len(validate_candles(rows, MINUTE, now_ms=now_ms).accepted) == len(klines)
    assert read.price == float(ticker["lastPrice"])
    assert read.turnover_24h == float(ticker["quoteVolume"])
    assert read.at_ms == ticker["closeTime"]
    assert read.change_24h == pytest.approx(read.price / float(ticker["openPrice"]) - 1)


async def test_okx_candles_and_tickers_are_read(wire: Path) -> None:
    candles = json.loads((wire / "nautilus" / "okx" / "http_get_candlesticks.json").read_text())
    tickers = documented(wire, "okx", "fetchTickers")
    entry = tickers["data"][0]
    market = Market("okx", "BTC/USDT", "BTC", "USDT", entry["instId"])
    bodies = {"/api/v5/market/history-candles": candles, "/api/v5/market/tickers": tickers}
    async with venue_at("okx", serve(bodies)) as venue:
        rows = await all_rows(venue, market, MINUTE, int(candles["data"][0][0]))
        (ticker,) = await venue.tickers([market])
    assert [list(row) for row in rows] == [
        [int(c[0]), *map(float, c[1:6])] for c in candles["data"]
    ]
    assert ticker.price == float(entry["last"])
    assert ticker.turnover_24h == float(entry["volCcy24h"])
    assert ticker.change_24h == pytest.approx(ticker.price / float(entry["open24h"]) - 1)
    assert ticker.at_ms == int(entry["ts"])


async def test_an_hourly_request_of_minute_candles_shows_as_misaligned_rows(wire: Path) -> None:
    folder = wire / "nautilus" / "binance" / "http_responses"
    klines = json.loads((folder / "http_spot_market_klines.json").read_text())
    market = Market("binance", "BTC/USDT", "BTC", "USDT", "BTCUSDT")
    async with venue_at("binance", serve({"/api/v3/klines": klines})) as venue:
        rows = await all_rows(venue, market, HOURLY, klines[0][0])
    outcome = validate_candles(rows, HOURLY, now_ms=klines[-1][0] + HOURLY.milliseconds)
    assert len(outcome.accepted) + len(outcome.rejected) + outcome.forming == len(klines)
