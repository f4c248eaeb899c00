"""Market notices and tickers in each exchange's own words."""

import json
from typing import Any

import pytest
from aiohttp import web

from dantaro.market.markets import Market, Ticker
from dantaro.market.timeframes import DAILY, FOUR_HOURLY, HOURLY, parse_timeframe
from dantaro.venues.session import VenueSession
from dantaro.venues.venue import open_venue
from venue_faults import STAND_IN, Handler, always, venue_at

AT_MS = 1_700_000_000_000

LISTS: dict[str, Any] = {
    "upbit": [
        {"market": "KRW-OK", "market_event": {"warning": False, "caution": {"X": False}}},
        {"market": "KRW-CARE", "market_event": {"warning": False, "caution": {"X": True}}},
        {"market": "KRW-WARN", "market_event": {"warning": True, "caution": {}}},
        {"market": "BTC-PLAIN"},
    ],
    "bithumb": [
        {"market": "KRW-OK", "market_warning": "NONE"},
        {"market": "KRW-CARE", "market_warning": "CAUTION"},
    ],
    "coinone": {
        "result": "success",
        "error_code": "0",
        "markets": [
            {"quote_currency": "KRW", "target_currency": "OK", "trade_status": 1},
            {"quote_currency": "KRW", "target_currency": "GONE", "trade_status": 0},
        ],
    },
    "okx": {
        "code": "0",
        "data": [
            {"instId": "OK-USDT", "baseCcy": "OK", "quoteCcy": "USDT", "state": "live"},
            {"instId": "GONE-USDT", "baseCcy": "GONE", "quoteCcy": "USDT", "state": "suspend"},
            {"instId": "", "state": "preopen"},
        ],
    },
    "bybit": {
        "retCode": 0,
        "result": {
            "list": [
                {"symbol": "OKUSDT", "baseCoin": "OK", "quoteCoin": "USDT", "status": "Trading"},
                {
                    "symbol": "CAREUSDT",
                    "baseCoin": "CARE",
                    "quoteCoin": "USDT",
                    "status": "Trading",
                    "stTag": "1",
                },
                {"symbol": "GONEUSDT", "baseCoin": "GONE", "quoteCoin": "USDT", "status": "Closed"},
            ]
        },
    },
    "gate": [
        {"id": "OK_USDT", "base": "OK", "quote": "USDT", "trade_status": "tradable"},
        {
            "id": "CARE_USDT",
            "base": "CARE",
            "quote": "USDT",
            "trade_status": "tradable",
            "st_tag": True,
        },
        {
            "id": "END_USDT",
            "base": "END",
            "quote": "USDT",
            "trade_status": "tradable",
            "delisting_time": 1_800_000_000,
        },
        {"id": "GONE_USDT", "base": "GONE", "quote": "USDT", "trade_status": "untradable"},
    ],
    "binance": {
        "symbols": [
            {"symbol": "OKUSDT", "baseAsset": "OK", "quoteAsset": "USDT", "status": "TRADING"},
            {"symbol": "GONEUSDT", "baseAsset": "GONE", "quoteAsset": "USDT", "status": "BREAK"},
        ]
    },
}

NOTICES = {
    "OK": ((), True),
    "PLAIN": ((), True),
    "CARE": (("caution",), True),
    "WARN": (("warning",), True),
    "END": (("delisting",), True),
    "GONE": ((), False),
}


@pytest.mark.parametrize("exchange", LISTS)
async def test_notices_become_flags_and_untraded_markets_are_not_listed(exchange: str) -> None:
    async with venue_at(exchange, always(json.dumps(LISTS[exchange]))) as venue:
        markets = await venue.markets()
    assert {m.base: (m.flags, m.listed) for m in markets} == {
        m.base: NOTICES[m.base] for m in markets
    }
    assert len(markets) >= 2
    assert all(market.exchange == exchange for market in markets)
    assert [m.symbol for m in markets] == sorted(m.symbol for m in markets)


TICKERS: dict[str, tuple[str, Any, float | None, int | None]] = {
    "upbit": (
        "KRW-BTC",
        [
            {
                "market": "KRW-BTC",
                "trade_price": 110.0,
                "signed_change_rate": 0.5,
                "acc_trade_price": 1.0,
                "acc_trade_price_24h": 777.0,
                "timestamp": AT_MS,
            }
        ],
        None,
        AT_MS,
    ),
    "coinone": (
        "KRW-BTC",
        {
            "result": "success",
            "error_code": "0",
            "tickers": [
                {
                    "quote_currency": "krw",
                    "target_currency": "btc",
                    "first": "100",
                    "last": "110",
                    "quote_volume": "777",
                    "target_volume": "7",
                    "timestamp": AT_MS,
                }
            ],
        },
        0.1,
        AT_MS,
    ),
    "okx": (
        "BTC-USDT",
        {
            "code": "0",
            "data": [
                {
                    "instId": "BTC-USDT",
                    "last": "110",
                    "open24h": "100",
                    "sodUtc0": "50",
                    "vol24h": "7",
                    "volCcy24h": "777",
                    "ts": str(AT_MS),
                }
            ],
        },
        0.1,
        AT_MS,
    ),
    "bybit": (
        "BTCUSDT",
        {
            "retCode": 0,
            "time": AT_MS,
            "result": {
                "list": [
                    {
                        "symbol": "BTCUSDT",
                        "lastPrice": "110",
                        "prevPrice24h": "100",
                        "turnover24h": "777",
                        "volume24h": "7",
                    }
                ]
            },
        },
        0.1,
        AT_MS,
    ),
    "gate": (
        "BTC_USDT",
        [
            {
                "currency_pair": "BTC_USDT",
                "last": "110",
                "change_percentage": "10",
                "quote_volume": "777",
                "base_volume": "7",
            }
        ],
        0.1,
        None,
    ),
    "binance": (
        "BTCUSDT",
        [
            {
                "symbol": "BTCUSDT",
                "lastPrice": "110",
                "openPrice": "100",
                "prevClosePrice": "50",
                "priceChangePercent": "10.000",
                "quoteVolume": "777",
                "volume": "7",
                "closeTime": AT_MS,
            }
        ],
        0.1,
        AT_MS,
    ),
}


@pytest.mark.parametrize("exchange", TICKERS)
async def test_tickers_look_back_24_hours_in_quote_currency(exchange: str) -> None:
    venue_symbol, body, change, at_ms = TICKERS[exchange]
    quote = "KRW" if venue_symbol.startswith("KRW") else "USDT"
    market = Market(exchange, f"BTC/{quote}", "BTC", quote, venue_symbol)
    gone = Market(exchange, f"GONE/{quote}", "GONE", quote, "GONE")
    async with venue_at(exchange, always(json.dumps(body))) as venue:
        (ticker,) = await venue.tickers([market, gone])
    assert ticker.symbol == market.symbol
    assert ticker.price == 110
    assert ticker.turnover_24h == 777
    assert ticker.change_24h == (None if change is None else pytest.approx(change))
    if at_ms is not None:
        assert ticker.at_ms == at_ms


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "1e999", "", None, [], True])
async def test_a_market_without_a_usable_price_has_no_ticker(price: object) -> None:
    body = json.dumps([{"symbol": "BTCUSDT", "lastPrice": price, "openPrice": "1"}])
    async with venue_at("binance", always(body)) as venue:
        market = Market("binance", "BTC/USDT", "BTC", "USDT", "BTCUSDT")
        assert await venue.tickers([market]) == ()


async def test_unusable_figures_beside_the_price_are_none() -> None:
    body = json.dumps(
        [{"symbol": "BTCUSDT", "lastPrice": "2", "openPrice": "0", "quoteVolume": "-1"}]
    )
    async with venue_at("binance", always(body)) as venue:
        market = Market("binance", "BTC/USDT", "BTC", "USDT", "BTCUSDT")
        (ticker,) = await venue.tickers([market])
    assert (ticker.change_24h, ticker.turnover_24h) == (None, None)
    assert ticker.at_ms > AT_MS  # without a time of its own: that of the answer


async def test_upbit_answers_all_quotes_in_one_call() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.query["quote_currencies"])
        return web.json_response([], headers=STAND_IN)

    markets = [
        Market("upbit", f"{base}/{quote}", base, quote, f"{quote}-{base}")
        for base in ("A", "B")
        for quote in ("KRW", "BTC")
    ]
    async with venue_at("upbit", answer) as venue:
        await venue.tickers(markets)
    assert asked == ["BTC,KRW"]


async def test_bithumb_is_asked_for_at_most_200_markets_in_a_call() -> None:
    sizes: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        names = request.query["markets"].split(",")
        sizes.append(len(names))
        return web.json_response(
            [{"market": name, "trade_price": 1, "timestamp": AT_MS} for name in names],
            headers=STAND_IN,
        )

    markets = [Market("bithumb", f"C{i}/KRW", f"C{i}", "KRW", f"KRW-C{i}") for i in range(450)]
    async with venue_at("bithumb", answer) as venue:
        tickers = await venue.tickers(markets)
    assert sizes == [200, 200, 50]
    assert len(tickers) == 450
    assert tickers[0] == Ticker("bithumb", "C0/KRW", 1.0, None, None, AT_MS)


def kraken() -> Handler:
    """An exchange that only the generic path knows."""
    hour = HOURLY.milliseconds // 1000
    first = AT_MS // 1000 // hour * hour
    pair = {
        "altname": "XBTUSD",
        "wsname": "XBT/USD",
        "base": "XXBT",
        "quote": "ZUSD",
        "pair_decimals": 1,
        "lot_decimals": 8,
        "fees": [[0, 0.4]],
        "fees_maker": [[0, 0.25]],
        "leverage_buy": [],
        "ordermin": "0.0001",
        "status": "online",
    }
    rows: list[Any] = [
        [first + i * hour, "1", "2", "0.5", "1.5", "1.2", f"{i + 1}", 9] for i in range(5)
    ]
    rows[2][4] = "abc"
    rows += [None, [first]]
    answers = {
        "/0/public/AssetPairs": {"XXBTZUSD": pair},
        "/0/public/OHLC": {"XXBTZUSD": rows, "last": 0},
        "/0/public/Ticker": {
            "XXBTZUSD": {
                "a": ["2"] * 3,
                "b": ["1"] * 3,
                "c": ["1.5", "1"],
                "v": ["5", "10"],
                "p": ["1.4", "1.3"],
                "t": [1, 2],
                "l": ["1", "1"],
                "h": ["2", "2"],
                "o": "1",
            }
        },
        "/0/public/Assets": {},
    }

    async def answer(request: web.Request) -> web.Response:
        result = answers[request.path]
        return web.json_response({"error": [], "result": result}, headers=STAND_IN)

    return answer


async def test_any_other_exchange_is_read_through_ccxt_without_losing_a_row() -> None:
    start_ms = AT_MS // HOURLY.milliseconds * HOURLY.milliseconds
    async with venue_at("kraken", kraken()) as venue:
        (market,) = await venue.markets()
        assert market == Market("kraken", "BTC/USD", "BTC", "USD", "XXBTZUSD")
        (ticker,) = await venue.tickers([market])
        assert (ticker.price, ticker.turnover_24h) == (1.5, 13.0)
        assert ticker.change_24h is None
        end_ms = start_ms + 4 * HOURLY.milliseconds
        stream = venue.candles(market, HOURLY, start_ms=start_ms, end_ms=end_ms)
        (page,) = [page async for page in stream]
    times = [row[0] for row in page.rows if len(row) == 6]
    assert times[:4] == [start_ms + i * HOURLY.milliseconds for i in range(4)]
    assert page.rows[0] == (start_ms, 1.0, 2.0, 0.5, 1.5, 1.0)
    assert page.rows[2][4] is None  # unreadable, but in sight
    assert (
        len(page.rows) == 6
    )  # four hours and two rows that are none; the fifth hour was not asked


async def test_the_generic_path_loads_the_markets_that_it_needs() -> None:
    start_ms = AT_MS // HOURLY.milliseconds * HOURLY.milliseconds
    market = Market("kraken", "BTC/USD", "BTC", "USD", "XXBTZUSD")
    async with venue_at("kraken", kraken()) as venue:
        stream = venue.candles(
            market, HOURLY, start_ms=start_ms, end_ms=start_ms + HOURLY.milliseconds
        )
        assert len([page async for page in stream]) == 1


@pytest.mark.parametrize("exchange", ["binance", "upbit", "okx", "bybit", "gate"])
def test_the_first_class_exchanges_support_every_timeframe(exchange: str) -> None:
    venue = open_venue(exchange, session=VenueSession())
    names = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
    assert all(venue.supports(parse_timeframe(name)) for name in names)


@pytest.mark.parametrize("exchange", ["bithumb", "coinone"])
def test_the_exchanges_of_seoul_support_what_the_analysis_needs(exchange: str) -> None:
    venue = open_venue(exchange, session=VenueSession())
    assert all(map(venue.supports, (HOURLY, FOUR_HOURLY, DAILY)))
